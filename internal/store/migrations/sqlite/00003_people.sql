-- +goose Up

-- Who stopped and started purchasing. The newest row says why it is stopped.
CREATE TABLE installation_event (
  id      TEXT PRIMARY KEY,
  state   TEXT NOT NULL CHECK (state IN ('purchasing', 'stopped')),
  person  TEXT NOT NULL CHECK (person <> ''),
  at      INTEGER NOT NULL,
  comment TEXT NOT NULL
) STRICT;

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
  at            INTEGER NOT NULL,
  UNIQUE (provider, account, region, service, commitment_id)
) STRICT;

-- Who closed the line by a decision instead of evidence; '' if nobody did.
ALTER TABLE line ADD COLUMN decided_by TEXT NOT NULL DEFAULT '';

-- +goose StatementBegin
CREATE TRIGGER installation_event_no_delete BEFORE DELETE ON installation_event
BEGIN SELECT RAISE(ABORT, 'rows of installation_event are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER installation_event_append_only BEFORE UPDATE ON installation_event
BEGIN SELECT RAISE(ABORT, 'rows of installation_event are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER foreign_item_no_delete BEFORE DELETE ON foreign_item
BEGIN SELECT RAISE(ABORT, 'rows of foreign_item are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER foreign_item_append_only BEFORE UPDATE ON foreign_item
BEGIN SELECT RAISE(ABORT, 'rows of foreign_item are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER foreign_item_not_ours BEFORE INSERT ON foreign_item
  WHEN EXISTS (
    SELECT 1 FROM receipt r WHERE r.provider = NEW.provider AND r.account = NEW.account AND r.region = NEW.region
      AND r.service = NEW.service AND r.commitment_id = NEW.commitment_id)
BEGIN SELECT RAISE(ABORT, 'a receipt names this commitment'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_decided_once BEFORE UPDATE ON line
  WHEN NEW.decided_by IS NOT OLD.decided_by
    AND NOT (OLD.decided_by = '' AND OLD.state = 'needs_review' AND NEW.state IN ('purchased', 'failed'))
BEGIN SELECT RAISE(ABORT, 'a person decides a line out of review, once'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_undecided BEFORE INSERT ON line
  WHEN NEW.decided_by <> ''
BEGIN SELECT RAISE(ABORT, 'a new line is not decided'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER decision_on_digest BEFORE INSERT ON decision
  WHEN NOT EXISTS (
    SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'proposed' AND p.digest = NEW.digest)
BEGIN SELECT RAISE(ABORT, 'a decision is on the digest of a proposed plan'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER decision_not_by_requester BEFORE INSERT ON decision
  WHEN NEW.approve = 1 AND EXISTS (
    SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.self_approval = 0 AND p.requester_key = NEW.person_key)
BEGIN SELECT RAISE(ABORT, 'the requester does not approve'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_approved_by_enough BEFORE UPDATE ON plan
  WHEN NEW.state = 'approved' AND OLD.state <> 'approved' AND NEW.approvals_needed > (
    SELECT count(*) FROM decision d WHERE d.plan_id = NEW.id AND d.digest = NEW.digest AND d.approve = 1)
BEGIN SELECT RAISE(ABORT, 'a plan is approved by as many people as it needs'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_veto BEFORE UPDATE ON plan
  WHEN NEW.state = 'approved' AND EXISTS (
    SELECT 1 FROM decision d WHERE d.plan_id = NEW.id AND d.approve = 0)
BEGIN SELECT RAISE(ABORT, 'a no rejects the plan'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_transition BEFORE UPDATE ON plan
  WHEN NEW.state <> OLD.state AND NOT (
    OLD.state = 'proposed' OR OLD.state = 'approved' AND NEW.state = 'superseded')
BEGIN SELECT RAISE(ABORT, 'this move of a plan is not one of its moves'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_starts_proposed BEFORE INSERT ON plan
  WHEN NEW.state <> 'proposed'
BEGIN SELECT RAISE(ABORT, 'a plan starts as proposed'); END;
-- +goose StatementEnd
