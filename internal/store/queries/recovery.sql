-- name: SetMark :exec
INSERT INTO mark (name, value, at) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at;

-- name: ListMarks :many
SELECT * FROM mark ORDER BY name;

-- name: BeginRecovery :execrows
-- Whoever begins another incarnation first wins. What was lost in an earlier
-- rollback that is not made good yet is still lost.
UPDATE installation SET state = 'recovery', incarnation = incarnation + 1, restored_at = sqlc.arg(now),
  backup_at = CASE WHEN state = 'recovery' AND backup_at < sqlc.arg(backup) THEN backup_at ELSE sqlc.arg(backup) END
WHERE id = 1 AND incarnation = sqlc.arg(incarnation);

-- name: RecoverLines :execrows
UPDATE line SET state = 'recovery', version = line.version + 1, reason = sqlc.arg(reason), must_leave_by = sqlc.arg(must_leave_by),
  look_at = sqlc.arg(now), updated_at = sqlc.arg(now)
WHERE state IN ('draft', 'ready', 'armed', 'queued', 'needs_reapproval', 'needs_review', 'recovery');

-- name: VoidApprovals :execrows
UPDATE plan SET approval_expires_at = sqlc.arg(now) WHERE state = 'approved' AND approval_expires_at > sqlc.arg(now);

-- name: VoidUndos :execrows
UPDATE undo SET state = 'expired', detail = sqlc.arg(detail), updated_at = sqlc.arg(now) WHERE state IN ('requested', 'approved');

-- name: EndRecovery :execrows
UPDATE installation SET state = sqlc.arg(to_state)
WHERE id = 1 AND state = 'recovery' AND incarnation = sqlc.arg(incarnation)
  AND NOT EXISTS (SELECT 1 FROM line l WHERE l.state = 'recovery')
  AND NOT EXISTS (SELECT 1 FROM finding f WHERE f.kind = 'unexplained' AND f.closed_at = 0);

-- name: NewestWrite :one
SELECT CAST(max(w.t) AS BIGINT) AS at FROM (
  SELECT created_at AS t FROM installation
  UNION ALL SELECT coalesce(max(created_at), 0) FROM plan
  UNION ALL SELECT coalesce(max(at), 0) FROM decision
  UNION ALL SELECT coalesce(max(updated_at), 0) FROM line
  UNION ALL SELECT coalesce(max(at), 0) FROM evidence
  UNION ALL SELECT coalesce(max(imported_at), 0) FROM lane
  UNION ALL SELECT coalesce(max(audited_at), 0) FROM lane
  UNION ALL SELECT coalesce(max(updated_at), 0) FROM undo
) AS w;

-- name: InsertRecoveryEvent :exec
INSERT INTO recovery_event (id, kind, incarnation, person, at, detail, comment) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: ListRecoveryEvents :many
SELECT * FROM recovery_event ORDER BY at, id;

-- name: CountRecoveryLines :one
SELECT count(*) AS lines, CAST(coalesce(max(look_at), 0) AS BIGINT) AS look_at FROM line WHERE state = 'recovery';

-- name: IntentDigest :one
SELECT intent_sha256 FROM attempt WHERE line_id = $1 AND n = $2;

-- name: InsertRegained :exec
INSERT INTO regained_item (id, provider, account, region, service, commitment_id, commitment, entry, person, comment, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: RegainedInLane :many
SELECT commitment_id FROM regained_item
WHERE provider = $1 AND account = $2 AND region = $3 AND service = $4 ORDER BY commitment_id;

-- name: AllRegained :many
SELECT * FROM regained_item ORDER BY at, id;
