-- name: CreateInstallation :exec
INSERT INTO installation (id, install, incarnation, state, created_at) VALUES (1, $1, 1, 'purchasing', $2);

-- name: GetInstallation :one
SELECT * FROM installation WHERE id = 1;

-- name: InsertPlan :exec
INSERT INTO plan (id, lineage, version, name, requester, created_at, tolerance_bp, currency, upfront, hourly, total, digest, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'proposed');

-- name: GetPlan :one
SELECT * FROM plan WHERE id = $1;

-- name: ListPlans :many
SELECT * FROM plan ORDER BY id DESC;

-- name: PlanIDs :many
SELECT id FROM plan WHERE id LIKE $1 ORDER BY id LIMIT 3;

-- name: ApprovePlan :execrows
UPDATE plan SET state = 'approved', approval_expires_at = $1
WHERE id = $2 AND digest = $3 AND state = 'proposed';

-- name: RejectPlan :execrows
UPDATE plan SET state = 'rejected' WHERE id = $1 AND digest = $2 AND state = 'proposed';

-- name: InsertDecision :exec
INSERT INTO decision (id, plan_id, digest, person, approve, at, comment) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: ListDecisions :many
SELECT * FROM decision WHERE plan_id = $1 ORDER BY id;
