-- name: InsertPerson :exec
INSERT INTO person (id, name, name_key, mail, issuer, subject, roles, accounts, given_by, created_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10);

-- name: ListPersons :many
SELECT * FROM person ORDER BY name_key;

-- name: GetPerson :one
SELECT * FROM person WHERE id = $1;

-- name: GetPersonByKey :one
SELECT * FROM person WHERE name_key = $1;

-- name: GetPersonBySubject :one
SELECT * FROM person WHERE issuer = $1 AND subject = $2 AND subject <> '';

-- name: GetPersonByMail :one
SELECT * FROM person WHERE mail = $1 AND mail <> '';

-- name: SetRights :execrows
UPDATE person SET roles = $1, accounts = $2, given_by = $3, changed_at = $4 WHERE id = $5;

-- name: SetDisabled :execrows
UPDATE person SET disabled = sqlc.arg(disabled), changed_at = $1 WHERE id = $2 AND disabled <> sqlc.arg(disabled);

-- name: BindPerson :execrows
-- Whoever vouched for the mail address gives the identity, once.
UPDATE person SET issuer = $1, subject = $2, changed_at = $3 WHERE id = $4 AND subject = '';

-- name: InsertToken :exec
INSERT INTO api_token (id, hash, mask, name, person_id, roles, accounts, agent, created_at, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: ListTokens :many
SELECT * FROM api_token ORDER BY id;

-- name: TokenIDs :many
SELECT id FROM api_token WHERE id LIKE $1 ORDER BY id LIMIT 3;

-- name: GetTokenByHash :one
SELECT * FROM api_token WHERE hash = $1;

-- name: SeeToken :execrows
UPDATE api_token SET seen_at = sqlc.arg(seen_at) WHERE id = $1 AND seen_at < sqlc.arg(seen_at) AND revoked_at = 0;

-- name: RevokeToken :execrows
UPDATE api_token SET revoked_at = $1, revoked_by = $2 WHERE id = $3 AND revoked_at = 0;

-- name: InsertSession :exec
INSERT INTO session (hash, mask, person_id, how, created_at, expires_at, idle, seen_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $5);

-- name: GetSession :one
SELECT * FROM session WHERE hash = $1;

-- name: SeeSession :execrows
UPDATE session SET seen_at = sqlc.arg(seen_at) WHERE hash = $1 AND seen_at < sqlc.arg(seen_at) AND ended_at = 0;

-- name: EndSession :execrows
UPDATE session SET ended_at = $1 WHERE hash = $2 AND ended_at = 0;

-- name: EndSessionsOf :execrows
UPDATE session SET ended_at = $1 WHERE person_id = $2 AND ended_at = 0;

-- name: InsertSignInLink :exec
INSERT INTO sign_in_link (id, hash, person_id, created_at, created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6);

-- name: GetSignInLink :one
SELECT * FROM sign_in_link WHERE hash = $1;

-- name: UseSignInLink :execrows
UPDATE sign_in_link SET used_at = sqlc.arg(at) WHERE id = $1 AND used_at = 0 AND expires_at > sqlc.arg(at);

-- name: VoidSignInLinks :exec
-- A fresh link makes those before it useless.
UPDATE sign_in_link SET used_at = sqlc.arg(at) WHERE person_id = $1 AND used_at = 0;

-- name: CountTries :one
SELECT CAST(coalesce(sum(tries), 0) AS BIGINT) FROM sign_in_try WHERE key = $1 AND window_at >= $2;

-- name: AddTry :exec
INSERT INTO sign_in_try (key, window_at, tries) VALUES ($1, $2, 1)
ON CONFLICT (key) DO UPDATE SET tries = CASE WHEN sign_in_try.window_at < excluded.window_at THEN 1 ELSE sign_in_try.tries + 1 END, window_at = excluded.window_at;

-- name: LastAuditEntry :one
SELECT * FROM audit_entry ORDER BY seq DESC LIMIT 1;

-- name: InsertAuditEntry :exec
INSERT INTO audit_entry (seq, at, actor, session, act, kind, subject, details, prev, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);

-- name: ListAuditEntries :many
SELECT * FROM audit_entry WHERE seq > sqlc.arg(after) ORDER BY seq LIMIT sqlc.arg(most);

-- name: AuditEntriesOn :many
SELECT * FROM audit_entry WHERE subject = $1 ORDER BY seq;

-- name: InsertSigningKey :exec
INSERT INTO signing_key (id, public_key, created_at) VALUES ($1, $2, $3);

-- name: ListSigningKeys :many
SELECT * FROM signing_key ORDER BY id;
