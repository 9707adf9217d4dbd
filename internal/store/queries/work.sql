-- name: InsertBegun :execrows
-- Who begins a plan that is begun already changes nothing.
INSERT INTO begun (plan_id, person, at, how)
SELECT p.id, CAST(sqlc.arg(person) AS TEXT), CAST(sqlc.arg(at) AS BIGINT), CAST(sqlc.arg(how) AS TEXT) FROM plan p
WHERE p.id = sqlc.arg(plan_id) AND p.state = 'approved' AND p.approval_expires_at > CAST(sqlc.arg(at) AS BIGINT)
ON CONFLICT (plan_id) DO NOTHING;

-- name: BeginLines :execrows
-- Nobody is told that nothing works on a line before somebody is to work on it.
UPDATE line SET begun = 1, must_leave_by = CASE WHEN state = 'ready' AND must_leave_by < sqlc.arg(must_leave_by) THEN sqlc.arg(must_leave_by) ELSE must_leave_by END
WHERE plan_id = sqlc.arg(plan_id) AND begun = 0 AND state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'needs_review', 'recovery');

-- name: GetBegun :one
SELECT * FROM begun WHERE plan_id = $1;

-- name: ListBegun :many
SELECT * FROM begun ORDER BY at, plan_id;

-- name: DueLines :many
-- The first condition is that of the index line_due, word for word: those that may have
-- been bought, and what was begun.
SELECT id, plan_id, state, look_at, provider, account, region, service FROM line
WHERE CASE WHEN state IN ('armed', 'queued', 'recovery') THEN 1 WHEN state IN ('ready', 'needs_reapproval') THEN begun ELSE 0 END = 1
  AND look_at <= sqlc.arg(now)
  AND NOT EXISTS (SELECT 1 FROM claim c WHERE c.line_id = line.id AND c.until > sqlc.arg(now) AND c.worker <> sqlc.arg(worker))
  AND (look_at, id) > (CAST(sqlc.arg(after_at) AS BIGINT), CAST(sqlc.arg(after_id) AS TEXT))
ORDER BY look_at, id LIMIT sqlc.arg(most);

-- name: LookUnanswered :execrows
-- A process that died between arming and the answer says nothing about it: whoever
-- starts looks at once at what it has left.
UPDATE line SET look_at = sqlc.arg(now) WHERE state = 'armed' AND look_at > sqlc.arg(now)
  AND EXISTS (SELECT 1 FROM attempt a WHERE a.line_id = line.id AND a.state = 'armed');

-- name: ClaimLines :many
-- Of PostgreSQL only. The ids are separated by commas.
INSERT INTO claim (line_id, worker, until)
SELECT id, CAST(sqlc.arg(worker) AS TEXT), CAST(sqlc.arg(until) AS BIGINT) FROM unnest(string_to_array(CAST(sqlc.arg(line_ids) AS TEXT), ',')) AS ids (id)
ON CONFLICT (line_id) DO UPDATE SET worker = excluded.worker, until = excluded.until
WHERE claim.until <= CAST(sqlc.arg(now) AS BIGINT) OR claim.worker = excluded.worker
RETURNING line_id;

-- name: ReleaseClaims :execrows
UPDATE claim SET until = 0 WHERE worker = $1 AND until > 0;
