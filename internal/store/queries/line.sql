-- name: InsertLine :exec
INSERT INTO line (id, plan_id, number, provider, service, account, region, class, spec, currency, total,
  state, generation, armed, version, cancel_requested, reason, must_leave_by, look_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'draft', 1, 0, 0, 0, '', 0, 0, $12);

-- name: OpenLines :execrows
UPDATE line SET state = 'ready', look_at = $1, must_leave_by = $2, updated_at = $1
WHERE plan_id = $3 AND state = 'draft';

-- name: CancelDraftLines :execrows
UPDATE line SET state = 'canceled', reason = $1, updated_at = $2
WHERE plan_id = $3 AND state = 'draft';

-- name: RequestCancel :execrows
UPDATE line SET cancel_requested = 1, look_at = $1, updated_at = $1
WHERE id = $2 AND state IN ('ready', 'armed', 'queued', 'needs_reapproval') AND cancel_requested = 0;

-- name: GetLine :one
SELECT * FROM line WHERE id = $1;

-- name: RowWithAttempts :many
-- A line with what it depends on, all of one moment, once for each attempt.
SELECT sqlc.embed(l), sqlc.embed(p), sqlc.embed(i), sqlc.embed(a)
FROM line l JOIN plan p ON p.id = l.plan_id JOIN installation i ON i.id = 1 JOIN attempt a ON a.line_id = l.id
WHERE l.id = $1 ORDER BY a.n;

-- name: RowWithoutAttempts :one
SELECT sqlc.embed(l), sqlc.embed(p), sqlc.embed(i)
FROM line l JOIN plan p ON p.id = l.plan_id JOIN installation i ON i.id = 1
WHERE l.id = $1 AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.line_id = l.id);

-- name: ListLines :many
SELECT * FROM line WHERE plan_id = $1 ORDER BY number;

-- name: AllLines :many
SELECT * FROM line ORDER BY plan_id, number;

-- name: LineIDs :many
SELECT id FROM line WHERE id LIKE $1 ORDER BY id LIMIT 3;

-- name: WorkableLines :many
SELECT id, plan_id, state, look_at, provider, account, region, service FROM line
WHERE state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'recovery')
  AND look_at <= sqlc.arg(now) AND (look_at, id) > (CAST(sqlc.arg(after_at) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
ORDER BY look_at, id LIMIT sqlc.arg(most);

-- name: WorkableLinesOfPlan :many
SELECT id, plan_id, state, look_at, provider, account, region, service FROM line
WHERE plan_id = sqlc.arg(plan_id) AND state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'recovery')
  AND look_at <= sqlc.arg(now) AND (look_at, id) > (CAST(sqlc.arg(after_at) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
ORDER BY look_at, id LIMIT sqlc.arg(most);

-- name: WaitingLines :many
-- One line that becomes due by itself. A needs_reapproval waits for people.
SELECT id FROM line
WHERE state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'recovery') AND look_at > sqlc.arg(now) AND state <> 'needs_reapproval'
ORDER BY look_at LIMIT 1;

-- name: WaitingLinesOfPlan :many
SELECT id FROM line
WHERE plan_id = sqlc.arg(plan_id) AND state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'recovery') AND look_at > sqlc.arg(now)
  AND state <> 'needs_reapproval'
ORDER BY look_at LIMIT 1;

-- name: MoveLine :execrows
UPDATE line SET state = sqlc.arg(to_state), generation = $1, reason = $2, must_leave_by = $3, look_at = $4, updated_at = $5,
  listing_digest = $9, listing_at = $10, version = line.version + 1
WHERE line.id = $6 AND line.state = sqlc.arg(from_state) AND line.version = $7 AND cancel_requested = $8
  AND EXISTS (SELECT 1 FROM installation i WHERE i.id = 1 AND i.incarnation = sqlc.arg(incarnation));

-- name: ArmLine :execrows
UPDATE line SET state = 'armed', armed = armed + 1, version = line.version + 1, reason = '', must_leave_by = $1, look_at = $2, updated_at = $3
WHERE line.id = $4 AND line.state = sqlc.arg(from_state) AND line.version = $6 AND line.generation = $5 AND line.cancel_requested = 0
  AND EXISTS (SELECT 1 FROM plan p WHERE p.id = line.plan_id AND p.state = 'approved' AND p.approval_expires_at > $3)
  AND EXISTS (SELECT 1 FROM installation i WHERE i.id = 1 AND i.state = 'purchasing' AND i.incarnation = sqlc.arg(incarnation))
  AND EXISTS (SELECT 1 FROM hold h WHERE h.line_id = line.id)
  AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.line_id = line.id AND h.state <> 'held')
  -- Without an identity a lane is kept until nothing of it is in doubt, with a person too.
  AND (line.class NOT IN ('C', 'AC') OR NOT EXISTS (SELECT 1 FROM line o WHERE o.class IN ('C', 'AC') AND o.state IN ('armed', 'needs_review', 'recovery') AND o.id <> line.id
    AND o.provider = line.provider AND o.account = line.account AND o.region = line.region AND o.service = line.service));

-- name: LaneHolder :one
SELECT look_at, must_leave_by FROM line
WHERE provider = $1 AND account = $2 AND region = $3 AND service = $4 AND state IN ('armed', 'needs_review', 'recovery') AND class IN ('C', 'AC') AND id <> $5
ORDER BY state LIMIT 1;

-- name: LookNow :execrows
UPDATE line SET look_at = $1 WHERE state IN ('ready', 'armed') AND look_at > $1;

-- name: StatesBeside :many
SELECT state FROM line WHERE plan_id = $1 AND id <> $2;

-- name: CallOffBeside :exec
-- The first line of an all-or-nothing plan that ends without a purchase makes all
-- others due, and void what was decided on them before.
UPDATE line SET look_at = $1, updated_at = $1, version = line.version + 1
WHERE line.id <> $2 AND line.plan_id = (SELECT l.plan_id FROM line l WHERE l.id = $2)
  AND line.state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'recovery')
  AND EXISTS (SELECT 1 FROM plan p WHERE p.id = line.plan_id AND p.all_or_nothing = 1)
  AND NOT EXISTS (SELECT 1 FROM line f WHERE f.plan_id = line.plan_id AND f.id <> $2 AND f.state IN ('failed', 'canceled', 'expired'));
