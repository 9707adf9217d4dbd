-- name: HoldPlan :execrows
-- Changes nothing, and makes another decision on the plan wait for this one.
UPDATE plan SET state = state WHERE id = $1 AND digest = $2 AND state = 'proposed';

-- name: CountApprovals :one
SELECT count(*) FROM decision WHERE plan_id = $1 AND digest = $2 AND approve = 1;

-- name: CountNewerVersions :one
SELECT count(*) FROM plan WHERE lineage = $1 AND version > $2 AND state <> 'rejected';

-- name: VersionsOf :many
SELECT * FROM plan WHERE lineage = $1 ORDER BY version;

-- name: SupersedePlan :execrows
UPDATE plan SET state = 'superseded' WHERE id = $1 AND state IN ('proposed', 'approved');

-- name: SupersedeLines :many
UPDATE line SET state = 'superseded', version = line.version + 1, reason = $1, must_leave_by = 0, look_at = 0, updated_at = $2
WHERE plan_id = $3 AND state IN ('draft', 'ready', 'needs_reapproval')
RETURNING id;

-- name: DecideLine :execrows
-- MoveLine by a person's decision instead of evidence.
UPDATE line SET state = sqlc.arg(to_state), generation = $1, reason = $2, must_leave_by = $3, look_at = $4, updated_at = $5,
  listing_digest = $9, listing_at = $10, version = line.version + 1, decided_by = $11
WHERE line.id = $6 AND line.state = 'needs_review' AND line.version = $7 AND cancel_requested = $8
  AND EXISTS (SELECT 1 FROM installation i WHERE i.id = 1 AND i.incarnation = sqlc.arg(incarnation));

-- name: SetInstallationState :execrows
UPDATE installation SET state = sqlc.arg(to_state) WHERE id = 1 AND state = sqlc.arg(from_state);

-- name: GoOnElsewhere :execrows
UPDATE installation SET copied_to = $1, state = CASE state WHEN 'purchasing' THEN 'stopped' ELSE state END WHERE id = 1 AND copied_to = '';

-- name: InsertInstallationEvent :exec
INSERT INTO installation_event (id, state, person, at, comment) VALUES ($1, $2, $3, $4, $5);

-- name: LastInstallationEvent :one
SELECT * FROM installation_event ORDER BY at DESC, id DESC LIMIT 1;
