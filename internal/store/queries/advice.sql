-- name: InsertAdvice :exec
INSERT INTO plan_advice (plan_id, number, place, what, why) VALUES ($1, $2, $3, $4, $5);

-- name: ListAdvice :many
SELECT * FROM plan_advice WHERE plan_id = $1 ORDER BY number;
