-- name: SumReceipts :many
-- What has not ended, from the index receipt_sums alone: by an expression, so that it is
-- read in the order of the groups.
SELECT account, currency, total, term_months, count(*) AS n, CAST(sum(CASE WHEN ends_at <= sqlc.arg(soon) THEN 1 ELSE 0 END) AS BIGINT) AS soon
FROM receipt WHERE ends_at + 0 > CAST(sqlc.arg(now) AS BIGINT) GROUP BY account, currency, total, term_months;

-- name: EndingSums :many
-- What has not ended, by the day on which it ends, from the index receipt_sums alone.
SELECT account, currency, total, term_months, ends_at / 86400000000 AS day, count(*) AS n
FROM receipt WHERE ends_at + 0 > CAST(sqlc.arg(now) AS BIGINT) GROUP BY account, currency, total, term_months, ends_at / 86400000000;

-- name: LinesEnding :many
-- Lines whose commitments end in a time and were bought since another, the next first.
SELECT l.* FROM receipt r JOIN line l ON l.id = r.line_id
WHERE r.ends_at > sqlc.arg(after) AND r.ends_at <= sqlc.arg(until) AND r.at >= sqlc.arg(since)
  AND (CAST(sqlc.arg(account) AS TEXT) = '' OR r.account = CAST(sqlc.arg(account) AS TEXT))
ORDER BY r.ends_at, r.line_id LIMIT sqlc.arg(most);

-- name: OldestLinesInState :many
-- Those of the oldest plans: the index line_page_in_state backwards. SQLite does not use
-- it for a value that is cast.
SELECT * FROM line WHERE state || '' = sqlc.arg(state) AND plan_id > ''
  AND (CAST(sqlc.arg(account) AS TEXT) = '' OR account = CAST(sqlc.arg(account) AS TEXT))
ORDER BY plan_id, number DESC LIMIT sqlc.arg(most);

-- name: LastAttempt :many
SELECT n, armed_at FROM attempt WHERE line_id = $1 ORDER BY n DESC LIMIT 1;

-- name: PlansToDecide :many
-- Proposed, and of their lineage the newest; the oldest first.
SELECT * FROM plan WHERE state = 'proposed'
  AND NOT EXISTS (SELECT 1 FROM plan n WHERE n.lineage = plan.lineage AND n.version > plan.version) ORDER BY id;

-- name: PlansToBegin :many
-- Approved and not begun while a line is open; the oldest first.
SELECT * FROM plan WHERE state = 'approved' AND NOT EXISTS (SELECT 1 FROM begun b WHERE b.plan_id = plan.id)
  AND EXISTS (SELECT 1 FROM line l WHERE l.plan_id = plan.id AND l.state NOT IN ('purchased', 'failed', 'canceled', 'expired', 'superseded'))
ORDER BY id;

-- name: PlansBeingBought :many
-- Begun while a worker can do something for a line; the newest first.
SELECT * FROM plan WHERE EXISTS (SELECT 1 FROM begun b WHERE b.plan_id = plan.id)
  AND EXISTS (SELECT 1 FROM line l WHERE l.plan_id = plan.id AND l.state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'recovery'))
ORDER BY id DESC;

-- name: PlanName :one
SELECT name FROM plan WHERE id = $1;

-- name: LineAccounts :many
-- One step of the index line_sums for each account.
WITH RECURSIVE known AS (
  SELECT min(account) AS account FROM line
  UNION ALL
  SELECT (SELECT min(l.account) FROM line l WHERE l.account > k.account) FROM known k WHERE k.account IS NOT NULL
)
SELECT CAST(account AS TEXT) AS account FROM known WHERE account IS NOT NULL ORDER BY account;
