-- Aggregates audit records with BigQuery. Replace the two `gs://` addresses, which take one `*` each, and `my_dataset`; add
-- 'gs://my-bucket/audit/*.jsonl.gz' to `uris` where there are such files.
-- The column `record` holds a line; lines that are not JSON are passed over.

CREATE OR REPLACE EXTERNAL TABLE my_dataset.audit_lines (record STRING)
OPTIONS (format = 'CSV', field_delimiter = '\x01', quote = '', uris = ['gs://my-bucket/audit/*.jsonl']);

EXPORT DATA OPTIONS (uri = 'gs://my-bucket/aggregated/*.jsonl', format = 'JSON', overwrite = true) AS
WITH flat AS (
  SELECT
    JSON_VALUE(r, '$.decision') AS decision,
    JSON_VALUE(r, '$.action_type') AS action_type,
    COALESCE(JSON_VALUE(r, '$.resource_id'), JSON_VALUE(r, '$.payload.resource_id'), '') AS resource_id,
    COALESCE(JSON_VALUE(r, '$.network_egress.protocol'), JSON_VALUE(r, '$.payload.network_egress.protocol'), '') AS protocol,
    COALESCE(JSON_VALUE(r, '$.http_request.method'), JSON_VALUE(r, '$.payload.http_request.method'), '') AS method,
    COALESCE(JSON_VALUE(r, '$.http_request.path'), JSON_VALUE(r, '$.payload.http_request.path'), '') AS path,
    COALESCE(ARRAY_TO_STRING(COALESCE(JSON_VALUE_ARRAY(r, '$.deny_reason'), JSON_VALUE_ARRAY(r, '$.payload.deny_reason')), '\n'), '')
      AS reason,
    COALESCE(JSON_VALUE(r, '$.username'), JSON_VALUE(r, '$.user_email'), JSON_VALUE(r, '$.payload.user_email'), '') AS user,
    -- Without the zone, texts with fractions of any length sort as the times do.
    REPLACE(COALESCE(JSON_VALUE(r, '$.timestamp'), JSON_VALUE(r, '$.created_at')), 'Z', '') AS moment,
    JSON_VALUE(r, '$.audit_event_id') AS audit_event_id,
    COALESCE(JSON_VALUE(r, '$.approval.approval_request_id'), JSON_VALUE(r, '$.payload.approval.approval_request_id'),
      JSON_VALUE(r, '$.audit_event_id')) AS request
  FROM (SELECT SAFE.PARSE_JSON(record) AS r FROM my_dataset.audit_lines)
  WHERE JSON_VALUE(r, '$.category') = 'AUDIT_CATEGORY_EVALUATION'
    AND COALESCE(JSON_VALUE(r, '$.enforcement_mode'), '') IN ('', 'enforce')
    AND JSON_VALUE(r, '$.action_type') IN ('network_egress', 'http_request', 'filesystem_mount', 'tool_invocation',
      'resource_read', 'prompt', 'server_registration')
),
decisions AS (
  SELECT * FROM flat
  WHERE TRUE
  -- A record that was written twice counts once, and a question to a person as what came of it.
  QUALIFY request IS NULL OR ROW_NUMBER() OVER (
    PARTITION BY request ORDER BY decision = 'AUDIT_DECISION_APPROVAL_REQUIRED', audit_event_id, moment) = 1
)
SELECT decision, action_type, resource_id, protocol, method, path, reason, user,
  COUNT(*) AS count, MIN(moment) AS first, MAX(moment) AS last
FROM decisions
GROUP BY decision, action_type, resource_id, protocol, method, path, reason, user;
