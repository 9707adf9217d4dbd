-- +goose Up

-- 1. The installation.

CREATE TABLE installation (
  id          BIGINT PRIMARY KEY CHECK (id = 1),
  install     TEXT NOT NULL CHECK (length(install) = 4),
  incarnation BIGINT NOT NULL,
  restored_at BIGINT NOT NULL DEFAULT 0,
  backup_at   BIGINT NOT NULL DEFAULT 0,
  state       TEXT NOT NULL CHECK (state IN ('purchasing', 'stopped', 'recovery')),
  created_at  BIGINT NOT NULL
);

-- Who stopped and started purchasing. The newest row says why it is stopped.
CREATE TABLE installation_event (
  id      TEXT PRIMARY KEY,
  state   TEXT NOT NULL CHECK (state IN ('purchasing', 'stopped')),
  person  TEXT NOT NULL CHECK (person <> ''),
  at      BIGINT NOT NULL,
  comment TEXT NOT NULL
);

-- 2. Plans, and the people who decide on them.

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
  -- Every line is bought, or none.
  all_or_nothing      BIGINT NOT NULL CHECK (all_or_nothing IN (0, 1)),
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

-- 3. Lines and how they may move.

CREATE TABLE line (
  id               TEXT PRIMARY KEY,
  plan_id          TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  number           BIGINT NOT NULL CHECK (number >= 1),
  provider         TEXT NOT NULL,
  service          TEXT NOT NULL,
  account          TEXT NOT NULL,
  region           TEXT NOT NULL,
  class            TEXT NOT NULL CHECK (class IN ('A', 'B', 'C', 'Q', 'H', 'AC')),
  spec             TEXT NOT NULL,
  state            TEXT NOT NULL CHECK (state IN ('draft', 'ready', 'armed', 'queued', 'purchased', 'failed',
                     'canceled', 'expired', 'superseded', 'needs_reapproval', 'needs_review', 'recovery')),
  generation       BIGINT NOT NULL CHECK (generation >= 1),
  armed            BIGINT NOT NULL CHECK (armed >= 0),
  version          BIGINT NOT NULL CHECK (version >= 0),
  cancel_requested BIGINT NOT NULL CHECK (cancel_requested IN (0, 1)),
  decided_by       TEXT NOT NULL DEFAULT '', -- who closed it by a decision instead of evidence
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
  WHERE state = 'armed' AND class IN ('C', 'AC');
CREATE INDEX line_open ON line (state, look_at);
CREATE INDEX line_lane ON line (provider, account, region, service, state);

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

-- 4. What was sent, what the cloud said, what was bought.

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

-- 5. Budgets.

-- A cap on what may be committed. A row with a plan is that plan's own ceiling: it
-- comes with the approval and has no name.
CREATE TABLE budget (
  id         TEXT PRIMARY KEY,
  plan_id    TEXT UNIQUE REFERENCES plan (id) ON DELETE RESTRICT,
  name       TEXT NOT NULL,
  account    TEXT NOT NULL, -- '' is every account
  period     TEXT NOT NULL CHECK (period IN ('plan', 'month', 'ever')),
  measure    TEXT NOT NULL CHECK (measure IN ('total', 'upfront', 'hourly')),
  currency   TEXT NOT NULL CHECK (length(currency) = 3),
  cap        BIGINT NOT NULL CHECK (cap >= 0), -- millionths of the currency
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  changed_at BIGINT NOT NULL,
  changed_by TEXT NOT NULL,
  retired_at BIGINT NOT NULL DEFAULT 0,
  retired_by TEXT NOT NULL DEFAULT '',
  CHECK ((plan_id IS NULL) = (name <> '')),
  CHECK (plan_id IS NULL OR (period = 'plan' AND measure = 'total' AND account = ''))
);
CREATE UNIQUE INDEX budget_one_of_a_name ON budget (name) WHERE retired_at = 0 AND plan_id IS NULL;

-- What a budget holds and has spent in one period: a plan's id, a month in UTC such
-- as 2026-11, or 'ever'. Amounts are millionths of the budget's currency.
CREATE TABLE budget_period (
  budget_id TEXT NOT NULL REFERENCES budget (id) ON DELETE RESTRICT,
  period    TEXT NOT NULL CHECK (period <> ''),
  cap       BIGINT NOT NULL,
  held      BIGINT NOT NULL,
  spent     BIGINT NOT NULL,
  PRIMARY KEY (budget_id, period),
  CHECK (held >= 0 AND spent >= 0 AND held + spent <= cap)
);

-- What an approved line takes from a budget, from its approval to its end.
CREATE TABLE hold (
  line_id   TEXT NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  budget_id TEXT NOT NULL,
  period    TEXT NOT NULL,
  amount    BIGINT NOT NULL CHECK (amount >= 0),
  state     TEXT NOT NULL CHECK (state IN ('held', 'spent', 'released', 'returned')),
  at        BIGINT NOT NULL, -- of the approval
  ended_at  BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (line_id, budget_id),
  FOREIGN KEY (budget_id, period) REFERENCES budget_period (budget_id, period) ON DELETE RESTRICT,
  CHECK ((state = 'held') = (ended_at = 0))
);
CREATE INDEX hold_budget ON hold (budget_id, period);

-- 6. What is given back.

-- What a person asks to be given back of what a line bought. One request is open for a
-- line; it is approved as a plan is, and sent at most once at a time.
CREATE TABLE undo (
  id               TEXT PRIMARY KEY,
  line_id          TEXT NOT NULL REFERENCES receipt (line_id) ON DELETE RESTRICT,
  commitment_id    TEXT NOT NULL,
  digest           TEXT NOT NULL,
  token            TEXT NOT NULL UNIQUE,
  requester        TEXT NOT NULL,
  requester_key    TEXT NOT NULL CHECK (requester_key <> ''),
  requested_at     BIGINT NOT NULL,
  comment          TEXT NOT NULL,
  -- The rule by which people approve, as it was when it was asked for.
  approvals_needed BIGINT NOT NULL CHECK (approvals_needed >= 1),
  self_approval    BIGINT NOT NULL CHECK (self_approval IN (0, 1)),
  approvers        TEXT NOT NULL,
  until            BIGINT NOT NULL CHECK (until > 0), -- nothing is sent afterwards
  state            TEXT NOT NULL CHECK (state IN ('requested', 'approved', 'sent', 'returned', 'refused', 'kept', 'rejected', 'expired')),
  tries            BIGINT NOT NULL CHECK (tries >= 0),
  deadline         BIGINT NOT NULL DEFAULT 0, -- of the last request
  settled_at       BIGINT NOT NULL DEFAULT 0, -- from then on a listing shows what it did
  outcome          TEXT NOT NULL DEFAULT '',
  detail           TEXT NOT NULL DEFAULT '',
  updated_at       BIGINT NOT NULL,
  CHECK (state <> 'sent' OR tries > 0 AND deadline > 0 AND settled_at >= deadline)
);
CREATE UNIQUE INDEX undo_one_open ON undo (line_id) WHERE state IN ('requested', 'approved', 'sent');

-- One person's yes or no on an undo.
CREATE TABLE undo_decision (
  id         TEXT PRIMARY KEY,
  undo_id    TEXT NOT NULL REFERENCES undo (id) ON DELETE RESTRICT,
  digest     TEXT NOT NULL,
  person     TEXT NOT NULL,
  person_key TEXT NOT NULL CHECK (person_key <> ''),
  approve    BIGINT NOT NULL CHECK (approve IN (0, 1)),
  at         BIGINT NOT NULL,
  comment    TEXT NOT NULL,
  UNIQUE (undo_id, person_key, approve)
);

-- 7. Lanes, and what explains their commitments.

-- A lane that was ever listed completely, or declared exclusive.
CREATE TABLE lane (
  provider    TEXT NOT NULL,
  account     TEXT NOT NULL,
  region      TEXT NOT NULL,
  service     TEXT NOT NULL,
  imported_at BIGINT NOT NULL DEFAULT 0,
  audited_at  BIGINT NOT NULL DEFAULT 0,
  exclusive   BIGINT NOT NULL DEFAULT 0 CHECK (exclusive IN (0, 1)),
  PRIMARY KEY (provider, account, region, service)
);

-- What a lane of a plan held when the plan was made.
CREATE TABLE plan_lane (
  plan_id   TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  provider  TEXT NOT NULL,
  account   TEXT NOT NULL,
  region    TEXT NOT NULL,
  service   TEXT NOT NULL,
  ids       TEXT NOT NULL,
  listed_at BIGINT NOT NULL CHECK (listed_at > 0),
  PRIMARY KEY (plan_id, provider, account, region, service)
);

-- What the first complete listing of a lane showed that is not ours: it was there
-- before us.
CREATE TABLE imported_item (
  provider      TEXT NOT NULL,
  account       TEXT NOT NULL,
  region        TEXT NOT NULL,
  service       TEXT NOT NULL,
  commitment_id TEXT NOT NULL,
  commitment    TEXT NOT NULL,
  at            BIGINT NOT NULL,
  PRIMARY KEY (provider, account, region, service, commitment_id),
  FOREIGN KEY (provider, account, region, service) REFERENCES lane (provider, account, region, service) ON DELETE RESTRICT
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

-- 8. What became of a purchase.

-- When a purchased line is looked at next. next_at is 0 when its commitment has
-- come to its end.
CREATE TABLE watch (
  line_id TEXT PRIMARY KEY REFERENCES receipt (line_id) ON DELETE RESTRICT,
  next_at BIGINT NOT NULL CHECK (next_at >= 0),
  stage   BIGINT NOT NULL CHECK (stage >= 0),
  state   TEXT NOT NULL
);
CREATE INDEX watch_due ON watch (next_at);

-- What became of a commitment after its purchase.
CREATE TABLE fact (
  id         TEXT PRIMARY KEY,
  line_id    TEXT NOT NULL REFERENCES receipt (line_id) ON DELETE RESTRICT,
  at         BIGINT NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('active', 'payment_failed', 'returned', 'retired', 'differs', 'missing', 'heuristic_mixed')),
  detail     TEXT NOT NULL,
  commitment TEXT NOT NULL
);
CREATE INDEX fact_line ON fact (line_id, id);

-- Something in a lane that the ledger cannot explain, or the other way round.
CREATE TABLE finding (
  id            TEXT PRIMARY KEY,
  provider      TEXT NOT NULL,
  account       TEXT NOT NULL,
  region        TEXT NOT NULL,
  service       TEXT NOT NULL,
  commitment_id TEXT NOT NULL,
  kind          TEXT NOT NULL CHECK (kind IN ('unexplained', 'missing', 'differs', 'payment_failed', 'heuristic_mixed')),
  line_id       TEXT NOT NULL,
  detail        TEXT NOT NULL,
  commitment    TEXT NOT NULL,
  first_seen    BIGINT NOT NULL,
  last_seen     BIGINT NOT NULL,
  closed_at     BIGINT NOT NULL DEFAULT 0,
  CHECK (last_seen >= first_seen)
);
CREATE UNIQUE INDEX finding_one_open ON finding (provider, account, region, service, commitment_id, kind) WHERE closed_at = 0;

-- 9. What was measured of the clouds, and the orders that it took.

-- An order that an experiment places. It is queued at least 30 days ahead, and it
-- is open until its deletion was seen.
CREATE TABLE trial (
  id         TEXT PRIMARY KEY,
  provider   TEXT NOT NULL,
  account    TEXT NOT NULL,
  region     TEXT NOT NULL,
  service    TEXT NOT NULL,
  experiment TEXT NOT NULL,
  fire_at    BIGINT NOT NULL,
  token      TEXT NOT NULL,
  offering   TEXT NOT NULL,
  before     TEXT NOT NULL,
  order_id   TEXT NOT NULL DEFAULT '',
  started_at BIGINT NOT NULL,
  closed_at  BIGINT NOT NULL DEFAULT 0,
  CHECK (fire_at >= started_at + 2592000000000)
);
CREATE UNIQUE INDEX trial_one_second ON trial (provider, account, region, service, fire_at);

-- One result of an experiment. value is a duration in microseconds, where the result
-- is one.
CREATE TABLE calibration (
  id       TEXT PRIMARY KEY,
  provider TEXT NOT NULL,
  account  TEXT NOT NULL,
  region   TEXT NOT NULL,
  service  TEXT NOT NULL,
  name     TEXT NOT NULL CHECK (name IN ('start_second', 'queue_lead', 'visibility', 'deletion', 'deadline', 'signature_age', 'trail_delay', 'throttle', 'token_life', 'token_changed')),
  value    BIGINT NOT NULL CHECK (value >= 0),
  holds    BIGINT NOT NULL CHECK (holds IN (0, 1)),
  detail   TEXT NOT NULL,
  at       BIGINT NOT NULL
);
CREATE INDEX calibration_account ON calibration (provider, account, id);

-- 10. What tells that the ledger is the one that it was.

-- What was outside the ledger when it was last known to be the right one.
CREATE TABLE mark (
  name  TEXT PRIMARY KEY CHECK (name <> ''),
  value TEXT NOT NULL,
  at    BIGINT NOT NULL
);

-- Who found or said what of the ledger's past. person is 'bursar' where a mark spoke.
CREATE TABLE recovery_event (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL CHECK (kind IN ('started', 'moved', 'adopted', 'explained', 'finished')),
  incarnation BIGINT NOT NULL CHECK (incarnation >= 1),
  person      TEXT NOT NULL CHECK (person <> ''),
  at          BIGINT NOT NULL,
  detail      TEXT NOT NULL,
  comment     TEXT NOT NULL
);

-- What this installation bought in a time that the ledger has lost, under a name of a
-- line that it does not know. entry is that of the intent journal.
CREATE TABLE regained_item (
  id            TEXT PRIMARY KEY,
  provider      TEXT NOT NULL,
  account       TEXT NOT NULL,
  region        TEXT NOT NULL,
  service       TEXT NOT NULL,
  commitment_id TEXT NOT NULL CHECK (commitment_id <> ''),
  commitment    TEXT NOT NULL,
  entry         TEXT NOT NULL,
  person        TEXT NOT NULL CHECK (person <> ''),
  comment       TEXT NOT NULL,
  at            BIGINT NOT NULL,
  UNIQUE (provider, account, region, service, commitment_id)
);
