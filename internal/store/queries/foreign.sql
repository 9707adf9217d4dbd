-- name: InsertForeignItem :exec
INSERT INTO foreign_item (id, provider, account, region, service, commitment_id, person, comment, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: ForeignItemsInLane :many
SELECT * FROM foreign_item WHERE provider = $1 AND account = $2 AND region = $3 AND service = $4 ORDER BY commitment_id;
