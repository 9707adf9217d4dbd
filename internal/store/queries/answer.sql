-- name: TakeAnswer :execrows
-- One that nobody has taken, or whose time is over.
INSERT INTO answer (principal, key, route, body_sha256, token, state, until)
VALUES (sqlc.arg(principal), sqlc.arg(key), sqlc.arg(route), sqlc.arg(body_sha256), sqlc.arg(token), 'under_way', sqlc.arg(until))
ON CONFLICT (principal, key) DO UPDATE SET route = excluded.route, body_sha256 = excluded.body_sha256, token = excluded.token,
  state = 'under_way', status = 0, media_type = '', etag = '', body = '', until = excluded.until
WHERE answer.until <= CAST(sqlc.arg(now) AS BIGINT);

-- name: GetAnswer :one
SELECT * FROM answer WHERE principal = $1 AND key = $2;

-- name: KeepAnswer :execrows
UPDATE answer SET state = 'done', status = sqlc.arg(status), media_type = sqlc.arg(media_type), etag = sqlc.arg(etag), body = sqlc.arg(body), until = sqlc.arg(until)
WHERE principal = sqlc.arg(principal) AND key = sqlc.arg(key) AND token = sqlc.arg(token) AND state = 'under_way';

-- name: DropAnswer :execrows
DELETE FROM answer WHERE principal = $1 AND key = $2 AND token = $3 AND state = 'under_way';

-- name: ForgetAnswers :execrows
DELETE FROM answer WHERE until <= $1;
