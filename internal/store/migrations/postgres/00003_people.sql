-- +goose Up

-- Who stopped and started purchasing. The newest row says why it is stopped.
CREATE TABLE installation_event (
  id      TEXT PRIMARY KEY,
  state   TEXT NOT NULL CHECK (state IN ('purchasing', 'stopped')),
  person  TEXT NOT NULL CHECK (person <> ''),
  at      BIGINT NOT NULL,
  comment TEXT NOT NULL
);

-- Commitments that a person declared to be somebody else's.
CREATE TABLE foreign_item (
  id            TEXT PRIMARY KEY,
  provider      TEXT NOT NULL,
  account       TEXT NOT NULL,
  region        TEXT NOT NULL,
  service       TEXT NOT NULL,
  commitment_id TEXT NOT NULL CHECK (commitment_id <> ''),
  person        TEXT NOT NULL CHECK (person <> ''),
  comment       TEXT NOT NULL,
  at            BIGINT NOT NULL,
  UNIQUE (provider, account, region, service, commitment_id)
);

-- Who closed the line by a decision instead of evidence; '' if nobody did.
ALTER TABLE line ADD COLUMN decided_by TEXT NOT NULL DEFAULT '';
