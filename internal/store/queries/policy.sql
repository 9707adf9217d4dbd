-- name: InsertPlanPolicy :exec
INSERT INTO plan_policy (lineage, policy, file, sha256, tranche) VALUES ($1, $2, $3, $4, $5);

-- name: InsertPlanBlackout :exec
INSERT INTO plan_blackout (lineage, number, from_at, until_at, why, place) VALUES ($1, $2, $3, $4, $5, $6);

-- name: BlackoutsOfLine :many
SELECT b.* FROM line l JOIN plan p ON p.id = l.plan_id JOIN plan_blackout b ON b.lineage = p.lineage
WHERE l.id = $1 AND b.from_at <= sqlc.arg(latest) AND b.until_at > sqlc.arg(now)
ORDER BY b.until_at DESC, b.number;

-- name: BlackoutsOfPlan :many
SELECT * FROM plan_blackout WHERE lineage = $1 ORDER BY number;

-- name: ListPlanPolicies :many
SELECT * FROM plan_policy ORDER BY lineage;

-- name: ProposedOfPolicy :many
SELECT p.id FROM plan p JOIN plan_policy o ON o.lineage = p.lineage WHERE o.policy = $1 AND p.state = 'proposed' ORDER BY p.id;

-- name: OpenOfPolicy :many
SELECT p.id FROM plan p JOIN plan_policy o ON o.lineage = p.lineage
WHERE o.policy = $1 AND p.state <> 'proposed'
  AND EXISTS (SELECT 1 FROM line l WHERE l.plan_id = p.id AND l.state NOT IN ('purchased', 'failed', 'canceled', 'expired', 'superseded'))
ORDER BY p.id;

-- name: InsertExplanation :exec
INSERT INTO plan_explanation (plan_id, number, line, key, about, place, what, steps) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: ListExplanations :many
SELECT * FROM plan_explanation WHERE plan_id = $1 ORDER BY number;

-- name: AboutKey :many
SELECT about FROM plan_explanation WHERE key = $1 ORDER BY plan_id DESC, number LIMIT 1;

-- name: InsertVerdict :exec
INSERT INTO advice_verdict (id, key, about, verdict, until, reason, person, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: ListVerdicts :many
SELECT * FROM advice_verdict ORDER BY at, id;
