-- Aggregates audit records with Snowflake, from JSON Lines in the stage `@audit`; writes to the stage `@aggregated`.
-- The column `line` holds a line; lines that are not JSON are passed over, which a stage of the type JSON does not do: it
-- would leave out the rest of their file.

CREATE TEMPORARY TABLE audit_lines (line VARCHAR);
COPY INTO audit_lines FROM @audit PATTERN = '.*[.]jsonl([.](gz|zst))?'
  FILE_FORMAT = (TYPE = CSV FIELD_DELIMITER = NONE RECORD_DELIMITER = '\n' FIELD_OPTIONALLY_ENCLOSED_BY = NONE
    ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE);

CREATE TEMPORARY TABLE aggregated AS
WITH raw AS (
  SELECT TRY_PARSE_JSON(line) AS r FROM audit_lines
),
flat AS (
  SELECT
    r:decision::string AS decision,
    r:action_type::string AS action_type,
    COALESCE(r:resource_id::string, r:payload.resource_id::string, '') AS resource_id,
    COALESCE(r:network_egress.protocol::string, r:payload.network_egress.protocol::string, '') AS protocol,
    COALESCE(r:http_request.method::string, r:payload.http_request.method::string, '') AS method,
    COALESCE(r:http_request.path::string, r:payload.http_request.path::string, '') AS path,
    COALESCE(ARRAY_TO_STRING(COALESCE(r:deny_reason::array, r:payload.deny_reason::array), '\n'), '') AS reason,
    COALESCE(r:username::string, r:user_email::string, r:payload.user_email::string, '') AS user_name,
    -- Without the zone, texts with fractions of any length sort as the times do.
    REPLACE(COALESCE(r:timestamp::string, r:created_at::string), 'Z', '') AS moment,
    r:audit_event_id::string AS audit_event_id,
    COALESCE(r:approval.approval_request_id::string, r:payload.approval.approval_request_id::string,
      r:audit_event_id::string) AS request
  FROM raw
  WHERE r:category::string = 'AUDIT_CATEGORY_EVALUATION'
    AND COALESCE(r:enforcement_mode::string, '') IN ('', 'enforce')
    AND r:action_type::string IN ('network_egress', 'http_request', 'filesystem_mount', 'tool_invocation',
      'resource_read', 'prompt', 'server_registration')
),
decisions AS (
  SELECT * FROM flat
  -- A record that was written twice counts once, and a question to a person as what came of it.
  QUALIFY request IS NULL OR ROW_NUMBER() OVER (
    PARTITION BY request
    ORDER BY IFF(decision = 'AUDIT_DECISION_APPROVAL_REQUIRED', 1, 0), audit_event_id, moment) = 1
)
SELECT decision, action_type, resource_id, protocol, method, path, reason, user_name,
  COUNT(*) AS records, MIN(moment) AS first_time, MAX(moment) AS last_time
FROM decisions
GROUP BY decision, action_type, resource_id, protocol, method, path, reason, user_name;

COPY INTO @aggregated/part FROM (
  SELECT OBJECT_CONSTRUCT('decision', decision, 'action_type', action_type, 'resource_id', resource_id,
    'protocol', protocol, 'method', method, 'path', path, 'reason', reason, 'user', user_name,
    'count', records, 'first', first_time, 'last', last_time)
  FROM aggregated
) FILE_FORMAT = (TYPE = JSON COMPRESSION = GZIP);
