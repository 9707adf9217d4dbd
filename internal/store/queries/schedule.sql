-- name: SyncSchedule :exec
INSERT INTO schedule (task, every, next_at) VALUES ($1, $2, $3)
ON CONFLICT (task) DO UPDATE SET every = excluded.every, next_at = CASE WHEN schedule.next_at > excluded.next_at THEN excluded.next_at ELSE schedule.next_at END
WHERE schedule.every <> excluded.every;

-- name: ListSchedules :many
SELECT * FROM schedule ORDER BY task;

-- name: TakeTick :execrows
-- One process takes each tick: that is due, or whose holder is dead.
UPDATE schedule SET next_at = sqlc.arg(next_at), holder = sqlc.arg(holder), held_until = sqlc.arg(held_until), version = schedule.version + 1
WHERE task = sqlc.arg(task) AND schedule.version = sqlc.arg(version) AND every > 0
  AND (holder = '' AND next_at <= sqlc.arg(now) OR holder <> '' AND held_until <= sqlc.arg(now));

-- name: TakeTickNow :execrows
-- A person does not wait for the time; whoever held the row no longer does.
UPDATE schedule SET next_at = sqlc.arg(next_at), holder = sqlc.arg(holder), held_until = sqlc.arg(held_until), version = schedule.version + 1
WHERE task = sqlc.arg(task) AND schedule.version = sqlc.arg(version);

-- name: KeepTick :execrows
UPDATE schedule SET held_until = $1 WHERE task = $2 AND version = $3 AND holder <> '';

-- name: EndTick :execrows
UPDATE schedule SET holder = '', held_until = 0, last_at = $1, last_took = $2, outcome = $3, detail = $4
WHERE task = $5 AND version = $6 AND holder <> '';

-- name: InsertPlanSchedule :execrows
INSERT INTO plan_schedule (id, plan_id, at, person, made_at, state)
SELECT CAST(sqlc.arg(id) AS TEXT), p.id, CAST(sqlc.arg(at) AS BIGINT), CAST(sqlc.arg(person) AS TEXT), CAST(sqlc.arg(made_at) AS BIGINT), 'waiting' FROM plan p
WHERE p.id = sqlc.arg(plan_id) AND p.state = 'approved' AND p.approval_expires_at > CAST(sqlc.arg(at) AS BIGINT)
  AND NOT EXISTS (SELECT 1 FROM begun b WHERE b.plan_id = p.id);

-- name: PutOffReady :exec
-- Nobody is told that nothing works on a line before the plan's time.
UPDATE line SET must_leave_by = sqlc.arg(must_leave_by)
WHERE plan_id = sqlc.arg(plan_id) AND state = 'ready' AND begun = 0 AND must_leave_by < sqlc.arg(must_leave_by);

-- name: EndPlanSchedule :execrows
UPDATE plan_schedule SET state = sqlc.arg(to_state), ended_at = $1, ended_by = $2, detail = $3 WHERE id = $4 AND state = 'waiting';

-- name: PlanScheduleIDs :many
SELECT id FROM plan_schedule WHERE id LIKE $1 ORDER BY id LIMIT 3;

-- name: ListPlanSchedules :many
SELECT * FROM plan_schedule ORDER BY at, id;

-- name: DuePlanSchedules :many
SELECT * FROM plan_schedule WHERE state = 'waiting' AND at <= $1 ORDER BY at, id;

-- name: LapsedLines :many
-- Lines that wait for nothing but to be told that their approval is over.
SELECT l.id, l.plan_id, l.state, l.look_at, l.provider, l.account, l.region, l.service FROM plan p JOIN line l ON l.plan_id = p.id
WHERE p.state = 'approved' AND p.approval_expires_at <= sqlc.arg(now) AND l.state IN ('ready', 'needs_reapproval') AND l.look_at <= sqlc.arg(now)
ORDER BY l.id;

-- name: LookOverdue :execrows
UPDATE line SET look_at = sqlc.arg(now) WHERE must_leave_by <= sqlc.arg(now) AND look_at > sqlc.arg(now) AND state IN ('armed', 'queued', 'recovery');

-- name: OverdueLines :many
-- A line of a plan that nobody has begun waits for that.
SELECT id, state, must_leave_by FROM line
WHERE state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'needs_review', 'recovery') AND must_leave_by <= sqlc.arg(now)
  AND (state <> 'ready' OR begun = 1)
ORDER BY must_leave_by, id;

-- name: CloseNotices :execrows
UPDATE notice SET closed_at = sqlc.arg(now) WHERE closed_at = 0 AND NOT EXISTS (
  SELECT 1 FROM line l WHERE l.id = notice.line_id AND l.state = notice.state AND l.must_leave_by = notice.must_leave_by);

-- name: RaiseNotice :one
INSERT INTO notice (id, line_id, state, must_leave_by, raised_at, seen_at)
VALUES (sqlc.arg(id), sqlc.arg(line_id), sqlc.arg(state), sqlc.arg(must_leave_by), sqlc.arg(now), sqlc.arg(now))
ON CONFLICT (line_id) WHERE closed_at = 0 DO UPDATE SET seen_at = excluded.seen_at
RETURNING raised_at;

-- name: CountOpenNotices :one
SELECT count(*) FROM notice WHERE closed_at = 0;

-- name: LineNotices :many
SELECT * FROM notice WHERE line_id = $1 ORDER BY id;

-- name: CountStates :many
SELECT state, begun, count(*) AS n FROM line WHERE state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'needs_review', 'recovery') GROUP BY state, begun;
