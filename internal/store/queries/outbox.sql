-- name: InsertMessage :execrows
INSERT INTO outbox (id, kind, plan_id, line_id, about, due_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (id) DO NOTHING;

-- name: GetMessage :one
SELECT * FROM outbox WHERE id = $1;

-- name: UnroutedMessages :many
SELECT * FROM outbox WHERE routed_at = 0 ORDER BY created_at, id LIMIT sqlc.arg(most);

-- name: NewestMessages :many
SELECT * FROM outbox ORDER BY created_at DESC, id DESC LIMIT sqlc.arg(most);

-- name: RouteMessage :execrows
-- One process routes a message.
UPDATE outbox SET routed_at = $1, told_by = $2, document = $3 WHERE id = $4 AND routed_at = 0;

-- name: MatterStands :one
-- Whether what a message tells is still so; what has happened stays so.
SELECT CAST(CASE o.kind
  WHEN 'waiting_for_approval' THEN CASE WHEN o.line_id = ''
    THEN (SELECT count(*) FROM plan p WHERE p.id = o.plan_id AND p.state = 'proposed')
    ELSE (SELECT count(*) FROM undo u WHERE u.id = o.about AND u.state = 'requested') END
  WHEN 'will_buy' THEN CASE WHEN o.due_at <= sqlc.arg(now) THEN 0 WHEN o.line_id = ''
    THEN (SELECT count(*) FROM plan_schedule s WHERE s.id = o.about AND s.state = 'waiting')
    ELSE (SELECT count(*) FROM line l WHERE l.id = o.line_id AND l.state = 'queued') END
  WHEN 'in_doubt' THEN (SELECT count(*) FROM line l WHERE l.id = o.line_id AND l.state = 'armed')
  WHEN 'needs_decision' THEN (SELECT count(*) FROM line l WHERE l.id = o.line_id AND l.state IN ('needs_review', 'needs_reapproval'))
  WHEN 'finding' THEN (SELECT count(*) FROM finding f WHERE f.id = o.about AND f.closed_at = 0)
  WHEN 'overdue' THEN (SELECT count(*) FROM notice n WHERE n.id = o.about AND n.closed_at = 0)
  WHEN 'payment_pending' THEN (SELECT count(*) FROM watch w WHERE w.line_id = o.line_id AND w.state = '')
  WHEN 'expiry' THEN (SELECT count(*) FROM watch w WHERE w.line_id = o.line_id AND w.next_at > 0)
  WHEN 'return_window' THEN CASE WHEN o.due_at <= sqlc.arg(now) THEN 0
    ELSE (SELECT count(*) FROM watch w WHERE w.line_id = o.line_id AND w.next_at > 0) END
  ELSE 1 END AS BIGINT) AS stands
FROM outbox o WHERE o.id = sqlc.arg(id);

-- name: InsertDelivery :exec
INSERT INTO delivery (message_id, channel, recipient, state, next_at, last_at, ended_at, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: DueDeliveries :many
SELECT d.message_id, d.channel, d.recipient, d.tries, d.last_at, d.detail, o.kind, o.document
FROM delivery d JOIN outbox o ON o.id = d.message_id
WHERE d.state = 'waiting' AND d.next_at <= sqlc.arg(now) ORDER BY d.next_at, d.message_id, d.channel, d.recipient LIMIT sqlc.arg(most);

-- name: ClaimDelivery :execrows
-- One process tries at a time; what it leaves behind when it dies is due again.
UPDATE delivery SET tries = delivery.tries + 1, next_at = sqlc.arg(until)
WHERE message_id = sqlc.arg(message_id) AND channel = sqlc.arg(channel) AND recipient = sqlc.arg(recipient)
  AND state = 'waiting' AND tries = sqlc.arg(tries) AND next_at <= sqlc.arg(now);

-- name: PutOffDelivery :execrows
UPDATE delivery SET next_at = sqlc.arg(next_at), detail = sqlc.arg(detail)
WHERE message_id = sqlc.arg(message_id) AND channel = sqlc.arg(channel) AND recipient = sqlc.arg(recipient) AND state = 'waiting' AND tries = sqlc.arg(tries);

-- name: EndDelivery :execrows
UPDATE delivery SET state = sqlc.arg(to_state), ended_at = sqlc.arg(ended_at), detail = sqlc.arg(detail)
WHERE message_id = sqlc.arg(message_id) AND channel = sqlc.arg(channel) AND recipient = sqlc.arg(recipient) AND state = 'waiting' AND tries = sqlc.arg(tries);

-- name: MessageDeliveries :many
SELECT * FROM delivery WHERE message_id = $1 ORDER BY channel, recipient;

-- name: CountDeliveries :one
SELECT count(*) FROM delivery WHERE state = $1 AND ended_at >= $2;

-- name: SetMute :exec
INSERT INTO mute (person_key, kind, person, until, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (person_key, kind) DO UPDATE SET person = excluded.person, until = excluded.until, at = excluded.at;

-- name: ListMutes :many
SELECT * FROM mute WHERE until > $1 ORDER BY person_key, kind;

-- name: UnansweredAttempts :many
-- Of these nobody who has sent them says what came of it.
SELECT a.line_id, a.n, a.answer_by, l.plan_id FROM attempt a JOIN line l ON l.id = a.line_id
WHERE a.state = 'armed' AND l.state = 'armed' AND a.answer_by <= sqlc.arg(before) AND a.answer_by > sqlc.arg(after) ORDER BY a.answer_by, a.line_id;

-- name: QueuedOrders :many
SELECT a.line_id, a.n, a.fire_at, l.plan_id FROM line l JOIN attempt a ON a.line_id = l.id AND a.n = l.armed
WHERE l.state = 'queued' AND a.fire_at > sqlc.arg(after) AND a.fire_at <= sqlc.arg(before) ORDER BY a.fire_at, a.line_id;

-- name: SchedulesBefore :many
SELECT * FROM plan_schedule WHERE state = 'waiting' AND at <= sqlc.arg(before) AND at > sqlc.arg(after) ORDER BY at, id;
