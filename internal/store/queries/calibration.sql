-- name: InsertTrial :exec
INSERT INTO trial (id, provider, account, region, service, experiment, fire_at, token, offering, before, started_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: TrialOrdered :execrows
UPDATE trial SET order_id = $1 WHERE id = $2 AND order_id = '' AND closed_at = 0;

-- name: CloseTrial :execrows
UPDATE trial SET closed_at = $1 WHERE id = $2 AND closed_at = 0;

-- name: OpenTrials :many
SELECT * FROM trial WHERE closed_at = 0 AND provider = $1 AND account = $2 ORDER BY id;

-- name: InsertCalibration :exec
INSERT INTO calibration (id, provider, account, region, service, name, value, holds, detail, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: Calibrations :many
SELECT * FROM calibration ORDER BY id;
