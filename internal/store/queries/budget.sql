-- name: InsertBudget :exec
INSERT INTO budget (id, plan_id, name, account, period, measure, currency, cap, created_at, created_by, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $10);

-- name: ActiveBudgets :many
SELECT * FROM budget WHERE plan_id IS NULL AND retired_at = 0 ORDER BY name;

-- name: AllBudgets :many
SELECT * FROM budget ORDER BY id;

-- name: GetActiveBudget :one
SELECT * FROM budget WHERE plan_id IS NULL AND retired_at = 0 AND name = $1;

-- name: GetBudget :one
SELECT * FROM budget WHERE id = $1;

-- name: ListPeriods :many
SELECT p.budget_id, p.period, p.cap, p.taken, CAST((
  SELECT coalesce(sum(h.amount), 0) FROM hold h WHERE h.budget_id = p.budget_id AND h.period = p.period AND h.state = 'spent') AS BIGINT) AS spent
FROM budget_period p WHERE p.budget_id = $1 ORDER BY p.period;

-- name: CapBudget :execrows
UPDATE budget SET cap = $1, changed_at = $2, changed_by = $3
WHERE id = $4 AND plan_id IS NULL AND retired_at = 0;

-- name: RetireBudget :execrows
UPDATE budget SET retired_at = $1, retired_by = $2
WHERE name = $3 AND plan_id IS NULL AND retired_at = 0;

-- name: OpenPeriod :exec
INSERT INTO budget_period (budget_id, period, cap, taken) VALUES ($1, $2, $3, 0)
ON CONFLICT (budget_id, period) DO NOTHING;

-- name: GetPeriod :one
SELECT p.budget_id, p.period, p.cap, p.taken, CAST((
  SELECT coalesce(sum(h.amount), 0) FROM hold h WHERE h.budget_id = p.budget_id AND h.period = p.period AND h.state = 'spent') AS BIGINT) AS spent
FROM budget_period p WHERE p.budget_id = $1 AND p.period = $2;

-- name: AllPeriods :many
SELECT p.budget_id, p.period, p.cap, p.taken, CAST((
  SELECT coalesce(sum(h.amount), 0) FROM hold h WHERE h.budget_id = p.budget_id AND h.period = p.period AND h.state = 'spent') AS BIGINT) AS spent
FROM budget_period p ORDER BY p.budget_id, p.period;

-- name: CapPeriod :execrows
UPDATE budget_period SET cap = sqlc.arg(cap)
WHERE budget_id = $1 AND period = $2 AND taken <= sqlc.arg(cap);

-- name: TakePeriod :execrows
UPDATE budget_period SET taken = taken + sqlc.arg(amount)
WHERE budget_id = $1 AND period = $2 AND sqlc.arg(amount) <= cap - taken;

-- name: FreePeriod :execrows
UPDATE budget_period SET taken = taken - sqlc.arg(amount)
WHERE budget_id = $1 AND period = $2 AND taken >= sqlc.arg(amount);

-- name: InsertHold :exec
INSERT INTO hold (line_id, budget_id, period, amount, state, at) VALUES ($1, $2, $3, $4, 'held', $5);

-- name: EndHold :execrows
UPDATE hold SET state = $1, ended_at = $2 WHERE line_id = $3 AND budget_id = $4 AND state = 'held';

-- name: SpendHolds :exec
-- A hold that has ended is refused by its guard.
UPDATE hold SET state = 'spent', ended_at = $1 WHERE line_id = $2;

-- name: EndHolds :many
-- Likewise.
UPDATE hold SET state = $1, ended_at = $2 WHERE line_id = $3 RETURNING budget_id, period, amount;

-- name: LineHolds :many
SELECT * FROM hold WHERE line_id = $1 ORDER BY budget_id;

-- name: PlanHolds :many
SELECT h.* FROM hold h JOIN line l ON l.id = h.line_id WHERE l.plan_id = $1 ORDER BY h.budget_id, l.number;

-- name: EarlierHolds :many
-- What the approval of a version releases: see SupersedeLines.
SELECT h.* FROM hold h JOIN line l ON l.id = h.line_id JOIN plan p ON p.id = l.plan_id
WHERE p.lineage = $1 AND p.version < $2 AND h.budget_id = $3 AND h.period = $4 AND h.state = 'held'
  AND l.state IN ('draft', 'ready', 'needs_reapproval') ORDER BY h.line_id;

-- name: CeilingHolds :many
SELECT h.* FROM hold h JOIN budget b ON b.id = h.budget_id
WHERE b.plan_id IS NOT NULL AND h.state IN ('held', 'spent') ORDER BY h.line_id;

-- name: AllHolds :many
SELECT * FROM hold ORDER BY line_id, budget_id;
