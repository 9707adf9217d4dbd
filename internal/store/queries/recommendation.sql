-- name: InsertRecommendation :exec
INSERT INTO recommendation (line_id, name, etag, next_at) VALUES ($1, $2, $3, $4);

-- name: DueRecommendations :many
-- Those that there is something to say of: that they are carried out, from when their plan
-- is begun, and what came of it. Of what another version of
-- the plan carries out that one tells.
SELECT sqlc.embed(r), l.state, p.lineage FROM recommendation r JOIN line l ON l.id = r.line_id JOIN plan p ON p.id = l.plan_id
WHERE r.next_at > 0 AND r.next_at <= sqlc.arg(now) AND (
  r.mark = '' AND l.state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'needs_review', 'recovery', 'purchased', 'failed')
    AND EXISTS (SELECT 1 FROM begun b WHERE b.plan_id = l.plan_id)
  OR r.mark = 'CLAIMED' AND l.state IN ('purchased', 'failed', 'canceled', 'expired'))
ORDER BY r.next_at, r.line_id LIMIT sqlc.arg(most);

-- name: TakeRecommendation :execrows
-- One process tries at a time; what it leaves behind when it dies is due again.
UPDATE recommendation SET tries = recommendation.tries + 1, next_at = sqlc.arg(until)
WHERE line_id = sqlc.arg(line_id) AND tries = sqlc.arg(tries) AND next_at > 0 AND next_at <= sqlc.arg(now);

-- name: MarkRecommendation :execrows
UPDATE recommendation SET mark = sqlc.arg(to_mark), marked_at = sqlc.arg(now), next_at = sqlc.arg(next_at), detail = ''
WHERE line_id = sqlc.arg(line_id) AND mark = sqlc.arg(from_mark) AND tries = sqlc.arg(tries) AND next_at > 0;

-- name: PutOffRecommendation :execrows
UPDATE recommendation SET next_at = sqlc.arg(next_at), detail = sqlc.arg(detail)
WHERE line_id = sqlc.arg(line_id) AND tries = sqlc.arg(tries) AND next_at > 0;

-- name: PlanRecommendations :many
SELECT sqlc.embed(r) FROM recommendation r JOIN line l ON l.id = r.line_id WHERE l.plan_id = $1 ORDER BY l.number;

-- name: LineRecommendation :many
SELECT * FROM recommendation WHERE line_id = $1;
