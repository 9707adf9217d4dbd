-- name: InsertAttempt :exec
INSERT INTO attempt (line_id, n, generation, nonce, protocol, account, region, identity, intent, intent_sha256,
  credential, armed_at, answer_by, deadline, settled_at, fire_at, before_ids, state, outcome, code, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 'armed', '', '', 0);

-- name: MoveAttempt :execrows
UPDATE attempt SET state = $1, outcome = $2, code = $3, ended_at = $4,
  handle = CASE WHEN CAST(sqlc.arg(new_handle) AS TEXT) = '' THEN handle ELSE CAST(sqlc.arg(new_handle) AS TEXT) END
WHERE line_id = $5 AND n = $6 AND state IN ('armed', 'in_doubt', 'accepted');

-- name: ListAttempts :many
SELECT * FROM attempt WHERE line_id = $1 ORDER BY n;

-- name: AllAttempts :many
SELECT * FROM attempt ORDER BY line_id, n;

-- name: CountNonce :one
SELECT count(*) FROM attempt WHERE line_id = $1 AND nonce = $2;

-- name: InsertEvidence :exec
INSERT INTO evidence (id, line_id, n, kind, outcome, operation, started, cloud_time, request_id, status, code, detail, commitment, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14);

-- name: ListEvidence :many
SELECT * FROM evidence WHERE line_id = $1 ORDER BY id;

-- name: AllEvidence :many
SELECT * FROM evidence ORDER BY line_id, id;

-- name: InsertReceipt :exec
INSERT INTO receipt (line_id, n, provider, account, region, service, commitment_id, commitment, how, heuristic, at, ends_at, term_months, currency, total)
SELECT l.id, CAST(sqlc.narg(n) AS BIGINT), CAST(sqlc.arg(provider) AS TEXT), CAST(sqlc.arg(account) AS TEXT), CAST(sqlc.arg(region) AS TEXT),
  CAST(sqlc.arg(service) AS TEXT), CAST(sqlc.arg(commitment_id) AS TEXT), CAST(sqlc.arg(commitment) AS TEXT), CAST(sqlc.arg(how) AS TEXT),
  CAST(sqlc.arg(heuristic) AS BIGINT), CAST(sqlc.arg(at) AS BIGINT), CAST(sqlc.arg(ends_at) AS BIGINT), CAST(sqlc.arg(term_months) AS BIGINT), l.currency, l.total
FROM line l WHERE l.id = sqlc.arg(line_id);

-- name: AllReceipts :many
SELECT * FROM receipt ORDER BY at, line_id;

-- name: ReceiptsInLane :many
SELECT commitment_id FROM receipt
WHERE provider = $1 AND account = $2 AND region = $3 AND service = $4 ORDER BY commitment_id;
