-- Aggregates audit records with Athena, from JSON Lines in an object store; broken lines are passed over. Replace the two
-- `s3://` addresses: the second one has to be empty. Athena runs one statement at a time.
--
-- Trino: the query between the brackets is the same. Around it, `CREATE TABLE hive.default.aggregated WITH (format = 'JSON',
-- external_location = 's3://my-bucket/aggregated/') AS` takes the place of `UNLOAD (…) TO …`, and the table of the records is
--   CREATE TABLE hive.default.audit_records (
--     audit_event_id varchar, "timestamp" varchar, category varchar, decision varchar, username varchar, user_email varchar,
--     resource_id varchar, enforcement_mode varchar, action_type varchar, deny_reason array(varchar),
--     network_egress row(protocol varchar), http_request row(method varchar, path varchar),
--     approval row(approval_request_id varchar), created_at varchar,
--     payload row(user_email varchar, resource_id varchar, deny_reason array(varchar), network_egress row(protocol varchar),
--       http_request row(method varchar, path varchar), approval row(approval_request_id varchar))
--   ) WITH (format = 'JSON', external_location = 's3://my-bucket/audit/');
-- where each line has to be whole.

CREATE EXTERNAL TABLE IF NOT EXISTS audit_records (
  audit_event_id string, `timestamp` string, category string, decision string, username string, user_email string,
  resource_id string, enforcement_mode string, action_type string, deny_reason array<string>,
  network_egress struct<protocol: string>, http_request struct<method: string, path: string>,
  approval struct<approval_request_id: string>, created_at string,
  payload struct<user_email: string, resource_id: string, deny_reason: array<string>, network_egress: struct<protocol: string>,
    http_request: struct<method: string, path: string>, approval: struct<approval_request_id: string>>
)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe' WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')
LOCATION 's3://my-bucket/audit/';

UNLOAD (
  WITH flat AS (
    SELECT
      decision, action_type,
      coalesce(resource_id, payload.resource_id, '') AS resource_id,
      coalesce(network_egress.protocol, payload.network_egress.protocol, '') AS protocol,
      coalesce(http_request.method, payload.http_request.method, '') AS method,
      coalesce(http_request.path, payload.http_request.path, '') AS path,
      coalesce(array_join(coalesce(deny_reason, payload.deny_reason), chr(10)), '') AS reason,
      coalesce(username, user_email, payload.user_email, '') AS "user",
      -- Without the zone, texts with fractions of any length sort as the times do.
      replace(coalesce("timestamp", created_at), 'Z', '') AS moment,
      coalesce(approval.approval_request_id, payload.approval.approval_request_id, audit_event_id) AS request,
      -- A record that was written twice counts once, and a question to a person as what came of it.
      row_number() OVER (
        PARTITION BY coalesce(approval.approval_request_id, payload.approval.approval_request_id, audit_event_id)
        ORDER BY decision = 'AUDIT_DECISION_APPROVAL_REQUIRED', audit_event_id, coalesce("timestamp", created_at)) AS number
    FROM audit_records
    WHERE category = 'AUDIT_CATEGORY_EVALUATION'
      AND coalesce(enforcement_mode, '') IN ('', 'enforce')
      AND action_type IN ('network_egress', 'http_request', 'filesystem_mount', 'tool_invocation', 'resource_read',
        'prompt', 'server_registration')
  )
  SELECT decision, action_type, resource_id, protocol, method, path, reason, "user",
    count(*) AS "count", min(moment) AS "first", max(moment) AS "last"
  FROM flat
  WHERE number = 1 OR request IS NULL
  GROUP BY decision, action_type, resource_id, protocol, method, path, reason, "user"
) TO 's3://my-bucket/aggregated/' WITH (format = 'JSON', compression = 'GZIP');
