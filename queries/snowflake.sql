-- Aggregates audit records with Snowflake, from JSON Lines in the stage `@audit`; writes to the stage `@aggregated`.
-- Lines that are not JSON are passed over.

CREATE TEMPORARY TABLE audit_records (r VARIANT);
COPY INTO audit_records FROM @audit PATTERN = '.*[.]jsonl([.](gz|zst))?' FILE_FORMAT = (TYPE = JSON) ON_ERROR = CONTINUE;

COPY INTO @aggregated/part FROM (
  WITH flat AS (
    SELECT
      r:decision::string AS decision,
      r:action_type::string AS action_type,
      COALESCE(r:resource_id, r:payload.resource_id, '')::string AS resource_id,
      COALESCE(r:network_egress.protocol, r:payload.network_egress.protocol, '')::string AS protocol,
      COALESCE(r:http_request.method, r:payload.http_request.method, '')::string AS method,
      COALESCE(r:http_request.path, r:payload.http_request.path, '')::string AS path,
      COALESCE(ARRAY_TO_STRING(COALESCE(r:deny_reason, r:payload.deny_reason), '\n'), '') AS reason,
      COALESCE(r:username, r:user_email, r:payload.user_email, '')::string AS "user",
      COALESCE(r:timestamp, r:created_at)::string AS moment,
      r:audit_event_id::string AS audit_event_id,
      COALESCE(r:approval.approval_request_id, r:payload.approval.approval_request_id, r:audit_event_id)::string AS request
    FROM audit_records
    WHERE r:category::string = 'AUDIT_CATEGORY_EVALUATION'
      AND COALESCE(r:enforcement_mode::string, '') IN ('', 'enforce')
      AND r:action_type::string IN ('network_egress', 'http_request', 'filesystem_mount', 'tool_invocation',
        'resource_read', 'prompt', 'server_registration')
    -- A record that was written twice counts once, and a question to a person as what came of it.
    QUALIFY request IS NULL OR ROW_NUMBER() OVER (
      PARTITION BY request
      ORDER BY IFF(decision = 'AUDIT_DECISION_APPROVAL_REQUIRED', 1, 0), audit_event_id, moment) = 1
  )
  SELECT OBJECT_CONSTRUCT('decision', decision, 'action_type', action_type, 'resource_id', resource_id,
    'protocol', protocol, 'method', method, 'path', path, 'reason', reason, 'user', "user",
    'count', COUNT(*), 'first', MIN(moment), 'last', MAX(moment))
  FROM flat
  GROUP BY decision, action_type, resource_id, protocol, method, path, reason, "user"
) FILE_FORMAT = (TYPE = JSON COMPRESSION = GZIP);
