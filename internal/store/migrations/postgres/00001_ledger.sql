-- +goose Up

CREATE TABLE installation (
  id          BIGINT PRIMARY KEY CHECK (id = 1),
  install     TEXT NOT NULL CHECK (length(install) = 4),
  incarnation BIGINT NOT NULL,
  restored_at BIGINT NOT NULL DEFAULT 0,
  backup_at   BIGINT NOT NULL DEFAULT 0,
  state       TEXT NOT NULL CHECK (state IN ('purchasing', 'stopped', 'recovery')),
  created_at  BIGINT NOT NULL
);

CREATE TABLE plan (
  id                  TEXT PRIMARY KEY,
  lineage             TEXT NOT NULL,
  version             BIGINT NOT NULL CHECK (version >= 1),
  name                TEXT NOT NULL,
  requester           TEXT NOT NULL,
  -- A name as it is compared: without case and surrounding space.
  requester_key       TEXT NOT NULL CHECK (requester_key <> ''),
  created_at          BIGINT NOT NULL,
  tolerance_bp        BIGINT NOT NULL,
  currency            TEXT NOT NULL,
  upfront             TEXT NOT NULL,
  hourly              TEXT NOT NULL,
  total               TEXT NOT NULL,
  digest              TEXT NOT NULL,
  state               TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'rejected', 'superseded')),
  -- The rule by which people approve, as it was when the plan was made.
  approvals_needed    BIGINT NOT NULL CHECK (approvals_needed >= 1),
  self_approval       BIGINT NOT NULL CHECK (self_approval IN (0, 1)),
  approvers           TEXT NOT NULL,
  approval_expires_at BIGINT NOT NULL DEFAULT 0,
  UNIQUE (lineage, version),
  CHECK (state <> 'approved' OR approval_expires_at > 0)
);

-- One person's yes or no on a digest. A person counts once, and may take a yes
-- back with a no.
CREATE TABLE decision (
  id         TEXT PRIMARY KEY,
  plan_id    TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  digest     TEXT NOT NULL,
  person     TEXT NOT NULL,
  person_key TEXT NOT NULL CHECK (person_key <> ''),
  approve    BIGINT NOT NULL CHECK (approve IN (0, 1)),
  at         BIGINT NOT NULL,
  comment    TEXT NOT NULL,
  UNIQUE (plan_id, person_key, approve)
);

CREATE TABLE line (
  id               TEXT PRIMARY KEY,
  plan_id          TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  number           BIGINT NOT NULL CHECK (number >= 1),
  provider         TEXT NOT NULL,
  service          TEXT NOT NULL,
  account          TEXT NOT NULL,
  region           TEXT NOT NULL,
  class            TEXT NOT NULL CHECK (class IN ('A', 'B', 'C', 'Q', 'H')),
  spec             TEXT NOT NULL,
  state            TEXT NOT NULL CHECK (state IN ('draft', 'ready', 'armed', 'queued', 'purchased', 'failed',
                     'canceled', 'expired', 'superseded', 'needs_reapproval', 'needs_review', 'recovery')),
  generation       BIGINT NOT NULL CHECK (generation >= 1),
  armed            BIGINT NOT NULL CHECK (armed >= 0),
  version          BIGINT NOT NULL CHECK (version >= 0),
  cancel_requested BIGINT NOT NULL CHECK (cancel_requested IN (0, 1)),
  listing_digest   TEXT NOT NULL DEFAULT '',
  listing_at       BIGINT NOT NULL DEFAULT 0,
  reason           TEXT NOT NULL,
  must_leave_by    BIGINT NOT NULL,
  look_at          BIGINT NOT NULL,
  updated_at       BIGINT NOT NULL,
  UNIQUE (plan_id, number),
  -- A line that waits for a worker or a person says until when.
  CHECK (state IN ('draft', 'purchased', 'failed', 'canceled', 'expired', 'superseded') OR must_leave_by > 0)
);

-- Where the cloud has no identity for a purchase, one open purchase per lane.
CREATE UNIQUE INDEX line_one_open_per_lane ON line (provider, account, region, service)
  WHERE state = 'armed' AND class = 'C';
CREATE INDEX line_open ON line (state, look_at);

CREATE TABLE attempt (
  line_id       TEXT NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  n             BIGINT NOT NULL CHECK (n >= 1),
  generation    BIGINT NOT NULL CHECK (generation >= 1),
  nonce         TEXT NOT NULL UNIQUE,
  protocol      BIGINT NOT NULL,
  account       TEXT NOT NULL,
  region        TEXT NOT NULL,
  identity      TEXT NOT NULL,
  intent        TEXT NOT NULL,
  intent_sha256 TEXT NOT NULL,
  credential    TEXT NOT NULL,
  armed_at      BIGINT NOT NULL,
  answer_by     BIGINT NOT NULL,
  deadline      BIGINT NOT NULL,
  settled_at    BIGINT NOT NULL,
  fire_at       BIGINT,
  before_ids    TEXT NOT NULL,
  handle        TEXT NOT NULL DEFAULT '',
  state         TEXT NOT NULL CHECK (state IN ('armed', 'unsent', 'succeeded', 'rejected', 'accepted', 'in_doubt', 'dead')),
  outcome       TEXT NOT NULL,
  code          TEXT NOT NULL,
  ended_at      BIGINT NOT NULL,
  PRIMARY KEY (line_id, n)
);

-- A queued purchase is known by the second it fires at.
CREATE UNIQUE INDEX attempt_one_per_fire_second ON attempt (account, region, fire_at) WHERE fire_at IS NOT NULL;

-- Facts from the cloud, never changed, never deleted.
CREATE TABLE evidence (
  id         TEXT PRIMARY KEY,
  line_id    TEXT NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  n          BIGINT NOT NULL,
  kind       TEXT NOT NULL,
  outcome    TEXT NOT NULL,
  operation  TEXT NOT NULL,
  started    BIGINT NOT NULL,
  cloud_time BIGINT NOT NULL,
  request_id TEXT NOT NULL,
  status     BIGINT NOT NULL,
  code       TEXT NOT NULL,
  detail     TEXT NOT NULL,
  commitment TEXT NOT NULL,
  at         BIGINT NOT NULL
);
CREATE INDEX evidence_line ON evidence (line_id, id);

-- A commitment belongs to one line, and a line to one commitment. n is NULL when
-- the attempt was lost with a rollback of the ledger.
CREATE TABLE receipt (
  line_id       TEXT PRIMARY KEY REFERENCES line (id) ON DELETE RESTRICT,
  n             BIGINT,
  provider      TEXT NOT NULL,
  account       TEXT NOT NULL,
  region        TEXT NOT NULL,
  service       TEXT NOT NULL,
  commitment_id TEXT NOT NULL,
  commitment    TEXT NOT NULL,
  how           TEXT NOT NULL,
  heuristic     BIGINT NOT NULL CHECK (heuristic IN (0, 1)),
  at            BIGINT NOT NULL,
  UNIQUE (provider, account, region, service, commitment_id),
  FOREIGN KEY (line_id, n) REFERENCES attempt (line_id, n) ON DELETE RESTRICT
);

-- The table of transitions; the trigger on line refuses every other move.
CREATE TABLE transition (
  from_state TEXT NOT NULL,
  to_state   TEXT NOT NULL,
  PRIMARY KEY (from_state, to_state)
);

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
