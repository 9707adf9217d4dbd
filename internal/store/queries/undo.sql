-- name: InsertUndo :exec
INSERT INTO undo (id, line_id, commitment_id, digest, token, requester, requester_key, requested_at, comment, approvals_needed,
  self_approval, approvers, until, state, tries, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'requested', 0, $8);

-- name: GetUndo :one
SELECT * FROM undo WHERE id = $1;

-- name: LineUndos :many
SELECT * FROM undo WHERE line_id = $1 ORDER BY id;

-- name: AllUndos :many
SELECT * FROM undo ORDER BY id;

-- name: SentUndos :many
SELECT u.* FROM undo u WHERE u.state = 'sent' ORDER BY u.id;

-- name: HoldUndo :execrows
-- Changes nothing, and makes another decision on the undo wait for this one.
UPDATE undo SET state = state WHERE id = $1 AND digest = $2 AND state IN ('requested', 'approved');

-- name: InsertUndoDecision :exec
INSERT INTO undo_decision (id, undo_id, digest, person, person_key, approve, at, comment) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: ListUndoDecisions :many
SELECT * FROM undo_decision WHERE undo_id = $1 ORDER BY id;

-- name: AllUndoDecisions :many
SELECT * FROM undo_decision ORDER BY id;

-- name: CountUndoApprovals :one
SELECT count(*) FROM undo_decision WHERE undo_id = $1 AND digest = $2 AND approve = 1;

-- name: SendUndo :execrows
UPDATE undo SET state = 'sent', tries = tries + 1, deadline = sqlc.arg(deadline), settled_at = sqlc.arg(settled_at), outcome = '',
  detail = '', updated_at = sqlc.arg(now)
WHERE id = sqlc.arg(id) AND state = 'approved' AND tries = sqlc.arg(tries) AND until > sqlc.arg(now);

-- name: MoveUndo :execrows
UPDATE undo SET state = sqlc.arg(to_state), outcome = sqlc.arg(outcome), detail = sqlc.arg(detail), updated_at = sqlc.arg(now)
WHERE id = sqlc.arg(id) AND state = sqlc.arg(from_state) AND tries = sqlc.arg(tries);

-- name: ReturnHold :one
UPDATE hold SET state = 'returned', ended_at = $1 WHERE line_id = $2 AND budget_id = $3 AND state = 'spent' RETURNING period, amount;
