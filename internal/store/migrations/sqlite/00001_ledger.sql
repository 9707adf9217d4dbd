-- +goose Up

-- 1. The installation.

CREATE TABLE installation (
  id          INTEGER PRIMARY KEY CHECK (id = 1),
  install     TEXT NOT NULL CHECK (length(install) = 4),
  incarnation INTEGER NOT NULL,
  restored_at INTEGER NOT NULL DEFAULT 0,
  backup_at   INTEGER NOT NULL DEFAULT 0,
  state       TEXT NOT NULL CHECK (state IN ('purchasing', 'stopped', 'recovery')),
  created_at  INTEGER NOT NULL,
  copied_to   TEXT NOT NULL DEFAULT '', -- where this ledger goes on; then nothing moves in it
  CHECK (copied_to = '' OR state <> 'purchasing')
) STRICT;

-- Who stopped and started purchasing. The newest row says why it is stopped.
CREATE TABLE installation_event (
  id      TEXT PRIMARY KEY,
  state   TEXT NOT NULL CHECK (state IN ('purchasing', 'stopped')),
  person  TEXT NOT NULL CHECK (person <> ''),
  at      INTEGER NOT NULL,
  comment TEXT NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER installation_no_delete BEFORE DELETE ON installation
BEGIN SELECT RAISE(ABORT, 'rows of installation are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER installation_frozen BEFORE UPDATE ON installation
  WHEN NEW.id IS NOT OLD.id OR NEW.install IS NOT OLD.install OR NEW.created_at IS NOT OLD.created_at
BEGIN SELECT RAISE(ABORT, 'the name of an installation is frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER installation_copied BEFORE UPDATE ON installation
  WHEN OLD.copied_to <> ''
BEGIN SELECT RAISE(ABORT, 'this ledger was copied, and the copy goes on'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER installation_event_no_delete BEFORE DELETE ON installation_event
BEGIN SELECT RAISE(ABORT, 'rows of installation_event are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER installation_event_append_only BEFORE UPDATE ON installation_event
BEGIN SELECT RAISE(ABORT, 'rows of installation_event are never changed'); END;
-- +goose StatementEnd

-- The host that uses this file. PostgreSQL has no such table: it serves many.
CREATE TABLE host (
  id      INTEGER PRIMARY KEY CHECK (id = 1),
  boot    TEXT NOT NULL,
  machine TEXT NOT NULL,
  name    TEXT NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;

-- 2. Plans, and the people who decide on them.

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
  -- Every line is bought, or none.
  all_or_nothing      INTEGER NOT NULL CHECK (all_or_nothing IN (0, 1)),
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

-- What of a plan's input is not in it, because nobody can buy it: advice. The digest
-- does not cover it.
CREATE TABLE plan_advice (
  plan_id TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  number  INTEGER NOT NULL CHECK (number >= 1),
  place   TEXT NOT NULL,
  what    TEXT NOT NULL CHECK (what <> ''),
  why     TEXT NOT NULL CHECK (why <> ''),
  PRIMARY KEY (plan_id, number)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER plan_advice_no_delete BEFORE DELETE ON plan_advice
BEGIN SELECT RAISE(ABORT, 'rows of plan_advice are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_advice_append_only BEFORE UPDATE ON plan_advice
BEGIN SELECT RAISE(ABORT, 'rows of plan_advice are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_advice_with_its_plan BEFORE INSERT ON plan_advice
  WHEN NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'proposed')
BEGIN SELECT RAISE(ABORT, 'advice is stored with a new plan, never later'); END;
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
CREATE TRIGGER decision_append_only BEFORE UPDATE ON decision
BEGIN SELECT RAISE(ABORT, 'rows of decision are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_frozen BEFORE UPDATE ON plan
  WHEN NEW.id IS NOT OLD.id OR NEW.lineage IS NOT OLD.lineage OR NEW.version IS NOT OLD.version OR NEW.name IS NOT OLD.name OR NEW.requester IS NOT OLD.requester OR NEW.requester_key IS NOT OLD.requester_key OR NEW.approvals_needed IS NOT OLD.approvals_needed OR NEW.self_approval IS NOT OLD.self_approval OR NEW.approvers IS NOT OLD.approvers OR NEW.created_at IS NOT OLD.created_at OR NEW.tolerance_bp IS NOT OLD.tolerance_bp OR NEW.all_or_nothing IS NOT OLD.all_or_nothing OR NEW.currency IS NOT OLD.currency OR NEW.upfront IS NOT OLD.upfront OR NEW.hourly IS NOT OLD.hourly OR NEW.total IS NOT OLD.total OR NEW.digest IS NOT OLD.digest
BEGIN SELECT RAISE(ABORT, 'a plan is frozen'); END;
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

-- 3. Lines and how they may move.

CREATE TABLE line (
  id               TEXT PRIMARY KEY,
  plan_id          TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  number           INTEGER NOT NULL CHECK (number >= 1),
  provider         TEXT NOT NULL,
  service          TEXT NOT NULL,
  account          TEXT NOT NULL,
  region           TEXT NOT NULL,
  class            TEXT NOT NULL CHECK (class IN ('A', 'B', 'C', 'Q', 'H', 'AC')),
  spec             TEXT NOT NULL,
  -- What it costs over its term, as spec says it, for sums.
  currency         TEXT NOT NULL DEFAULT '',
  total            TEXT NOT NULL DEFAULT '',
  state            TEXT NOT NULL CHECK (state IN ('draft', 'ready', 'armed', 'queued', 'purchased', 'failed',
                     'canceled', 'expired', 'superseded', 'needs_reapproval', 'needs_review', 'recovery')),
  generation       INTEGER NOT NULL CHECK (generation >= 1),
  armed            INTEGER NOT NULL CHECK (armed >= 0),
  version          INTEGER NOT NULL CHECK (version >= 0),
  cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
  decided_by       TEXT NOT NULL DEFAULT '', -- who closed it by a decision instead of evidence
  begun            INTEGER NOT NULL DEFAULT 0 CHECK (begun IN (0, 1)), -- a worker may arm it: see table begun
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
  WHERE state = 'armed' AND class IN ('C', 'AC');
-- What workers pick from, in the order in which it is due.
CREATE INDEX line_due ON line (look_at, id)
  WHERE CASE WHEN state IN ('armed', 'queued', 'recovery') THEN 1 WHEN state IN ('ready', 'needs_reapproval') THEN begun ELSE 0 END = 1;
-- What a worker can do something for, in the order in which it is due.
CREATE INDEX line_open ON line (look_at, id)
  WHERE state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'recovery');
CREATE INDEX line_open_of_plan ON line (plan_id, look_at, id)
  WHERE state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'recovery');
CREATE INDEX line_lane ON line (provider, account, region, service, state);
-- What people page through: the lines of the newest plan first, in its order; counts
-- and sums by plan and over all are read from an index alone.
CREATE INDEX line_page ON line (plan_id DESC, number, state, account, currency, total);
-- By an expression: what workers pick from is not to be looked for in it.
CREATE INDEX line_page_in_state ON line ((state || ''), plan_id DESC, number);
CREATE INDEX line_page_of_account ON line (account, plan_id DESC, number);
CREATE INDEX line_sums ON line (account, state, currency, total);
CREATE INDEX plan_page_in_state ON plan (state, id DESC);

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
CREATE TRIGGER line_no_delete BEFORE DELETE ON line
BEGIN SELECT RAISE(ABORT, 'rows of line are never deleted'); END;
-- +goose StatementEnd
-- Guards of columns that a step does not name are asked only where they are named.
-- +goose StatementBegin
CREATE TRIGGER line_frozen BEFORE UPDATE OF id, plan_id, number, provider, service, account, region, class, spec, currency, total ON line
  WHEN NEW.id IS NOT OLD.id OR NEW.plan_id IS NOT OLD.plan_id OR NEW.number IS NOT OLD.number OR NEW.provider IS NOT OLD.provider OR NEW.service IS NOT OLD.service OR NEW.account IS NOT OLD.account OR NEW.region IS NOT OLD.region OR NEW.class IS NOT OLD.class OR NEW.spec IS NOT OLD.spec OR NEW.currency IS NOT OLD.currency OR NEW.total IS NOT OLD.total
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
CREATE TRIGGER line_can_be_taken_back BEFORE INSERT ON line
  WHEN NEW.class <> 'Q' AND EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.all_or_nothing = 1)
BEGIN SELECT RAISE(ABORT, 'an all-or-nothing plan holds lines whose orders can be deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_decided_once BEFORE UPDATE OF decided_by ON line
  WHEN NEW.decided_by IS NOT OLD.decided_by
    AND NOT (OLD.decided_by = '' AND OLD.state = 'needs_review' AND NEW.state IN ('purchased', 'failed'))
BEGIN SELECT RAISE(ABORT, 'a person decides a line out of review, once'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_undecided BEFORE INSERT ON line
  WHEN NEW.decided_by <> ''
BEGIN SELECT RAISE(ABORT, 'a new line is not decided'); END;
-- +goose StatementEnd

-- Asked after the line is in the index of lanes: whatever keeps the lane was armed
-- before that, and is seen, or waits.
-- +goose StatementBegin
CREATE TRIGGER line_lane_is_kept AFTER UPDATE OF armed ON line
  WHEN NEW.armed > OLD.armed AND NEW.class IN ('C', 'AC') AND EXISTS (
    SELECT 1 FROM line o WHERE o.class IN ('C', 'AC') AND o.state IN ('armed', 'needs_review', 'recovery') AND o.id <> NEW.id
      AND o.provider = NEW.provider AND o.account = NEW.account AND o.region = NEW.region AND o.service = NEW.service)
BEGIN SELECT RAISE(ABORT, 'another purchase keeps the lane'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER line_copied BEFORE UPDATE ON line
  WHEN EXISTS (SELECT 1 FROM installation i WHERE i.copied_to <> '')
BEGIN SELECT RAISE(ABORT, 'this ledger was copied, and the copy goes on'); END;
-- +goose StatementEnd

-- What was planned under which policy, a file that people keep; a later version of a
-- plan is under the policy of the first.
CREATE TABLE plan_policy (
  lineage TEXT PRIMARY KEY,
  policy  TEXT NOT NULL CHECK (policy <> ''),
  file    TEXT NOT NULL,
  sha256  TEXT NOT NULL CHECK (length(sha256) = 64), -- of the file
  tranche INTEGER NOT NULL CHECK (tranche >= 0)      -- of its ladder; 0 without one
) STRICT;
CREATE INDEX plan_policy_name ON plan_policy (policy);

-- When nothing of a plan is bought, by its policy; a later version of a plan has the
-- times of the first.
CREATE TABLE plan_blackout (
  lineage  TEXT NOT NULL,
  number   INTEGER NOT NULL CHECK (number >= 1),
  from_at  INTEGER NOT NULL,
  until_at INTEGER NOT NULL CHECK (until_at > from_at), -- not a part of it
  why      TEXT NOT NULL,
  place    TEXT NOT NULL, -- where the policy says it
  PRIMARY KEY (lineage, number)
) STRICT;

-- Why each line is in the plan, and why the rest of the advice is not, under number 0.
-- The digest does not cover it: nothing is bought by it.
CREATE TABLE plan_explanation (
  plan_id TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  number  INTEGER NOT NULL CHECK (number >= 1),
  line    INTEGER NOT NULL CHECK (line >= 0),
  key     TEXT NOT NULL, -- what the advice is about
  about   TEXT NOT NULL,
  place   TEXT NOT NULL,
  what    TEXT NOT NULL,
  steps   TEXT NOT NULL CHECK (steps <> ''),
  PRIMARY KEY (plan_id, number)
) STRICT;

-- What people said about advice. The newest row on a key counts.
CREATE TABLE advice_verdict (
  id      TEXT PRIMARY KEY,
  key     TEXT NOT NULL CHECK (key <> ''),
  about   TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('dismissed', 'snoozed', 'restored')),
  until   INTEGER NOT NULL,
  reason  TEXT NOT NULL CHECK (reason <> ''),
  person  TEXT NOT NULL CHECK (person <> ''),
  at      INTEGER NOT NULL,
  CHECK ((verdict = 'snoozed') = (until > at))
) STRICT;

-- Which recommendation of Google's Recommender a line carries out, and what it was marked
-- as there. The digest does not cover it: nothing is bought by it and nothing waits for
-- it. next_at is 0 where it is not tried any more.
CREATE TABLE recommendation (
  line_id   TEXT PRIMARY KEY REFERENCES line (id) ON DELETE RESTRICT,
  name      TEXT NOT NULL CHECK (name <> ''),
  etag      TEXT NOT NULL CHECK (etag <> ''), -- as it was planned
  mark      TEXT NOT NULL DEFAULT '' CHECK (mark IN ('', 'CLAIMED', 'SUCCEEDED', 'FAILED')),
  marked_at INTEGER NOT NULL DEFAULT 0,
  tries     INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  next_at   INTEGER NOT NULL,
  detail    TEXT NOT NULL DEFAULT '', -- why the last try did not mark it
  CHECK ((mark = '') = (marked_at = 0)),
  CHECK (mark IN ('', 'CLAIMED') OR next_at = 0)
) STRICT;
CREATE INDEX recommendation_due ON recommendation (next_at) WHERE next_at > 0;

-- +goose StatementBegin
CREATE TRIGGER plan_policy_no_delete BEFORE DELETE ON plan_policy
BEGIN SELECT RAISE(ABORT, 'rows of plan_policy are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_policy_append_only BEFORE UPDATE ON plan_policy
BEGIN SELECT RAISE(ABORT, 'rows of plan_policy are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_blackout_no_delete BEFORE DELETE ON plan_blackout
BEGIN SELECT RAISE(ABORT, 'rows of plan_blackout are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_blackout_append_only BEFORE UPDATE ON plan_blackout
BEGIN SELECT RAISE(ABORT, 'rows of plan_blackout are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_explanation_no_delete BEFORE DELETE ON plan_explanation
BEGIN SELECT RAISE(ABORT, 'rows of plan_explanation are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_explanation_append_only BEFORE UPDATE ON plan_explanation
BEGIN SELECT RAISE(ABORT, 'rows of plan_explanation are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER advice_verdict_no_delete BEFORE DELETE ON advice_verdict
BEGIN SELECT RAISE(ABORT, 'rows of advice_verdict are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER advice_verdict_append_only BEFORE UPDATE ON advice_verdict
BEGIN SELECT RAISE(ABORT, 'rows of advice_verdict are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_policy_with_its_plan BEFORE INSERT ON plan_policy
  WHEN NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.lineage AND p.version = 1 AND p.state = 'proposed')
BEGIN SELECT RAISE(ABORT, 'a policy is stored with a new plan, never later'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_blackout_with_its_plan BEFORE INSERT ON plan_blackout
  WHEN NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.lineage AND p.version = 1 AND p.state = 'proposed')
BEGIN SELECT RAISE(ABORT, 'a blackout is stored with a new plan, never later'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_explanation_with_its_plan BEFORE INSERT ON plan_explanation
  WHEN NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'proposed')
BEGIN SELECT RAISE(ABORT, 'an explanation is stored with a new plan, never later'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER recommendation_no_delete BEFORE DELETE ON recommendation
BEGIN SELECT RAISE(ABORT, 'rows of recommendation are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER recommendation_frozen BEFORE UPDATE ON recommendation
  WHEN NEW.line_id IS NOT OLD.line_id OR NEW.name IS NOT OLD.name OR NEW.etag IS NOT OLD.etag OR NEW.tries < OLD.tries OR OLD.next_at = 0
    OR NEW.mark <> OLD.mark AND NOT (OLD.tries > 0 AND (OLD.mark = '' AND NEW.mark = 'CLAIMED' OR OLD.mark = 'CLAIMED' AND NEW.mark IN ('SUCCEEDED', 'FAILED')))
BEGIN SELECT RAISE(ABORT, 'what a line carries out is frozen, and it is claimed before it ends, once'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER recommendation_copied BEFORE UPDATE ON recommendation
  WHEN EXISTS (SELECT 1 FROM installation i WHERE i.copied_to <> '')
BEGIN SELECT RAISE(ABORT, 'this ledger was copied, and the copy goes on'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER recommendation_with_its_plan BEFORE INSERT ON recommendation
  WHEN NEW.mark <> '' OR NEW.tries <> 0
    OR NOT EXISTS (SELECT 1 FROM line l JOIN plan p ON p.id = l.plan_id WHERE l.id = NEW.line_id AND p.state = 'proposed')
BEGIN SELECT RAISE(ABORT, 'a recommendation is stored unmarked with a new plan, never later'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER policy_one_open_plan BEFORE INSERT ON plan_policy
  WHEN EXISTS (
    SELECT 1 FROM plan p JOIN plan_policy o ON o.lineage = p.lineage
    WHERE o.policy = NEW.policy AND o.lineage <> NEW.lineage AND (p.state = 'proposed' OR EXISTS (
      SELECT 1 FROM line l WHERE l.plan_id = p.id AND l.state NOT IN ('purchased', 'failed', 'canceled', 'expired', 'superseded'))))
BEGIN SELECT RAISE(ABORT, 'a policy has one open plan'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER policy_one_open_version BEFORE INSERT ON plan
  WHEN EXISTS (
    SELECT 1 FROM plan p JOIN plan_policy o ON o.lineage = p.lineage
    WHERE o.policy = (SELECT m.policy FROM plan_policy m WHERE m.lineage = NEW.lineage) AND o.lineage <> NEW.lineage AND (p.state = 'proposed' OR EXISTS (
      SELECT 1 FROM line l WHERE l.plan_id = p.id AND l.state NOT IN ('purchased', 'failed', 'canceled', 'expired', 'superseded'))))
BEGIN SELECT RAISE(ABORT, 'a policy has one open plan'); END;
-- +goose StatementEnd

-- 4. What was sent, what the cloud said, what was bought.

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
  -- When its term is over, in months after its start, and what the line costs over it, for
  -- sums of what is bound and of what ends.
  ends_at       INTEGER NOT NULL,
  term_months   INTEGER NOT NULL,
  currency      TEXT NOT NULL,
  total         TEXT NOT NULL,
  UNIQUE (provider, account, region, service, commitment_id),
  FOREIGN KEY (line_id, n) REFERENCES attempt (line_id, n) ON DELETE RESTRICT
) STRICT;
-- Sums of what has not ended are read from this index alone, also by day.
CREATE INDEX receipt_sums ON receipt (account, currency, total, term_months, (ends_at / 86400000000), ends_at);
-- What ends next, in its order.
CREATE INDEX receipt_ends ON receipt (ends_at, line_id, at, account);

-- +goose StatementBegin
CREATE TRIGGER attempt_no_delete BEFORE DELETE ON attempt
BEGIN SELECT RAISE(ABORT, 'rows of attempt are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attempt_not_in_blackout BEFORE INSERT ON attempt
  WHEN EXISTS (
    SELECT 1 FROM line l JOIN plan p ON p.id = l.plan_id JOIN plan_blackout b ON b.lineage = p.lineage
    WHERE l.id = NEW.line_id AND (NEW.armed_at >= b.from_at AND NEW.armed_at < b.until_at OR NEW.fire_at >= b.from_at AND NEW.fire_at < b.until_at))
BEGIN SELECT RAISE(ABORT, 'nothing of the plan is bought in its blackout'); END;
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
CREATE TRIGGER evidence_append_only BEFORE UPDATE ON evidence
BEGIN SELECT RAISE(ABORT, 'rows of evidence are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER receipt_append_only BEFORE UPDATE ON receipt
BEGIN SELECT RAISE(ABORT, 'rows of receipt are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attempt_frozen BEFORE UPDATE OF line_id, n, generation, nonce, protocol, account, region, identity, intent, intent_sha256, credential, armed_at, answer_by, deadline, settled_at, before_ids, fire_at ON attempt
  WHEN NEW.line_id IS NOT OLD.line_id OR NEW.n IS NOT OLD.n OR NEW.generation IS NOT OLD.generation OR NEW.nonce IS NOT OLD.nonce OR NEW.protocol IS NOT OLD.protocol OR NEW.account IS NOT OLD.account OR NEW.region IS NOT OLD.region OR NEW.identity IS NOT OLD.identity OR NEW.intent IS NOT OLD.intent OR NEW.intent_sha256 IS NOT OLD.intent_sha256 OR NEW.credential IS NOT OLD.credential OR NEW.armed_at IS NOT OLD.armed_at OR NEW.answer_by IS NOT OLD.answer_by OR NEW.deadline IS NOT OLD.deadline OR NEW.settled_at IS NOT OLD.settled_at OR NEW.before_ids IS NOT OLD.before_ids OR NEW.fire_at IS NOT OLD.fire_at
BEGIN SELECT RAISE(ABORT, 'what an attempt may send is frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attempt_closed BEFORE UPDATE ON attempt
  WHEN OLD.state IN ('unsent', 'succeeded', 'rejected', 'dead')
BEGIN SELECT RAISE(ABORT, 'a closed attempt is never changed'); END;
-- +goose StatementEnd

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
  cap        INTEGER NOT NULL CHECK (cap >= 0), -- millionths of the currency
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL,
  changed_at INTEGER NOT NULL,
  changed_by TEXT NOT NULL,
  retired_at INTEGER NOT NULL DEFAULT 0,
  retired_by TEXT NOT NULL DEFAULT '',
  CHECK ((plan_id IS NULL) = (name <> '')),
  CHECK (plan_id IS NULL OR (period = 'plan' AND measure = 'total' AND account = ''))
) STRICT;
CREATE UNIQUE INDEX budget_one_of_a_name ON budget (name) WHERE retired_at = 0 AND plan_id IS NULL;

-- What approvals have taken from a budget in one period: a plan's id, a month in UTC
-- such as 2026-11, or 'ever'. It is the sum of the holds that are held or spent, so
-- that a purchase, which turns the one into the other, does not touch this row: lines
-- that are bought at once would wait for each other. Amounts are millionths of the
-- budget's currency.
CREATE TABLE budget_period (
  budget_id TEXT NOT NULL REFERENCES budget (id) ON DELETE RESTRICT,
  period    TEXT NOT NULL CHECK (period <> ''),
  cap       INTEGER NOT NULL,
  taken     INTEGER NOT NULL,
  PRIMARY KEY (budget_id, period),
  CHECK (taken >= 0 AND taken <= cap)
) STRICT;

-- What an approved line takes from a budget, from its approval to its end.
CREATE TABLE hold (
  line_id   TEXT NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  budget_id TEXT NOT NULL,
  period    TEXT NOT NULL,
  amount    INTEGER NOT NULL CHECK (amount >= 0),
  state     TEXT NOT NULL CHECK (state IN ('held', 'spent', 'released', 'returned')),
  at        INTEGER NOT NULL, -- of the approval
  ended_at  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (line_id, budget_id),
  FOREIGN KEY (budget_id, period) REFERENCES budget_period (budget_id, period) ON DELETE RESTRICT,
  CHECK ((state = 'held') = (ended_at = 0))
) STRICT;
CREATE INDEX hold_budget ON hold (budget_id, period, state, amount);

-- +goose StatementBegin
CREATE TRIGGER budget_no_delete BEFORE DELETE ON budget
BEGIN SELECT RAISE(ABORT, 'rows of budget are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER budget_period_no_delete BEFORE DELETE ON budget_period
BEGIN SELECT RAISE(ABORT, 'rows of budget_period are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hold_no_delete BEFORE DELETE ON hold
BEGIN SELECT RAISE(ABORT, 'rows of hold are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER budget_frozen BEFORE UPDATE ON budget
  WHEN NEW.id IS NOT OLD.id OR NEW.plan_id IS NOT OLD.plan_id OR NEW.name IS NOT OLD.name OR NEW.account IS NOT OLD.account OR NEW.period IS NOT OLD.period OR NEW.measure IS NOT OLD.measure OR NEW.currency IS NOT OLD.currency OR NEW.created_at IS NOT OLD.created_at OR NEW.created_by IS NOT OLD.created_by
BEGIN SELECT RAISE(ABORT, 'what a budget measures is frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER budget_retired BEFORE UPDATE ON budget
  WHEN OLD.retired_at <> 0 OR OLD.plan_id IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a retired budget and the ceiling of a plan are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER budget_period_frozen BEFORE UPDATE ON budget_period
  WHEN NEW.budget_id IS NOT OLD.budget_id OR NEW.period IS NOT OLD.period
    OR NEW.cap IS NOT OLD.cap AND EXISTS (SELECT 1 FROM budget WHERE id = OLD.budget_id AND (plan_id IS NOT NULL OR retired_at <> 0))
BEGIN SELECT RAISE(ABORT, 'the period of a budget, and the ceiling of a plan, are frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER budget_period_taken_stays BEFORE UPDATE ON budget_period
  WHEN NEW.taken < OLD.taken AND NOT EXISTS (
    SELECT 1 FROM hold h WHERE h.budget_id = NEW.budget_id AND h.period = NEW.period AND h.state IN ('released', 'returned') AND h.amount = OLD.taken - NEW.taken)
BEGIN SELECT RAISE(ABORT, 'what is taken stays taken until a hold of that amount is over'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hold_frozen BEFORE UPDATE OF line_id, budget_id, period, amount, at ON hold
  WHEN NEW.line_id IS NOT OLD.line_id OR NEW.budget_id IS NOT OLD.budget_id OR NEW.period IS NOT OLD.period OR NEW.amount IS NOT OLD.amount OR NEW.at IS NOT OLD.at
BEGIN SELECT RAISE(ABORT, 'what a hold takes is frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hold_starts_held BEFORE INSERT ON hold
  WHEN NEW.state <> 'held'
BEGIN SELECT RAISE(ABORT, 'a hold starts as held'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hold_ends_once BEFORE UPDATE ON hold
  WHEN OLD.state <> 'held' AND NOT (OLD.state = 'spent' AND NEW.state = 'returned')
BEGIN SELECT RAISE(ABORT, 'a hold that has ended is never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hold_spent_with_receipt BEFORE UPDATE ON hold
  WHEN NEW.state = 'spent' AND NOT EXISTS (SELECT 1 FROM receipt WHERE line_id = NEW.line_id)
BEGIN SELECT RAISE(ABORT, 'a hold is spent only with a commitment'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hold_released_after_end BEFORE UPDATE ON hold
  WHEN NEW.state = 'released' AND NOT EXISTS (
    SELECT 1 FROM line WHERE id = NEW.line_id AND state IN ('failed', 'canceled', 'expired', 'superseded'))
BEGIN SELECT RAISE(ABORT, 'a hold is released only when its line has ended without a purchase'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_opens_with_hold BEFORE UPDATE ON line
  WHEN OLD.state = 'draft' AND NEW.state = 'ready' AND NOT EXISTS (
    SELECT 1 FROM hold h JOIN budget b ON b.id = h.budget_id
    WHERE h.line_id = OLD.id AND h.state = 'held' AND b.plan_id = OLD.plan_id)
BEGIN SELECT RAISE(ABORT, 'a line is opened only with a hold on the ceiling of its plan'); END;
-- +goose StatementEnd

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
  requested_at     INTEGER NOT NULL,
  comment          TEXT NOT NULL,
  -- The rule by which people approve, as it was when it was asked for.
  approvals_needed INTEGER NOT NULL CHECK (approvals_needed >= 1),
  self_approval    INTEGER NOT NULL CHECK (self_approval IN (0, 1)),
  approvers        TEXT NOT NULL,
  until            INTEGER NOT NULL CHECK (until > 0), -- nothing is sent afterwards
  state            TEXT NOT NULL CHECK (state IN ('requested', 'approved', 'sent', 'returned', 'refused', 'kept', 'rejected', 'expired')),
  tries            INTEGER NOT NULL CHECK (tries >= 0),
  deadline         INTEGER NOT NULL DEFAULT 0, -- of the last request
  settled_at       INTEGER NOT NULL DEFAULT 0, -- from then on a listing shows what it did
  outcome          TEXT NOT NULL DEFAULT '',
  detail           TEXT NOT NULL DEFAULT '',
  updated_at       INTEGER NOT NULL,
  CHECK (state <> 'sent' OR tries > 0 AND deadline > 0 AND settled_at >= deadline)
) STRICT;
CREATE UNIQUE INDEX undo_one_open ON undo (line_id) WHERE state IN ('requested', 'approved', 'sent');

-- One person's yes or no on an undo.
CREATE TABLE undo_decision (
  id         TEXT PRIMARY KEY,
  undo_id    TEXT NOT NULL REFERENCES undo (id) ON DELETE RESTRICT,
  digest     TEXT NOT NULL,
  person     TEXT NOT NULL,
  person_key TEXT NOT NULL CHECK (person_key <> ''),
  approve    INTEGER NOT NULL CHECK (approve IN (0, 1)),
  at         INTEGER NOT NULL,
  comment    TEXT NOT NULL,
  UNIQUE (undo_id, person_key, approve)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER undo_no_delete BEFORE DELETE ON undo
BEGIN SELECT RAISE(ABORT, 'rows of undo are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_decision_no_delete BEFORE DELETE ON undo_decision
BEGIN SELECT RAISE(ABORT, 'rows of undo_decision are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_decision_append_only BEFORE UPDATE ON undo_decision
BEGIN SELECT RAISE(ABORT, 'rows of undo_decision are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_frozen BEFORE UPDATE ON undo
  WHEN NEW.id IS NOT OLD.id OR NEW.line_id IS NOT OLD.line_id OR NEW.commitment_id IS NOT OLD.commitment_id OR NEW.digest IS NOT OLD.digest OR NEW.token IS NOT OLD.token OR NEW.requester IS NOT OLD.requester OR NEW.requester_key IS NOT OLD.requester_key OR NEW.requested_at IS NOT OLD.requested_at OR NEW.comment IS NOT OLD.comment OR NEW.approvals_needed IS NOT OLD.approvals_needed OR NEW.self_approval IS NOT OLD.self_approval OR NEW.approvers IS NOT OLD.approvers OR NEW.until IS NOT OLD.until
BEGIN SELECT RAISE(ABORT, 'what an undo asks for is frozen'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_starts_requested BEFORE INSERT ON undo
  WHEN NEW.state <> 'requested' OR NEW.tries <> 0
BEGIN SELECT RAISE(ABORT, 'an undo starts as requested'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_of_a_purchase BEFORE INSERT ON undo
  WHEN NOT EXISTS (
    SELECT 1 FROM receipt r JOIN line l ON l.id = r.line_id WHERE r.line_id = NEW.line_id AND r.commitment_id = NEW.commitment_id AND l.state = 'purchased')
BEGIN SELECT RAISE(ABORT, 'an undo is of what its line has bought'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_transition BEFORE UPDATE ON undo
  WHEN NEW.state <> OLD.state AND NOT (
    OLD.state = 'requested' AND NEW.state IN ('approved', 'rejected', 'expired') OR
    OLD.state = 'approved' AND NEW.state IN ('sent', 'rejected', 'expired') OR
    OLD.state = 'sent' AND NEW.state IN ('approved', 'returned', 'refused', 'kept'))
BEGIN SELECT RAISE(ABORT, 'this move of an undo is not one of its moves'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_closed BEFORE UPDATE ON undo
  WHEN OLD.state IN ('returned', 'refused', 'kept', 'rejected', 'expired')
BEGIN SELECT RAISE(ABORT, 'an undo that has ended is never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_tries BEFORE UPDATE ON undo
  WHEN NEW.tries <> OLD.tries + (OLD.state = 'approved' AND NEW.state = 'sent')
BEGIN SELECT RAISE(ABORT, 'an undo is sent once each time it is sent'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_copied BEFORE UPDATE ON undo
  WHEN EXISTS (SELECT 1 FROM installation i WHERE i.copied_to <> '')
BEGIN SELECT RAISE(ABORT, 'this ledger was copied, and the copy goes on'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_approved_by_enough BEFORE UPDATE ON undo
  WHEN NEW.state = 'approved' AND NEW.approvals_needed > (
    SELECT count(*) FROM undo_decision d WHERE d.undo_id = NEW.id AND d.digest = NEW.digest AND d.approve = 1)
BEGIN SELECT RAISE(ABORT, 'an undo is approved by as many people as it needs'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_veto BEFORE UPDATE ON undo
  WHEN NEW.state IN ('approved', 'sent') AND OLD.state <> 'sent' AND EXISTS (
    SELECT 1 FROM undo_decision d WHERE d.undo_id = NEW.id AND d.approve = 0)
BEGIN SELECT RAISE(ABORT, 'a no rejects the undo'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_decision_on_digest BEFORE INSERT ON undo_decision
  WHEN NOT EXISTS (
    SELECT 1 FROM undo u WHERE u.id = NEW.undo_id AND u.digest = NEW.digest AND (u.state = 'requested' OR u.state = 'approved' AND NEW.approve = 0))
BEGIN SELECT RAISE(ABORT, 'a decision is on the digest of an undo that is not sent'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_decision_not_by_requester BEFORE INSERT ON undo_decision
  WHEN NEW.approve = 1 AND EXISTS (
    SELECT 1 FROM undo u WHERE u.id = NEW.undo_id AND u.self_approval = 0 AND u.requester_key = NEW.person_key)
BEGIN SELECT RAISE(ABORT, 'the requester does not approve'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hold_returned_with_undo BEFORE UPDATE ON hold
  WHEN NEW.state = 'returned' AND (OLD.state <> 'spent' OR NOT EXISTS (
    SELECT 1 FROM undo u WHERE u.line_id = NEW.line_id AND u.state = 'returned'))
BEGIN SELECT RAISE(ABORT, 'a hold is returned only when the cloud took the commitment back'); END;
-- +goose StatementEnd

-- 7. Lanes, and what explains their commitments.

-- A lane that was ever listed completely, or declared exclusive.
CREATE TABLE lane (
  provider    TEXT NOT NULL,
  account     TEXT NOT NULL,
  region      TEXT NOT NULL,
  service     TEXT NOT NULL,
  imported_at INTEGER NOT NULL DEFAULT 0,
  audited_at  INTEGER NOT NULL DEFAULT 0,
  exclusive   INTEGER NOT NULL DEFAULT 0 CHECK (exclusive IN (0, 1)),
  PRIMARY KEY (provider, account, region, service)
) STRICT;

-- What a lane of a plan held when the plan was made.
CREATE TABLE plan_lane (
  plan_id   TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  provider  TEXT NOT NULL,
  account   TEXT NOT NULL,
  region    TEXT NOT NULL,
  service   TEXT NOT NULL,
  ids       TEXT NOT NULL,
  listed_at INTEGER NOT NULL CHECK (listed_at > 0),
  PRIMARY KEY (plan_id, provider, account, region, service)
) STRICT;

-- What the first complete listing of a lane showed that is not ours: it was there
-- before us.
CREATE TABLE imported_item (
  provider      TEXT NOT NULL,
  account       TEXT NOT NULL,
  region        TEXT NOT NULL,
  service       TEXT NOT NULL,
  commitment_id TEXT NOT NULL,
  commitment    TEXT NOT NULL,
  at            INTEGER NOT NULL,
  PRIMARY KEY (provider, account, region, service, commitment_id),
  FOREIGN KEY (provider, account, region, service) REFERENCES lane (provider, account, region, service) ON DELETE RESTRICT
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
CREATE TRIGGER lane_no_delete BEFORE DELETE ON lane
BEGIN SELECT RAISE(ABORT, 'rows of lane are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER imported_item_no_delete BEFORE DELETE ON imported_item
BEGIN SELECT RAISE(ABORT, 'rows of imported_item are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_lane_no_delete BEFORE DELETE ON plan_lane
BEGIN SELECT RAISE(ABORT, 'rows of plan_lane are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER imported_item_append_only BEFORE UPDATE ON imported_item
BEGIN SELECT RAISE(ABORT, 'rows of imported_item are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_lane_append_only BEFORE UPDATE ON plan_lane
BEGIN SELECT RAISE(ABORT, 'rows of plan_lane are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER lane_frozen BEFORE UPDATE ON lane
  WHEN NEW.provider IS NOT OLD.provider OR NEW.account IS NOT OLD.account OR NEW.region IS NOT OLD.region OR NEW.service IS NOT OLD.service
    OR NEW.imported_at IS NOT OLD.imported_at AND OLD.imported_at > 0 OR NEW.audited_at < OLD.audited_at
BEGIN SELECT RAISE(ABORT, 'a lane is imported once'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER imported_item_first_listing BEFORE INSERT ON imported_item
  WHEN NOT EXISTS (
    SELECT 1 FROM lane l WHERE l.provider = NEW.provider AND l.account = NEW.account AND l.region = NEW.region
      AND l.service = NEW.service AND l.imported_at = NEW.at)
  OR EXISTS (
    SELECT 1 FROM receipt r WHERE r.provider = NEW.provider AND r.account = NEW.account AND r.region = NEW.region
      AND r.service = NEW.service AND lower(r.commitment_id) = lower(NEW.commitment_id))
BEGIN SELECT RAISE(ABORT, 'only what the first listing of a lane showed and no receipt names is imported'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_lane_with_its_plan BEFORE INSERT ON plan_lane
  WHEN NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'proposed')
BEGIN SELECT RAISE(ABORT, 'what a lane held is stored with a new plan, never later'); END;
-- +goose StatementEnd

-- 8. What became of a purchase.

-- When a purchased line is looked at next. next_at is 0 when its commitment has
-- come to its end.
CREATE TABLE watch (
  line_id TEXT PRIMARY KEY REFERENCES receipt (line_id) ON DELETE RESTRICT,
  next_at INTEGER NOT NULL CHECK (next_at >= 0),
  stage   INTEGER NOT NULL CHECK (stage >= 0),
  state   TEXT NOT NULL
) STRICT;
CREATE INDEX watch_due ON watch (next_at);

-- What became of a commitment after its purchase.
CREATE TABLE fact (
  id         TEXT PRIMARY KEY,
  line_id    TEXT NOT NULL REFERENCES receipt (line_id) ON DELETE RESTRICT,
  at         INTEGER NOT NULL,
  kind       TEXT NOT NULL CHECK (kind IN ('active', 'payment_failed', 'returned', 'retired', 'differs', 'missing', 'heuristic_mixed')),
  detail     TEXT NOT NULL,
  commitment TEXT NOT NULL
) STRICT;
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
  first_seen    INTEGER NOT NULL,
  last_seen     INTEGER NOT NULL,
  closed_at     INTEGER NOT NULL DEFAULT 0,
  CHECK (last_seen >= first_seen)
) STRICT;
CREATE UNIQUE INDEX finding_one_open ON finding (provider, account, region, service, commitment_id, kind) WHERE closed_at = 0;

-- +goose StatementBegin
CREATE TRIGGER watch_no_delete BEFORE DELETE ON watch
BEGIN SELECT RAISE(ABORT, 'rows of watch are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER fact_no_delete BEFORE DELETE ON fact
BEGIN SELECT RAISE(ABORT, 'rows of fact are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_no_delete BEFORE DELETE ON finding
BEGIN SELECT RAISE(ABORT, 'rows of finding are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER fact_append_only BEFORE UPDATE ON fact
BEGIN SELECT RAISE(ABORT, 'rows of fact are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER watch_counts_up BEFORE UPDATE ON watch
  WHEN NEW.line_id IS NOT OLD.line_id OR NEW.stage < OLD.stage
BEGIN SELECT RAISE(ABORT, 'the looks at a line only count up'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_frozen BEFORE UPDATE ON finding
  WHEN NEW.id IS NOT OLD.id OR NEW.provider IS NOT OLD.provider OR NEW.account IS NOT OLD.account OR NEW.region IS NOT OLD.region
    OR NEW.service IS NOT OLD.service OR NEW.commitment_id IS NOT OLD.commitment_id OR NEW.kind IS NOT OLD.kind
    OR NEW.first_seen IS NOT OLD.first_seen OR OLD.closed_at > 0
BEGIN SELECT RAISE(ABORT, 'what a finding is about is frozen, and a closed one is never changed'); END;
-- +goose StatementEnd

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
  fire_at    INTEGER NOT NULL,
  token      TEXT NOT NULL,
  offering   TEXT NOT NULL,
  before     TEXT NOT NULL,
  order_id   TEXT NOT NULL DEFAULT '',
  started_at INTEGER NOT NULL,
  closed_at  INTEGER NOT NULL DEFAULT 0,
  CHECK (fire_at >= started_at + 2592000000000)
) STRICT;
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
  value    INTEGER NOT NULL CHECK (value >= 0),
  holds    INTEGER NOT NULL CHECK (holds IN (0, 1)),
  detail   TEXT NOT NULL,
  at       INTEGER NOT NULL
) STRICT;
CREATE INDEX calibration_account ON calibration (provider, account, id);

-- +goose StatementBegin
CREATE TRIGGER trial_no_delete BEFORE DELETE ON trial
BEGIN SELECT RAISE(ABORT, 'rows of trial are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER calibration_no_delete BEFORE DELETE ON calibration
BEGIN SELECT RAISE(ABORT, 'rows of calibration are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER calibration_append_only BEFORE UPDATE ON calibration
BEGIN SELECT RAISE(ABORT, 'rows of calibration are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER trial_frozen BEFORE UPDATE ON trial
  WHEN NEW.id IS NOT OLD.id OR NEW.provider IS NOT OLD.provider OR NEW.account IS NOT OLD.account OR NEW.region IS NOT OLD.region
    OR NEW.service IS NOT OLD.service OR NEW.experiment IS NOT OLD.experiment OR NEW.fire_at IS NOT OLD.fire_at OR NEW.token IS NOT OLD.token
    OR NEW.offering IS NOT OLD.offering OR NEW.before IS NOT OLD.before OR NEW.started_at IS NOT OLD.started_at
    OR NEW.order_id IS NOT OLD.order_id AND OLD.order_id IS NOT '' OR OLD.closed_at > 0
BEGIN SELECT RAISE(ABORT, 'what a trial orders is frozen, and a closed one is never changed'); END;
-- +goose StatementEnd

-- 10. What goes on by itself.

-- A person's word that the lines of an approved plan may be bought from now on, by
-- whatever process works on the ledger.
CREATE TABLE begun (
  plan_id TEXT PRIMARY KEY REFERENCES plan (id) ON DELETE RESTRICT,
  person  TEXT NOT NULL CHECK (person <> ''),
  at      INTEGER NOT NULL,
  how     TEXT NOT NULL CHECK (how IN ('apply', 'detached', 'scheduled'))
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER begun_no_delete BEFORE DELETE ON begun
BEGIN SELECT RAISE(ABORT, 'rows of begun are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER begun_append_only BEFORE UPDATE ON begun
BEGIN SELECT RAISE(ABORT, 'rows of begun are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER begun_of_approved BEFORE INSERT ON begun
  WHEN NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'approved' AND p.approval_expires_at > NEW.at)
BEGIN SELECT RAISE(ABORT, 'only an approved plan is begun'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_begun_with_plan BEFORE UPDATE OF begun ON line
  WHEN NEW.begun <> OLD.begun AND (NEW.begun = 0 OR NOT EXISTS (SELECT 1 FROM begun b WHERE b.plan_id = NEW.plan_id))
BEGIN SELECT RAISE(ABORT, 'a line is begun with its plan, once'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_starts_unbegun BEFORE INSERT ON line
  WHEN NEW.begun <> 0
BEGIN SELECT RAISE(ABORT, 'a new line is not begun'); END;
-- +goose StatementEnd

-- What is done again and again, one row for each task; every is 0 for one that is off.
-- Whoever takes a tick moves next_at on and holds the row until held_until, which it
-- puts off while it runs: what a process that died has held is taken by another one.
CREATE TABLE schedule (
  task       TEXT PRIMARY KEY CHECK (task IN ('resolve', 'audit', 'inventory', 'expire', 'outbox', 'recommendations') OR task LIKE 'propose:%'),
  every      INTEGER NOT NULL CHECK (every >= 0),
  next_at    INTEGER NOT NULL,
  holder     TEXT NOT NULL DEFAULT '',
  held_until INTEGER NOT NULL DEFAULT 0,
  last_at    INTEGER NOT NULL DEFAULT 0,
  last_took  INTEGER NOT NULL DEFAULT 0,
  outcome    TEXT NOT NULL DEFAULT '' CHECK (outcome IN ('', 'done', 'error', 'decision', 'in_doubt')),
  detail     TEXT NOT NULL DEFAULT '',
  version    INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A person's word that a plan is begun at a time.
CREATE TABLE plan_schedule (
  id       TEXT PRIMARY KEY,
  plan_id  TEXT NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  at       INTEGER NOT NULL,
  person   TEXT NOT NULL CHECK (person <> ''),
  made_at  INTEGER NOT NULL,
  state    TEXT NOT NULL CHECK (state IN ('waiting', 'begun', 'canceled', 'refused')),
  ended_at INTEGER NOT NULL DEFAULT 0,
  ended_by TEXT NOT NULL DEFAULT '',
  detail   TEXT NOT NULL DEFAULT '',
  CHECK ((state = 'waiting') = (ended_at = 0))
) STRICT;
CREATE UNIQUE INDEX plan_schedule_one_waiting ON plan_schedule (plan_id) WHERE state = 'waiting';
CREATE INDEX plan_schedule_due ON plan_schedule (at) WHERE state = 'waiting';

-- A line that was to leave its state by a time and has not. It is raised for people
-- and closed when the line moves; no line moves because of it.
CREATE TABLE notice (
  id            TEXT PRIMARY KEY,
  line_id       TEXT NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  state         TEXT NOT NULL,
  must_leave_by INTEGER NOT NULL,
  raised_at     INTEGER NOT NULL,
  seen_at       INTEGER NOT NULL CHECK (seen_at >= raised_at),
  closed_at     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX notice_one_open ON notice (line_id) WHERE closed_at = 0;
CREATE INDEX line_overdue ON line (must_leave_by) WHERE state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'needs_review', 'recovery');

-- +goose StatementBegin
CREATE TRIGGER plan_schedule_no_delete BEFORE DELETE ON plan_schedule
BEGIN SELECT RAISE(ABORT, 'rows of plan_schedule are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_schedule_of_approved BEFORE INSERT ON plan_schedule
  WHEN NEW.state <> 'waiting' OR NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'approved' AND p.approval_expires_at > NEW.at)
BEGIN SELECT RAISE(ABORT, 'a plan is scheduled for a time at which its approval stands'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_schedule_frozen BEFORE UPDATE ON plan_schedule
  WHEN NEW.id IS NOT OLD.id OR NEW.plan_id IS NOT OLD.plan_id OR NEW.at IS NOT OLD.at OR NEW.person IS NOT OLD.person
    OR NEW.made_at IS NOT OLD.made_at OR OLD.state <> 'waiting'
BEGIN SELECT RAISE(ABORT, 'what a person has scheduled is frozen, and ends once'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER notice_no_delete BEFORE DELETE ON notice
BEGIN SELECT RAISE(ABORT, 'rows of notice are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER notice_frozen BEFORE UPDATE ON notice
  WHEN NEW.id IS NOT OLD.id OR NEW.line_id IS NOT OLD.line_id OR NEW.state IS NOT OLD.state OR NEW.must_leave_by IS NOT OLD.must_leave_by
    OR NEW.raised_at IS NOT OLD.raised_at OR OLD.closed_at > 0
BEGIN SELECT RAISE(ABORT, 'what a notice is about is frozen, and a closed one is never changed'); END;
-- +goose StatementEnd

-- What workers have learned of a lane: how many of its lines may be under way in all
-- of them together, and from when on it is asked again. It is a hint for others; no
-- purchase depends on it.
CREATE TABLE lane_pace (
  provider TEXT NOT NULL,
  account  TEXT NOT NULL,
  region   TEXT NOT NULL,
  service  TEXT NOT NULL,
  most     INTEGER NOT NULL CHECK (most >= 1),
  until    INTEGER NOT NULL,
  cause    TEXT NOT NULL,
  at       INTEGER NOT NULL,
  version  INTEGER NOT NULL CHECK (version >= 1),
  PRIMARY KEY (provider, account, region, service)
) STRICT;
CREATE INDEX attempt_under_way ON attempt (answer_by) WHERE state = 'armed';

-- +goose StatementBegin
CREATE TRIGGER schedule_no_delete BEFORE DELETE ON schedule
BEGIN SELECT RAISE(ABORT, 'rows of schedule are never deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER lane_pace_no_delete BEFORE DELETE ON lane_pace
BEGIN SELECT RAISE(ABORT, 'rows of lane_pace are never deleted'); END;
-- +goose StatementEnd

-- Which worker looks after a line that is due, for so long. It spares others the same
-- reads; no step depends on it.
CREATE TABLE claim (
  line_id TEXT PRIMARY KEY REFERENCES line (id) ON DELETE RESTRICT,
  worker  TEXT NOT NULL,
  until   INTEGER NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER claim_no_delete BEFORE DELETE ON claim
BEGIN SELECT RAISE(ABORT, 'rows of claim are never deleted'); END;
-- +goose StatementEnd

-- 11. What people are told.

-- A message about something that has happened or is about to. Its id is made of what it
-- is about, so that nothing is told twice. about names what else it is about: a finding,
-- an undo, a schedule, a channel. due_at is the time that it warns of.
CREATE TABLE outbox (
  id         TEXT PRIMARY KEY CHECK (id <> ''),
  kind       TEXT NOT NULL CHECK (kind IN ('waiting_for_approval', 'will_buy', 'bought', 'not_bought', 'in_doubt', 'needs_decision',
               'finding', 'overdue', 'expiry', 'return_window', 'payment_pending', 'undelivered')),
  plan_id    TEXT NOT NULL DEFAULT '',
  line_id    TEXT NOT NULL DEFAULT '',
  about      TEXT NOT NULL DEFAULT '',
  due_at     INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  -- When it was decided who gets it, and the document that they all get. It may be told
  -- together with others of its kind, in the one that told_by names.
  routed_at  INTEGER NOT NULL DEFAULT 0,
  told_by    TEXT NOT NULL DEFAULT '',
  document   TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX outbox_unrouted ON outbox (created_at, id) WHERE routed_at = 0;

-- One message on its way to one channel, or to one recipient of a channel that has them.
CREATE TABLE delivery (
  message_id TEXT NOT NULL REFERENCES outbox (id) ON DELETE RESTRICT,
  channel    TEXT NOT NULL CHECK (channel <> ''),
  recipient  TEXT NOT NULL,
  state      TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'given_up', 'dropped')),
  tries      INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  next_at    INTEGER NOT NULL, -- it is tried from then on
  last_at    INTEGER NOT NULL, -- and no more from then on
  ended_at   INTEGER NOT NULL DEFAULT 0,
  detail     TEXT NOT NULL DEFAULT '', -- why it was not sent, without secrets
  PRIMARY KEY (message_id, channel, recipient),
  CHECK ((state = 'waiting') = (ended_at = 0))
) STRICT;
CREATE INDEX delivery_waiting ON delivery (next_at) WHERE state = 'waiting';

-- What a person does not want to hear of for a while.
CREATE TABLE mute (
  person_key TEXT NOT NULL CHECK (person_key <> ''),
  kind       TEXT NOT NULL,
  person     TEXT NOT NULL,
  until      INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (person_key, kind)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER outbox_no_delete BEFORE DELETE ON outbox
BEGIN SELECT RAISE(ABORT, 'rows of outbox are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER delivery_no_delete BEFORE DELETE ON delivery
BEGIN SELECT RAISE(ABORT, 'rows of delivery are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER mute_no_delete BEFORE DELETE ON mute
BEGIN SELECT RAISE(ABORT, 'rows of mute are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outbox_frozen BEFORE UPDATE ON outbox
  WHEN NEW.id IS NOT OLD.id OR NEW.kind IS NOT OLD.kind OR NEW.plan_id IS NOT OLD.plan_id OR NEW.line_id IS NOT OLD.line_id
    OR NEW.about IS NOT OLD.about OR NEW.due_at IS NOT OLD.due_at OR NEW.created_at IS NOT OLD.created_at OR OLD.routed_at > 0
BEGIN SELECT RAISE(ABORT, 'what a message is about is frozen, and it is routed once'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outbox_starts_unrouted BEFORE INSERT ON outbox
  WHEN NEW.routed_at <> 0
BEGIN SELECT RAISE(ABORT, 'a new message is not routed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outbox_copied BEFORE UPDATE ON outbox
  WHEN EXISTS (SELECT 1 FROM installation i WHERE i.copied_to <> '')
BEGIN SELECT RAISE(ABORT, 'this ledger was copied, and the copy goes on'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER delivery_of_routed BEFORE INSERT ON delivery
  WHEN NEW.tries <> 0 OR NEW.state NOT IN ('waiting', 'dropped') OR NOT EXISTS (
    SELECT 1 FROM outbox o WHERE o.id = NEW.message_id AND o.routed_at > 0 AND o.told_by = '')
BEGIN SELECT RAISE(ABORT, 'a delivery starts untried, of a message that was routed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER delivery_frozen BEFORE UPDATE ON delivery
  WHEN NEW.message_id IS NOT OLD.message_id OR NEW.channel IS NOT OLD.channel OR NEW.recipient IS NOT OLD.recipient
    OR NEW.last_at IS NOT OLD.last_at OR OLD.state <> 'waiting'
BEGIN SELECT RAISE(ABORT, 'where a message goes is frozen, and a delivery ends once'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER delivery_tries BEFORE UPDATE ON delivery
  WHEN NEW.tries < OLD.tries OR NEW.state = 'sent' AND OLD.tries = 0
BEGIN SELECT RAISE(ABORT, 'what is sent was claimed before, and tries only count up'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER delivery_copied BEFORE UPDATE ON delivery
  WHEN EXISTS (SELECT 1 FROM installation i WHERE i.copied_to <> '')
BEGIN SELECT RAISE(ABORT, 'this ledger was copied, and the copy goes on'); END;
-- +goose StatementEnd

-- These write the messages, in the transaction of the change that they tell.
-- +goose StatementBegin
CREATE TRIGGER plan_tells AFTER INSERT ON plan
BEGIN
  INSERT INTO outbox (id, kind, plan_id, created_at) VALUES ('waiting_for_approval.' || NEW.id, 'waiting_for_approval', NEW.id, NEW.created_at)
  ON CONFLICT (id) DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER undo_tells AFTER INSERT ON undo
BEGIN
  INSERT INTO outbox (id, kind, plan_id, line_id, about, due_at, created_at)
  VALUES ('waiting_for_approval.' || NEW.id, 'waiting_for_approval', (SELECT l.plan_id FROM line l WHERE l.id = NEW.line_id), NEW.line_id, NEW.id, NEW.until, NEW.requested_at)
  ON CONFLICT (id) DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER line_tells AFTER UPDATE ON line
  WHEN NEW.state <> OLD.state AND NEW.state IN ('purchased', 'failed', 'expired', 'needs_review', 'needs_reapproval')
BEGIN
  INSERT INTO outbox (id, kind, plan_id, line_id, created_at)
  VALUES (CASE NEW.state WHEN 'purchased' THEN 'bought.' || NEW.id WHEN 'failed' THEN 'not_bought.' || NEW.id WHEN 'expired' THEN 'not_bought.' || NEW.id
            ELSE 'needs_decision.' || NEW.id || '.' || NEW.version END,
          CASE NEW.state WHEN 'purchased' THEN 'bought' WHEN 'failed' THEN 'not_bought' WHEN 'expired' THEN 'not_bought' ELSE 'needs_decision' END,
          NEW.plan_id, NEW.id, NEW.updated_at)
  ON CONFLICT (id) DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER attempt_tells AFTER UPDATE ON attempt
  WHEN NEW.state = 'in_doubt' AND OLD.state <> 'in_doubt'
BEGIN
  INSERT INTO outbox (id, kind, plan_id, line_id, created_at)
  VALUES ('in_doubt.' || NEW.line_id || '.' || NEW.n, 'in_doubt', (SELECT l.plan_id FROM line l WHERE l.id = NEW.line_id), NEW.line_id,
          CASE WHEN NEW.ended_at > 0 THEN NEW.ended_at ELSE NEW.armed_at END)
  ON CONFLICT (id) DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER finding_tells AFTER INSERT ON finding
BEGIN
  INSERT INTO outbox (id, kind, line_id, about, created_at) VALUES ('finding.' || NEW.id, 'finding', NEW.line_id, NEW.id, NEW.first_seen)
  ON CONFLICT (id) DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER notice_tells AFTER INSERT ON notice
BEGIN
  INSERT INTO outbox (id, kind, plan_id, line_id, about, due_at, created_at)
  VALUES ('overdue.' || NEW.line_id || '.' || NEW.must_leave_by, 'overdue', (SELECT l.plan_id FROM line l WHERE l.id = NEW.line_id), NEW.line_id, NEW.id, NEW.must_leave_by, NEW.raised_at)
  ON CONFLICT (id) DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER delivery_tells AFTER UPDATE ON delivery
  WHEN NEW.state = 'given_up' AND OLD.state <> 'given_up'
    AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id = NEW.message_id AND o.kind = 'undelivered')
BEGIN
  INSERT INTO outbox (id, kind, about, created_at)
  VALUES ('undelivered.' || NEW.channel || '.' || (NEW.ended_at / 86400000000), 'undelivered', NEW.channel, NEW.ended_at)
  ON CONFLICT (id) DO NOTHING;
END;
-- +goose StatementEnd

-- 12. What tells that the ledger is the one that it was.

-- What was outside the ledger when it was last known to be the right one.
CREATE TABLE mark (
  name  TEXT PRIMARY KEY CHECK (name <> ''),
  value TEXT NOT NULL,
  at    INTEGER NOT NULL
) STRICT;

-- Who found or said what of the ledger's past. person is 'bursar' where a mark spoke.
CREATE TABLE recovery_event (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL CHECK (kind IN ('started', 'moved', 'adopted', 'explained', 'finished')),
  incarnation INTEGER NOT NULL CHECK (incarnation >= 1),
  person      TEXT NOT NULL CHECK (person <> ''),
  at          INTEGER NOT NULL,
  detail      TEXT NOT NULL,
  comment     TEXT NOT NULL
) STRICT;

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
  at            INTEGER NOT NULL,
  UNIQUE (provider, account, region, service, commitment_id)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER mark_no_delete BEFORE DELETE ON mark
BEGIN SELECT RAISE(ABORT, 'rows of mark are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER recovery_event_no_delete BEFORE DELETE ON recovery_event
BEGIN SELECT RAISE(ABORT, 'rows of recovery_event are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER regained_item_no_delete BEFORE DELETE ON regained_item
BEGIN SELECT RAISE(ABORT, 'rows of regained_item are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER recovery_event_append_only BEFORE UPDATE ON recovery_event
BEGIN SELECT RAISE(ABORT, 'rows of recovery_event are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER regained_item_append_only BEFORE UPDATE ON regained_item
BEGIN SELECT RAISE(ABORT, 'rows of regained_item are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER mark_frozen BEFORE UPDATE ON mark
  WHEN NEW.name IS NOT OLD.name
BEGIN SELECT RAISE(ABORT, 'a mark keeps its name'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER installation_counts_up BEFORE UPDATE ON installation
  WHEN NEW.incarnation < OLD.incarnation OR NEW.restored_at < OLD.restored_at
    OR NEW.incarnation = OLD.incarnation AND (NEW.restored_at IS NOT OLD.restored_at OR NEW.backup_at IS NOT OLD.backup_at)
    OR NEW.incarnation > OLD.incarnation AND NEW.state <> 'recovery'
BEGIN SELECT RAISE(ABORT, 'a new incarnation begins in recovery'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER installation_recovered BEFORE UPDATE ON installation
  WHEN OLD.state = 'recovery' AND NEW.state <> 'recovery'
    AND (EXISTS (SELECT 1 FROM line WHERE state = 'recovery') OR EXISTS (SELECT 1 FROM finding WHERE kind = 'unexplained' AND closed_at = 0))
BEGIN SELECT RAISE(ABORT, 'recovery lasts until everything is explained'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER regained_item_unknown BEFORE INSERT ON regained_item
  WHEN EXISTS (
    SELECT 1 FROM receipt r WHERE r.provider = NEW.provider AND r.account = NEW.account AND r.region = NEW.region
      AND r.service = NEW.service AND lower(r.commitment_id) = lower(NEW.commitment_id))
BEGIN SELECT RAISE(ABORT, 'a receipt names this commitment'); END;
-- +goose StatementEnd

-- 12. People who sign in, their sessions and tokens. Of every secret only its SHA-256 is kept.

CREATE TABLE person (
  id         TEXT PRIMARY KEY,
  name       TEXT NOT NULL CHECK (name <> ''),
  name_key   TEXT NOT NULL UNIQUE CHECK (name_key <> ''), -- without case and surrounding space
  mail       TEXT NOT NULL,
  issuer     TEXT NOT NULL DEFAULT '', -- who vouches for subject; '' until the first sign-in by OIDC
  subject    TEXT NOT NULL DEFAULT '',
  roles      TEXT NOT NULL, -- names with a comma between
  accounts   TEXT NOT NULL, -- JSON list; '' is all
  given_by   TEXT NOT NULL CHECK (given_by IN ('person', 'claims')), -- who gives the roles
  disabled   INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
  created_at INTEGER NOT NULL,
  changed_at INTEGER NOT NULL,
  CHECK ((issuer = '') = (subject = ''))
) STRICT;
CREATE UNIQUE INDEX person_one_of_a_subject ON person (issuer, subject) WHERE subject <> '';
CREATE UNIQUE INDEX person_one_of_a_mail ON person (mail) WHERE mail <> '';

CREATE TABLE api_token (
  id         TEXT PRIMARY KEY,
  hash       TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
  mask       TEXT NOT NULL CHECK (mask <> ''), -- its beginning, for people
  name       TEXT NOT NULL CHECK (name <> ''),
  person_id  TEXT NOT NULL REFERENCES person (id) ON DELETE RESTRICT,
  roles      TEXT NOT NULL,
  accounts   TEXT NOT NULL,
  agent      INTEGER NOT NULL CHECK (agent IN (0, 1)),
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL CHECK (created_by <> ''),
  expires_at INTEGER NOT NULL CHECK (expires_at > created_at),
  seen_at    INTEGER NOT NULL DEFAULT 0,
  revoked_at INTEGER NOT NULL DEFAULT 0,
  revoked_by TEXT NOT NULL DEFAULT '',
  CHECK ((revoked_at = 0) = (revoked_by = ''))
) STRICT;

CREATE TABLE session (
  hash       TEXT PRIMARY KEY CHECK (length(hash) = 64),
  mask       TEXT NOT NULL CHECK (mask <> ''),
  person_id  TEXT NOT NULL REFERENCES person (id) ON DELETE RESTRICT,
  how        TEXT NOT NULL CHECK (how IN ('oidc', 'link')),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL CHECK (expires_at > created_at),
  idle       INTEGER NOT NULL CHECK (idle > 0), -- it ends so long after it was last used
  seen_at    INTEGER NOT NULL,
  ended_at   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE sign_in_link (
  id         TEXT PRIMARY KEY,
  hash       TEXT NOT NULL UNIQUE CHECK (length(hash) = 64),
  person_id  TEXT NOT NULL REFERENCES person (id) ON DELETE RESTRICT,
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL CHECK (created_by <> ''),
  expires_at INTEGER NOT NULL CHECK (expires_at > created_at),
  used_at    INTEGER NOT NULL DEFAULT 0
) STRICT;

-- How often somebody has failed to sign in since a time. A key stands for some names or
-- addresses, not one: there are so many keys and no more, whoever tries.
CREATE TABLE sign_in_try (
  key       TEXT PRIMARY KEY CHECK (key <> ''),
  window_at INTEGER NOT NULL,
  tries     INTEGER NOT NULL CHECK (tries >= 1)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER person_no_delete BEFORE DELETE ON person
BEGIN SELECT RAISE(ABORT, 'rows of person are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER api_token_no_delete BEFORE DELETE ON api_token
BEGIN SELECT RAISE(ABORT, 'rows of api_token are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER session_no_delete BEFORE DELETE ON session
BEGIN SELECT RAISE(ABORT, 'rows of session are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sign_in_link_no_delete BEFORE DELETE ON sign_in_link
BEGIN SELECT RAISE(ABORT, 'rows of sign_in_link are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sign_in_try_no_delete BEFORE DELETE ON sign_in_try
BEGIN SELECT RAISE(ABORT, 'rows of sign_in_try are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER person_frozen BEFORE UPDATE ON person
  WHEN NEW.id IS NOT OLD.id OR NEW.name IS NOT OLD.name OR NEW.name_key IS NOT OLD.name_key OR NEW.created_at IS NOT OLD.created_at
    OR OLD.subject <> '' AND (NEW.issuer IS NOT OLD.issuer OR NEW.subject IS NOT OLD.subject)
BEGIN SELECT RAISE(ABORT, 'a person keeps the name and the identity'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER api_token_frozen BEFORE UPDATE ON api_token
  WHEN NEW.id IS NOT OLD.id OR NEW.hash IS NOT OLD.hash OR NEW.mask IS NOT OLD.mask OR NEW.name IS NOT OLD.name OR NEW.person_id IS NOT OLD.person_id OR NEW.roles IS NOT OLD.roles
    OR NEW.accounts IS NOT OLD.accounts OR NEW.agent IS NOT OLD.agent OR NEW.created_at IS NOT OLD.created_at OR NEW.created_by IS NOT OLD.created_by OR NEW.expires_at IS NOT OLD.expires_at
    OR OLD.revoked_at > 0
BEGIN SELECT RAISE(ABORT, 'what a token may do is frozen, and a revoked one is never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER session_frozen BEFORE UPDATE ON session
  WHEN NEW.hash IS NOT OLD.hash OR NEW.mask IS NOT OLD.mask OR NEW.person_id IS NOT OLD.person_id OR NEW.how IS NOT OLD.how OR NEW.created_at IS NOT OLD.created_at
    OR NEW.expires_at IS NOT OLD.expires_at OR NEW.idle IS NOT OLD.idle OR OLD.ended_at > 0
BEGIN SELECT RAISE(ABORT, 'whose a session is and until when is frozen, and an ended one is never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sign_in_link_once BEFORE UPDATE ON sign_in_link
  WHEN NEW.id IS NOT OLD.id OR NEW.hash IS NOT OLD.hash OR NEW.person_id IS NOT OLD.person_id OR NEW.created_at IS NOT OLD.created_at OR NEW.created_by IS NOT OLD.created_by
    OR NEW.expires_at IS NOT OLD.expires_at OR OLD.used_at > 0
BEGIN SELECT RAISE(ABORT, 'a link signs in once'); END;
-- +goose StatementEnd

-- 13. The audit log: who did what, each entry with the hash of the one before it.

CREATE TABLE audit_entry (
  seq     INTEGER PRIMARY KEY CHECK (seq >= 1),
  at      INTEGER NOT NULL,
  actor   TEXT NOT NULL CHECK (actor <> ''),
  session TEXT NOT NULL, -- masked
  act     TEXT NOT NULL CHECK (act <> ''),
  kind    TEXT NOT NULL CHECK (kind IN ('act', 'denied', 'failed')),
  subject TEXT NOT NULL,
  details TEXT NOT NULL, -- canonical JSON
  prev    TEXT NOT NULL,
  hash    TEXT NOT NULL UNIQUE CHECK (length(hash) = 64)
) STRICT;

-- The public halves of the keys that sign receipts and exports.
CREATE TABLE signing_key (
  id         TEXT PRIMARY KEY,
  public_key TEXT NOT NULL UNIQUE CHECK (public_key <> ''),
  created_at INTEGER NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER audit_entry_no_delete BEFORE DELETE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'rows of audit_entry are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_entry_append_only BEFORE UPDATE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'rows of audit_entry are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_entry_follows BEFORE INSERT ON audit_entry
  WHEN NEW.seq <> (SELECT coalesce(max(e.seq), 0) + 1 FROM audit_entry e)
    OR NEW.prev <> coalesce((SELECT e.hash FROM audit_entry e ORDER BY e.seq DESC LIMIT 1), '')
BEGIN SELECT RAISE(ABORT, 'an entry of the audit log follows the one before it'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER signing_key_no_delete BEFORE DELETE ON signing_key
BEGIN SELECT RAISE(ABORT, 'rows of signing_key are never deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER signing_key_append_only BEFORE UPDATE ON signing_key
BEGIN SELECT RAISE(ABORT, 'rows of signing_key are never changed'); END;
-- +goose StatementEnd

-- 14. What a server has answered.

-- The answer to a request that changes something, by the key that its sender chose: the
-- same request under the same key is answered again and not carried out again. token
-- tells who carries it out while it is under way. Answers are forgotten after until.
CREATE TABLE answer (
  principal   TEXT NOT NULL CHECK (principal <> ''),
  key         TEXT NOT NULL CHECK (key <> ''),
  route       TEXT NOT NULL,
  body_sha256 TEXT NOT NULL,
  token       TEXT NOT NULL,
  state       TEXT NOT NULL CHECK (state IN ('under_way', 'done')),
  status      INTEGER NOT NULL DEFAULT 0,
  media_type  TEXT NOT NULL DEFAULT '',
  etag        TEXT NOT NULL DEFAULT '',
  body        TEXT NOT NULL DEFAULT '',
  until       INTEGER NOT NULL,
  PRIMARY KEY (principal, key)
) STRICT;
CREATE INDEX answer_until ON answer (until);
