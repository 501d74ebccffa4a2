-- Aggregates audit records with Spark SQL: `spark-sql -f queries/spark.sql`, in the folder that holds `records/`.
-- Reads JSON Lines (also `.gz`), passes over broken lines, writes JSON Lines into the folder `aggregated/`.

CREATE TEMPORARY VIEW records (
  audit_event_id STRING, `timestamp` STRING, category STRING, decision STRING, username STRING, user_email STRING,
  resource_id STRING, enforcement_mode STRING, action_type STRING, deny_reason ARRAY<STRING>,
  network_egress STRUCT<protocol: STRING>, http_request STRUCT<method: STRING, path: STRING>,
  approval STRUCT<approval_request_id: STRING>, created_at STRING,
  payload STRUCT<user_email: STRING, resource_id: STRING, deny_reason: ARRAY<STRING>, network_egress: STRUCT<protocol: STRING>,
    http_request: STRUCT<method: STRING, path: STRING>, approval: STRUCT<approval_request_id: STRING>>
)
USING json OPTIONS (path 'records/', pathGlobFilter '*.{jsonl,jsonl.gz}', recursiveFileLookup 'true', mode 'DROPMALFORMED');

INSERT OVERWRITE DIRECTORY 'aggregated' USING json
WITH flat AS (
  SELECT
    decision, action_type,
    coalesce(resource_id, payload.resource_id, '') AS resource_id,
    coalesce(network_egress.protocol, payload.network_egress.protocol, '') AS protocol,
    coalesce(http_request.method, payload.http_request.method, '') AS method,
    coalesce(http_request.path, payload.http_request.path, '') AS path,
    coalesce(array_join(coalesce(deny_reason, payload.deny_reason), '\n'), '') AS reason,
    coalesce(username, user_email, payload.user_email, '') AS `user`,
    -- Without the zone, texts with fractions of any length sort as the times do.
    replace(coalesce(`timestamp`, created_at), 'Z', '') AS moment,
    coalesce(approval.approval_request_id, payload.approval.approval_request_id, audit_event_id) AS request,
    -- A record that was written twice counts once, and a question to a person as what came of it.
    row_number() OVER (
      PARTITION BY coalesce(approval.approval_request_id, payload.approval.approval_request_id, audit_event_id)
      ORDER BY decision = 'AUDIT_DECISION_APPROVAL_REQUIRED', audit_event_id, coalesce(`timestamp`, created_at)) AS number
  FROM records
  WHERE category = 'AUDIT_CATEGORY_EVALUATION'
    AND coalesce(enforcement_mode, '') IN ('', 'enforce')
    AND action_type IN ('network_egress', 'http_request', 'filesystem_mount', 'tool_invocation', 'resource_read',
      'prompt', 'server_registration')
)
SELECT decision, action_type, resource_id, protocol, method, path, reason, `user`,
  count(*) AS `count`, min(moment) AS `first`, max(moment) AS `last`
FROM flat
WHERE number = 1 OR request IS NULL
GROUP BY decision, action_type, resource_id, protocol, method, path, reason, `user`;
