-- +goose Up

CREATE TABLE installation (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  install     TEXT NOT NULL CHECK (length(install) = 4),
  incarnation INTEGER NOT NULL,
  restored_at INTEGER NOT NULL DEFAULT 0,
  backup_at   INTEGER NOT NULL DEFAULT 0,
  state       TEXT NOT NULL CHECK (state IN ('purchasing', 'stopped', 'recovery')),
  created_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE plan (
  id                  TEXT PRIMARY KEY,
  lineage             TEXT NOT NULL,
  version             INTEGER NOT NULL CHECK (version >= 1),
  name                TEXT NOT NULL,
  requester           TEXT NOT NULL,
  -- A name as it is compared: without case and surrounding space.
  requester_key       TEXT NOT NULL CHECK (requester_key <> ''),
  created_at          INTEGER NOT NULL,
  tolerance_bp        INTEGER NOT NULL,
  currency            TEXT NOT NULL,
  upfront             TEXT NOT NULL,
  hourly              TEXT NOT NULL,
  total               TEXT NOT NULL,
  digest              TEXT NOT NULL,
  state               TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'rejected', 'superseded')),
  -- The rule by which people approve, as it was when the plan was made.
  approvals_needed    INTEGER NOT NULL CHECK (approvals_needed >= 1),
  self_approval       INTEGER NOT NULL CHECK (self_approval IN (0, 1)),
  approvers           TEXT NOT NULL,
  approval_expires_at INTEGER NOT NULL DEFAULT 0,
  UNIQUE (lineage, version),
  CHECK (state <> 'approved' OR approval_expires_at > 0)
) STRICT;

-- One person's yes or no on a digest. A person counts once, and may take a yes
-- back with a no.
CREATE TABLE decision (
  id         TEXT PRIMARY KEY,
  plan_id    TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  digest     TEXT NOT NULL,
  person     TEXT NOT NULL,
  person_key TEXT NOT NULL CHECK (person_key <> ''),
  approve    INTEGER NOT NULL CHECK (approve IN (0, 1)),
  at         INTEGER NOT NULL,
  comment    TEXT NOT NULL,
  UNIQUE (plan_id, person_key, approve)
) STRICT;

CREATE TABLE line (
  id               TEXT PRIMARY KEY,
  plan_id          TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  number           INTEGER NOT NULL CHECK (number >= 1),
  provider         TEXT NOT NULL,
  service          TEXT NOT NULL,
  account          TEXT NOT NULL,
  region           TEXT NOT NULL,
  class            TEXT NOT NULL CHECK (class IN ('A', 'B', 'C', 'Q', 'H')),
  spec             TEXT NOT NULL,
  state            TEXT NOT NULL CHECK (state IN ('draft', 'ready', 'armed', 'queued', 'purchased', 'failed',
                     'canceled', 'expired', 'superseded', 'needs_reapproval', 'needs_review', 'recovery')),
  generation       INTEGER NOT NULL CHECK (generation >= 1),
  armed            INTEGER NOT NULL CHECK (armed >= 0),
  version          INTEGER NOT NULL CHECK (version >= 0),
  cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
  listing_digest   TEXT NOT NULL DEFAULT '',
  listing_at       INTEGER NOT NULL DEFAULT 0,
  reason           TEXT NOT NULL,
  must_leave_by    INTEGER NOT NULL,
  look_at          INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  UNIQUE (plan_id, number),
  -- A line that waits for a worker or a person says until when.
  CHECK (state IN ('draft', 'purchased', 'failed', 'canceled', 'expired', 'superseded') OR must_leave_by > 0)
) STRICT;

-- Where the cloud has no identity for a purchase, one open purchase per lane.
CREATE UNIQUE INDEX line_one_open_per_lane ON line (provider, account, region, service)
  WHERE state = 'armed' AND class = 'C';
CREATE INDEX line_open ON line (state, look_at);

CREATE TABLE attempt (
  line_id       TEXT NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  n             INTEGER NOT NULL CHECK (n >= 1),
  generation    INTEGER NOT NULL CHECK (generation >= 1),
  nonce         TEXT NOT NULL UNIQUE,
  protocol      INTEGER NOT NULL,
  account       TEXT NOT NULL,
  region        TEXT NOT NULL,
  identity      TEXT NOT NULL,
  intent        TEXT NOT NULL,
  intent_sha256 TEXT NOT NULL,
  credential    TEXT NOT NULL,
  armed_at      INTEGER NOT NULL,
  answer_by     INTEGER NOT NULL,
  deadline      INTEGER NOT NULL,
  settled_at    INTEGER NOT NULL,
  fire_at       INTEGER,
  before_ids    TEXT NOT NULL,
  handle        TEXT NOT NULL DEFAULT '',
  state         TEXT NOT NULL CHECK (state IN ('armed', 'unsent', 'succeeded', 'rejected', 'accepted', 'in_doubt', 'dead')),
  outcome       TEXT NOT NULL,
  code          TEXT NOT NULL,
  ended_at      INTEGER NOT NULL,
  PRIMARY KEY (line_id, n)
) STRICT;

-- A queued purchase is known by the second it fires at.
CREATE UNIQUE INDEX attempt_one_per_fire_second ON attempt (account, region, fire_at) WHERE fire_at IS NOT NULL;

-- Facts from the cloud, never changed, never deleted.
CREATE TABLE evidence (
  id         TEXT PRIMARY KEY,
  line_id    TEXT NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  n          INTEGER NOT NULL,
  kind       TEXT NOT NULL,
  outcome    TEXT NOT NULL,
  operation  TEXT NOT NULL,
  started    INTEGER NOT NULL,
  cloud_time INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  status     INTEGER NOT NULL,
  code       TEXT NOT NULL,
  detail     TEXT NOT NULL,
  commitment TEXT NOT NULL,
  at         INTEGER NOT NULL
) STRICT;
CREATE INDEX evidence_line ON evidence (line_id, id);

-- A commitment belongs to one line, and a line to one commitment. n is NULL when
-- the attempt was lost with a rollback of the ledger.
CREATE TABLE receipt (
  line_id       TEXT PRIMARY KEY REFERENCES line (id) ON DELETE RESTRICT,
  n             INTEGER,
  provider      TEXT NOT NULL,
  account       TEXT NOT NULL,
  region        TEXT NOT NULL,
  service       TEXT NOT NULL,
  commitment_id TEXT NOT NULL,
  commitment    TEXT NOT NULL,
  how           TEXT NOT NULL,
  heuristic     INTEGER NOT NULL CHECK (heuristic IN (0, 1)),
  at            INTEGER NOT NULL,
  UNIQUE (provider, account, region, service, commitment_id),
  FOREIGN KEY (line_id, n) REFERENCES attempt (line_id, n) ON DELETE RESTRICT
) STRICT;

-- The table of transitions; the trigger on line refuses every other move.
CREATE TABLE transition (
  from_state TEXT NOT NULL,
  to_state   TEXT NOT NULL,
  PRIMARY KEY (from_state, to_state)
) STRICT;

INSERT INTO transition (from_state, to_state) VALUES
  ('draft', 'ready'),
  ('draft', 'canceled'),
  ('draft', 'superseded'),
  ('draft', 'recovery'),
  ('ready', 'armed'),
  ('ready', 'canceled'),
  ('ready', 'superseded'),
  ('ready', 'expired'),
  ('ready', 'needs_reapproval'),
  ('ready', 'needs_review'),
  ('armed', 'ready'),
  ('armed', 'purchased'),
  ('armed', 'failed'),
  ('armed', 'canceled'),
  ('armed', 'expired'),
  ('armed', 'needs_review'),
  ('armed', 'queued'),
  ('queued', 'purchased'),
  ('queued', 'canceled'),
  ('queued', 'failed'),
  ('queued', 'needs_review'),
  ('needs_reapproval', 'canceled'),
  ('needs_reapproval', 'superseded'),
  ('needs_reapproval', 'expired'),
  ('needs_review', 'purchased'),
  ('needs_review', 'failed'),
  ('needs_review', 'armed'),
  ('ready', 'recovery'),
  ('armed', 'recovery'),
  ('queued', 'recovery'),
  ('needs_reapproval', 'recovery'),
  ('needs_review', 'recovery'),
  ('recovery', 'purchased'),
  ('recovery', 'canceled'),
  ('recovery', 'needs_review');

-- +goose StatementBegin
CREATE TRIGGER installation_no_delete BEFORE DELETE ON installation
BEGIN SELECT RAISE(ABORT, 'rows of installation are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_no_delete BEFORE DELETE ON plan
BEGIN SELECT RAISE(ABORT, 'rows of plan are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER decision_no_delete BEFORE DELETE ON decision
BEGIN SELECT RAISE(ABORT, 'rows of decision are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_no_delete BEFORE DELETE ON line
BEGIN SELECT RAISE(ABORT, 'rows of line are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attempt_no_delete BEFORE DELETE ON attempt
BEGIN SELECT RAISE(ABORT, 'rows of attempt are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence
BEGIN SELECT RAISE(ABORT, 'rows of evidence are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER receipt_no_delete BEFORE DELETE ON receipt
BEGIN SELECT RAISE(ABORT, 'rows of receipt are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER decision_append_only BEFORE UPDATE ON decision
BEGIN SELECT RAISE(ABORT, 'rows of decision are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER evidence_append_only BEFORE UPDATE ON evidence
BEGIN SELECT RAISE(ABORT, 'rows of evidence are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER receipt_append_only BEFORE UPDATE ON receipt
BEGIN SELECT RAISE(ABORT, 'rows of receipt are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER installation_frozen BEFORE UPDATE ON installation
  WHEN NEW.id IS NOT OLD.id OR NEW.install IS NOT OLD.install OR NEW.created_at IS NOT OLD.created_at
BEGIN SELECT RAISE(ABORT, 'the name of an installation is frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_frozen BEFORE UPDATE ON plan
  WHEN NEW.id IS NOT OLD.id OR NEW.lineage IS NOT OLD.lineage OR NEW.version IS NOT OLD.version OR NEW.name IS NOT OLD.name OR NEW.requester IS NOT OLD.requester OR NEW.requester_key IS NOT OLD.requester_key OR NEW.approvals_needed IS NOT OLD.approvals_needed OR NEW.self_approval IS NOT OLD.self_approval OR NEW.approvers IS NOT OLD.approvers OR NEW.created_at IS NOT OLD.created_at OR NEW.tolerance_bp IS NOT OLD.tolerance_bp OR NEW.currency IS NOT OLD.currency OR NEW.upfront IS NOT OLD.upfront OR NEW.hourly IS NOT OLD.hourly OR NEW.total IS NOT OLD.total OR NEW.digest IS NOT OLD.digest
BEGIN SELECT RAISE(ABORT, 'a plan is frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_frozen BEFORE UPDATE ON line
  WHEN NEW.id IS NOT OLD.id OR NEW.plan_id IS NOT OLD.plan_id OR NEW.number IS NOT OLD.number OR NEW.provider IS NOT OLD.provider OR NEW.service IS NOT OLD.service OR NEW.account IS NOT OLD.account OR NEW.region IS NOT OLD.region OR NEW.class IS NOT OLD.class OR NEW.spec IS NOT OLD.spec
BEGIN SELECT RAISE(ABORT, 'what a line asks for is frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_transition BEFORE UPDATE ON line
  WHEN NEW.state <> OLD.state AND NOT EXISTS (
    SELECT 1 FROM transition WHERE from_state = OLD.state AND to_state = NEW.state)
BEGIN SELECT RAISE(ABORT, 'this move of a line is not in the table of transitions'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_counts_up BEFORE UPDATE ON line
  WHEN NEW.armed < OLD.armed OR NEW.version < OLD.version OR NEW.generation < OLD.generation
BEGIN SELECT RAISE(ABORT, 'attempts and generations only count up'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_starts_as_draft BEFORE INSERT ON line
  WHEN NEW.state <> 'draft' OR NEW.armed <> 0
BEGIN SELECT RAISE(ABORT, 'a line starts as a draft'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attempt_frozen BEFORE UPDATE ON attempt
  WHEN NEW.line_id IS NOT OLD.line_id OR NEW.n IS NOT OLD.n OR NEW.generation IS NOT OLD.generation OR NEW.nonce IS NOT OLD.nonce OR NEW.protocol IS NOT OLD.protocol OR NEW.account IS NOT OLD.account OR NEW.region IS NOT OLD.region OR NEW.identity IS NOT OLD.identity OR NEW.intent IS NOT OLD.intent OR NEW.intent_sha256 IS NOT OLD.intent_sha256 OR NEW.credential IS NOT OLD.credential OR NEW.armed_at IS NOT OLD.armed_at OR NEW.answer_by IS NOT OLD.answer_by OR NEW.deadline IS NOT OLD.deadline OR NEW.settled_at IS NOT OLD.settled_at OR NEW.before_ids IS NOT OLD.before_ids OR NEW.fire_at IS NOT OLD.fire_at
BEGIN SELECT RAISE(ABORT, 'what an attempt may send is frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attempt_closed BEFORE UPDATE ON attempt
  WHEN OLD.state IN ('unsent', 'succeeded', 'rejected', 'dead')
BEGIN SELECT RAISE(ABORT, 'a closed attempt is never changed'); END;
-- +goose StatementEnd
