-- name: LearnPace :exec
INSERT INTO lane_pace (provider, account, region, service, most, until, cause, at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 1)
ON CONFLICT (provider, account, region, service) DO UPDATE SET most = excluded.most, at = excluded.at, version = lane_pace.version + 1,
  cause = CASE WHEN excluded.until >= lane_pace.until THEN excluded.cause ELSE lane_pace.cause END,
  until = CASE WHEN excluded.until >= lane_pace.until THEN excluded.until ELSE lane_pace.until END;

-- name: ListPaces :many
SELECT * FROM lane_pace WHERE at > sqlc.arg(since) OR until > sqlc.arg(now);

-- name: UnderWay :many
-- Attempts that a process is still waiting for, by lane. The states are looked up in the
-- index of line_page_in_state.
SELECT l.provider, l.account, l.region, l.service, count(*) AS n FROM line l JOIN attempt a ON a.line_id = l.id
WHERE (l.state || '') IN ('armed', 'needs_review', 'recovery') AND a.state = 'armed' AND a.answer_by > sqlc.arg(now)
GROUP BY l.provider, l.account, l.region, l.service;
