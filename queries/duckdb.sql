-- Aggregates audit records with DuckDB: `duckdb < queries/duckdb.sql`, in the folder that holds `records/`.
-- Reads JSON Lines of local files and of `seawall records` (also `.gz` and `.zst`), writes `aggregated.jsonl`.

COPY (
  WITH raw AS (
    SELECT * FROM read_json(
      'records/**/*.jsonl*', format = 'newline_delimited', ignore_errors = true, filename = true, columns = {
        audit_event_id: 'VARCHAR', timestamp: 'VARCHAR', created_at: 'VARCHAR', category: 'VARCHAR', decision: 'VARCHAR',
        username: 'VARCHAR', user_email: 'VARCHAR', resource_id: 'VARCHAR', enforcement_mode: 'VARCHAR',
        action_type: 'VARCHAR', deny_reason: 'VARCHAR[]', network_egress: 'STRUCT(protocol VARCHAR)',
        http_request: 'STRUCT("method" VARCHAR, path VARCHAR)', approval: 'STRUCT(approval_request_id VARCHAR)',
        payload: 'STRUCT(user_email VARCHAR, resource_id VARCHAR, deny_reason VARCHAR[],
          network_egress STRUCT(protocol VARCHAR), http_request STRUCT("method" VARCHAR, path VARCHAR),
          approval STRUCT(approval_request_id VARCHAR))'})
    -- Files in progress.
    WHERE filename NOT LIKE '%.tmp'
  ),
  flat AS (
    SELECT
      audit_event_id, category, decision, enforcement_mode, action_type,
      -- Without the zone, texts with fractions of any length sort as the times do.
      replace(coalesce(timestamp, created_at), 'Z', '') AS moment,
      coalesce(username, user_email, payload.user_email, '') AS "user",
      coalesce(resource_id, payload.resource_id, '') AS resource_id,
      array_to_string(coalesce(deny_reason, payload.deny_reason, []), chr(10)) AS reason,
      coalesce(network_egress.protocol, payload.network_egress.protocol, '') AS protocol,
      coalesce(http_request."method", payload.http_request."method", '') AS "method",
      coalesce(http_request.path, payload.http_request.path, '') AS path,
      coalesce(approval.approval_request_id, payload.approval.approval_request_id, audit_event_id) AS request
    FROM raw
  ),
  decisions AS (
    SELECT * FROM flat
    WHERE category = 'AUDIT_CATEGORY_EVALUATION'
      AND coalesce(enforcement_mode, '') IN ('', 'enforce')
      AND action_type IN ('network_egress', 'http_request', 'filesystem_mount', 'tool_invocation', 'resource_read',
        'prompt', 'server_registration')
    -- A record that was written twice counts once, and a question to a person as what came of it.
    QUALIFY request IS NULL OR row_number() OVER (
      PARTITION BY request
      ORDER BY decision = 'AUDIT_DECISION_APPROVAL_REQUIRED', audit_event_id, moment) = 1
  )
  SELECT decision, action_type, resource_id, protocol, "method", path, reason, "user",
    count(*) AS count, min(moment) AS first, max(moment) AS last
  FROM decisions
  GROUP BY ALL
  ORDER BY ALL
) TO 'aggregated.jsonl' (FORMAT json);
