-- name: PlansBefore :many
SELECT * FROM plan WHERE id < sqlc.arg(before) ORDER BY id DESC LIMIT sqlc.arg(most);

-- name: PlansBeforeInState :many
SELECT * FROM plan WHERE state = sqlc.arg(state) AND id < sqlc.arg(before) ORDER BY id DESC LIMIT sqlc.arg(most);

-- name: CountPlans :many
SELECT state, count(*) AS n FROM plan GROUP BY state;

-- name: LinesAfterInPlan :many
SELECT * FROM line WHERE plan_id = sqlc.arg(plan_id) AND number > sqlc.arg(after)
  AND (CAST(sqlc.arg(state) AS TEXT) = '' OR state = CAST(sqlc.arg(state) AS TEXT))
  AND (CAST(sqlc.arg(account) AS TEXT) = '' OR account = CAST(sqlc.arg(account) AS TEXT))
ORDER BY number LIMIT sqlc.arg(most);

-- name: LinesBefore :many
SELECT * FROM line WHERE plan_id < sqlc.arg(before) ORDER BY plan_id DESC, number LIMIT sqlc.arg(most);

-- name: LinesBeforeInState :many
SELECT * FROM line WHERE state || '' = sqlc.arg(state) AND plan_id < sqlc.arg(before)
  AND (CAST(sqlc.arg(account) AS TEXT) = '' OR account = CAST(sqlc.arg(account) AS TEXT))
ORDER BY plan_id DESC, number LIMIT sqlc.arg(most);

-- name: LinesBeforeOfAccount :many
SELECT * FROM line WHERE account = sqlc.arg(account) AND plan_id < sqlc.arg(before)
ORDER BY plan_id DESC, number LIMIT sqlc.arg(most);

-- name: SumLines :many
-- From the index line_sums alone.
SELECT state, account, currency, total, count(*) AS n FROM line GROUP BY account, state, currency, total;

-- name: SumLinesOfPlan :many
-- From the index line_page alone.
SELECT state, account, currency, total, count(*) AS n FROM line WHERE plan_id = $1 GROUP BY state, account, currency, total;

-- name: OldestInState :many
SELECT updated_at FROM line WHERE state || '' = sqlc.arg(state) ORDER BY updated_at LIMIT 1;

-- name: GetReceipt :many
SELECT * FROM receipt WHERE line_id = $1;

-- name: LineVersions :many
SELECT id, version, state, updated_at FROM line WHERE plan_id = $1 ORDER BY number;
