-- name: CreateInstallation :exec
INSERT INTO installation (id, install, incarnation, state, created_at) VALUES (1, $1, 1, 'purchasing', $2);

-- name: GetInstallation :one
SELECT * FROM installation WHERE id = 1;

-- name: InsertPlan :exec
INSERT INTO plan (id, lineage, version, name, requester, requester_key, created_at, tolerance_bp, all_or_nothing, currency, upfront, hourly, total,
  digest, approvals_needed, self_approval, approvers, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 'proposed');

-- name: GetPlan :one
SELECT * FROM plan WHERE id = $1;

-- name: ListPlans :many
SELECT * FROM plan ORDER BY id DESC;

-- name: PlansOfLineage :many
SELECT * FROM plan WHERE lineage = $1 ORDER BY version;

-- name: PlanIDs :many
SELECT id FROM plan WHERE id LIKE $1 ORDER BY id LIMIT 3;

-- name: ApprovePlan :execrows
-- The newest version that nobody rejected, by as many people as it needs, none of
-- whom said no.
UPDATE plan SET state = 'approved', approval_expires_at = $1
WHERE plan.id = $2 AND plan.digest = $3 AND plan.state = 'proposed'
  AND approvals_needed <= (SELECT count(*) FROM decision d WHERE d.plan_id = plan.id AND d.digest = plan.digest AND d.approve = 1)
  AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.plan_id = plan.id AND d.approve = 0)
  AND NOT EXISTS (SELECT 1 FROM plan n WHERE n.lineage = plan.lineage AND n.version > plan.version AND n.state <> 'rejected');

-- name: RejectPlan :execrows
UPDATE plan SET state = 'rejected' WHERE id = $1 AND digest = $2 AND state = 'proposed';

-- name: InsertDecision :exec
INSERT INTO decision (id, plan_id, digest, person, person_key, approve, at, comment) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: ListDecisions :many
SELECT * FROM decision WHERE plan_id = $1 ORDER BY id;
