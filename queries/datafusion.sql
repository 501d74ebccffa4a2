-- Aggregates audit records with DataFusion: `datafusion-cli -f queries/datafusion.sql`, in the folder that holds `records/`.
-- Reads JSON Lines of local files, each line of which has to be whole, and writes `aggregated.jsonl`. For compressed files, say
-- so in the location and with `OPTIONS ('format.compression' 'gzip')`.

CREATE EXTERNAL TABLE records (
  audit_event_id VARCHAR, "timestamp" VARCHAR, category VARCHAR, decision VARCHAR, username VARCHAR, user_email VARCHAR,
  resource_id VARCHAR, enforcement_mode VARCHAR, action_type VARCHAR, deny_reason VARCHAR[],
  network_egress STRUCT<protocol VARCHAR>, http_request STRUCT<"method" VARCHAR, path VARCHAR>,
  approval STRUCT<approval_request_id VARCHAR>, created_at VARCHAR,
  payload STRUCT<user_email VARCHAR, resource_id VARCHAR, deny_reason VARCHAR[], network_egress STRUCT<protocol VARCHAR>,
    http_request STRUCT<"method" VARCHAR, path VARCHAR>, approval STRUCT<approval_request_id VARCHAR>>
)
STORED AS JSON LOCATION 'records/*.jsonl';

COPY (
  WITH flat AS (
    SELECT
      decision, action_type,
      coalesce(resource_id, payload['resource_id'], '') AS resource_id,
      coalesce(network_egress['protocol'], payload['network_egress']['protocol'], '') AS protocol,
      coalesce(http_request['method'], payload['http_request']['method'], '') AS "method",
      coalesce(http_request['path'], payload['http_request']['path'], '') AS path,
      coalesce(array_to_string(coalesce(deny_reason, payload['deny_reason']), chr(10)), '') AS reason,
      coalesce(username, user_email, payload['user_email'], '') AS "user",
      -- Without the zone, texts with fractions of any length sort as the times do.
      replace(coalesce("timestamp", created_at), 'Z', '') AS moment,
      coalesce(approval['approval_request_id'], payload['approval']['approval_request_id'], audit_event_id) AS request,
      -- A record that was written twice counts once, and a question to a person as what came of it.
      row_number() OVER (
        PARTITION BY coalesce(approval['approval_request_id'], payload['approval']['approval_request_id'], audit_event_id)
        ORDER BY decision = 'AUDIT_DECISION_APPROVAL_REQUIRED', audit_event_id, coalesce("timestamp", created_at)) AS number
    FROM records
    WHERE category = 'AUDIT_CATEGORY_EVALUATION'
      AND coalesce(enforcement_mode, '') IN ('', 'enforce')
      AND action_type IN ('network_egress', 'http_request', 'filesystem_mount', 'tool_invocation', 'resource_read',
        'prompt', 'server_registration')
  )
  SELECT decision, action_type, resource_id, protocol, "method", path, reason, "user",
    count(*) AS "count", min(moment) AS "first", max(moment) AS "last"
  FROM flat
  WHERE number = 1 OR request IS NULL
  GROUP BY decision, action_type, resource_id, protocol, "method", path, reason, "user"
  ORDER BY decision, action_type, resource_id, protocol, "method", path, reason, "user"
) TO 'aggregated.jsonl' STORED AS JSON;
