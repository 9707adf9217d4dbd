-- name: GetLane :one
SELECT * FROM lane WHERE provider = $1 AND account = $2 AND region = $3 AND service = $4;

-- name: ListLanes :many
SELECT * FROM lane ORDER BY provider, account, region, service;

-- name: AddLane :exec
INSERT INTO lane (provider, account, region, service) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING;

-- name: DeclareLane :execrows
UPDATE lane SET exclusive = $1 WHERE provider = $2 AND account = $3 AND region = $4 AND service = $5;

-- name: ImportLane :execrows
UPDATE lane SET imported_at = $1 WHERE provider = $2 AND account = $3 AND region = $4 AND service = $5 AND imported_at = 0;

-- name: AuditLane :execrows
UPDATE lane SET audited_at = $1 WHERE provider = $2 AND account = $3 AND region = $4 AND service = $5 AND audited_at <= $1;

-- name: InsertImported :exec
INSERT INTO imported_item (provider, account, region, service, commitment_id, commitment, at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: ImportedInLane :many
SELECT commitment_id FROM imported_item
WHERE provider = $1 AND account = $2 AND region = $3 AND service = $4 ORDER BY commitment_id;

-- name: AllImported :many
SELECT * FROM imported_item ORDER BY provider, account, region, service, commitment_id;

-- name: InsertPlanLane :exec
INSERT INTO plan_lane (plan_id, provider, account, region, service, ids, listed_at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: GetPlanLane :one
SELECT ids FROM plan_lane WHERE plan_id = $1 AND provider = $2 AND account = $3 AND region = $4 AND service = $5;

-- name: ReceiptRowsInLane :many
SELECT * FROM receipt
WHERE provider = $1 AND account = $2 AND region = $3 AND service = $4 ORDER BY at, line_id;

-- name: OpenAttemptsInLane :many
SELECT sqlc.embed(a), l.class FROM attempt a JOIN line l ON l.id = a.line_id
WHERE l.provider = $1 AND l.account = $2 AND l.region = $3 AND l.service = $4 AND a.state IN ('armed', 'in_doubt', 'accepted')
ORDER BY a.line_id, a.n;

-- name: LinesInLane :many
SELECT l.id, l.state, (SELECT count(*) FROM evidence e WHERE e.line_id = l.id AND e.kind = 'person' AND e.operation = 'not_bought') AS not_bought
FROM line l
WHERE l.provider = $1 AND l.account = $2 AND l.region = $3 AND l.service = $4 ORDER BY l.id;

-- name: InsertWatch :exec
INSERT INTO watch (line_id, next_at, stage, state) VALUES ($1, $2, 0, '');

-- name: ListWatches :many
SELECT w.*, r.provider, r.account, r.region, r.service, r.commitment_id
FROM watch w JOIN receipt r ON r.line_id = w.line_id ORDER BY w.next_at, w.line_id;

-- name: ArmWatch :execrows
UPDATE watch SET next_at = $1, stage = stage + 1, state = $2 WHERE line_id = $3;

-- name: InsertFact :exec
INSERT INTO fact (id, line_id, at, kind, detail, commitment) VALUES ($1, $2, $3, $4, $5, $6);

-- name: LastFact :one
SELECT * FROM fact WHERE line_id = $1 ORDER BY id DESC LIMIT 1;

-- name: ListFacts :many
SELECT * FROM fact WHERE line_id = $1 ORDER BY id;

-- name: OpenFindings :many
SELECT * FROM finding WHERE closed_at = 0 ORDER BY provider, account, region, service, first_seen, commitment_id, kind;

-- name: OpenFindingsInLane :many
SELECT * FROM finding
WHERE provider = $1 AND account = $2 AND region = $3 AND service = $4 AND closed_at = 0 ORDER BY id;

-- name: InsertFinding :exec
INSERT INTO finding (id, provider, account, region, service, commitment_id, kind, line_id, detail, commitment, first_seen, last_seen)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11);

-- name: SeeFinding :execrows
UPDATE finding SET last_seen = $1, detail = $2, commitment = $3, line_id = $4 WHERE id = $5 AND closed_at = 0;

-- name: CloseFinding :execrows
UPDATE finding SET closed_at = $1 WHERE id = $2 AND closed_at = 0;

-- name: UnexplainedSince :one
SELECT count(*) FROM finding
WHERE provider = $1 AND account = $2 AND region = $3 AND service = $4 AND kind IN ('unexplained', 'heuristic_mixed')
  AND (closed_at = 0 OR closed_at > sqlc.arg(since));
