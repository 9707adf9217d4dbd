-- +goose Up

-- refuse is what the guards do that need no look at other rows.
-- +goose StatementBegin
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'integrity_constraint_violation';
END $$;
-- +goose StatementEnd

-- 1. The installation.

CREATE TABLE installation (
  id          BIGINT PRIMARY KEY CHECK (id = 1),
  install     TEXT COLLATE "C" NOT NULL CHECK (length(install) = 4),
  incarnation BIGINT NOT NULL,
  restored_at BIGINT NOT NULL DEFAULT 0,
  backup_at   BIGINT NOT NULL DEFAULT 0,
  state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('purchasing', 'stopped', 'recovery')),
  created_at  BIGINT NOT NULL,
  copied_to   TEXT COLLATE "C" NOT NULL DEFAULT '', -- where this ledger goes on; then nothing moves in it
  CHECK (copied_to = '' OR state <> 'purchasing')
);

-- Who stopped and started purchasing. The newest row says why it is stopped.
CREATE TABLE installation_event (
  id      TEXT COLLATE "C" PRIMARY KEY,
  state   TEXT COLLATE "C" NOT NULL CHECK (state IN ('purchasing', 'stopped')),
  person  TEXT COLLATE "C" NOT NULL CHECK (person <> ''),
  at      BIGINT NOT NULL,
  comment TEXT COLLATE "C" NOT NULL
);

CREATE TRIGGER installation_no_delete BEFORE DELETE OR TRUNCATE ON installation
  EXECUTE FUNCTION refuse('rows of installation are never deleted');
CREATE TRIGGER installation_frozen BEFORE UPDATE ON installation FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.install IS DISTINCT FROM OLD.install OR NEW.created_at IS DISTINCT FROM OLD.created_at)
  EXECUTE FUNCTION refuse('the name of an installation is frozen');
CREATE TRIGGER installation_copied BEFORE UPDATE ON installation FOR EACH ROW
  WHEN (OLD.copied_to <> '')
  EXECUTE FUNCTION refuse('this ledger was copied, and the copy goes on');
CREATE TRIGGER installation_event_no_delete BEFORE DELETE OR TRUNCATE ON installation_event
  EXECUTE FUNCTION refuse('rows of installation_event are never deleted');
CREATE TRIGGER installation_event_append_only BEFORE UPDATE ON installation_event FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of installation_event are never changed');

-- 2. Plans, and the people who decide on them.

CREATE TABLE plan (
  id                  TEXT COLLATE "C" PRIMARY KEY,
  lineage             TEXT COLLATE "C" NOT NULL,
  version             BIGINT NOT NULL CHECK (version >= 1),
  name                TEXT COLLATE "C" NOT NULL,
  requester           TEXT COLLATE "C" NOT NULL,
  -- A name as it is compared: without case and surrounding space.
  requester_key       TEXT COLLATE "C" NOT NULL CHECK (requester_key <> ''),
  created_at          BIGINT NOT NULL,
  tolerance_bp        BIGINT NOT NULL,
  -- Every line is bought, or none.
  all_or_nothing      BIGINT NOT NULL CHECK (all_or_nothing IN (0, 1)),
  currency            TEXT COLLATE "C" NOT NULL,
  upfront             TEXT COLLATE "C" NOT NULL,
  hourly              TEXT COLLATE "C" NOT NULL,
  total               TEXT COLLATE "C" NOT NULL,
  digest              TEXT COLLATE "C" NOT NULL,
  state               TEXT COLLATE "C" NOT NULL CHECK (state IN ('proposed', 'approved', 'rejected', 'superseded')),
  -- The rule by which people approve, as it was when the plan was made.
  approvals_needed    BIGINT NOT NULL CHECK (approvals_needed >= 1),
  self_approval       BIGINT NOT NULL CHECK (self_approval IN (0, 1)),
  approvers           TEXT COLLATE "C" NOT NULL,
  approval_expires_at BIGINT NOT NULL DEFAULT 0,
  UNIQUE (lineage, version),
  CHECK (state <> 'approved' OR approval_expires_at > 0)
);

-- One person's yes or no on a digest. A person counts once, and may take a yes
-- back with a no.
CREATE TABLE decision (
  id         TEXT COLLATE "C" PRIMARY KEY,
  plan_id    TEXT COLLATE "C" NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  digest     TEXT COLLATE "C" NOT NULL,
  person     TEXT COLLATE "C" NOT NULL,
  person_key TEXT COLLATE "C" NOT NULL CHECK (person_key <> ''),
  approve    BIGINT NOT NULL CHECK (approve IN (0, 1)),
  at         BIGINT NOT NULL,
  comment    TEXT COLLATE "C" NOT NULL,
  UNIQUE (plan_id, person_key, approve)
);

-- What of a plan's input cannot be bought, and is advice only.
CREATE TABLE plan_advice (
  plan_id TEXT COLLATE "C" NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  number  BIGINT NOT NULL CHECK (number >= 1),
  place   TEXT COLLATE "C" NOT NULL,
  what    TEXT COLLATE "C" NOT NULL CHECK (what <> ''),
  why     TEXT COLLATE "C" NOT NULL CHECK (why <> ''),
  PRIMARY KEY (plan_id, number)
);

CREATE TRIGGER plan_advice_no_delete BEFORE DELETE OR TRUNCATE ON plan_advice
  EXECUTE FUNCTION refuse('rows of plan_advice are never deleted');
CREATE TRIGGER plan_advice_append_only BEFORE UPDATE ON plan_advice FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of plan_advice are never changed');
-- +goose StatementBegin
CREATE FUNCTION plan_advice_with_its_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'proposed') THEN
    RAISE EXCEPTION USING MESSAGE = 'advice is stored with a new plan, never later', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER plan_advice_with_its_plan BEFORE INSERT ON plan_advice FOR EACH ROW
  EXECUTE FUNCTION plan_advice_with_its_plan();
CREATE TRIGGER plan_no_delete BEFORE DELETE OR TRUNCATE ON plan
  EXECUTE FUNCTION refuse('rows of plan are never deleted');
CREATE TRIGGER decision_no_delete BEFORE DELETE OR TRUNCATE ON decision
  EXECUTE FUNCTION refuse('rows of decision are never deleted');
CREATE TRIGGER decision_append_only BEFORE UPDATE ON decision FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of decision are never changed');
CREATE TRIGGER plan_frozen BEFORE UPDATE ON plan FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.lineage IS DISTINCT FROM OLD.lineage OR NEW.version IS DISTINCT FROM OLD.version OR NEW.name IS DISTINCT FROM OLD.name OR NEW.requester IS DISTINCT FROM OLD.requester OR NEW.requester_key IS DISTINCT FROM OLD.requester_key OR NEW.approvals_needed IS DISTINCT FROM OLD.approvals_needed OR NEW.self_approval IS DISTINCT FROM OLD.self_approval OR NEW.approvers IS DISTINCT FROM OLD.approvers OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.tolerance_bp IS DISTINCT FROM OLD.tolerance_bp OR NEW.all_or_nothing IS DISTINCT FROM OLD.all_or_nothing OR NEW.currency IS DISTINCT FROM OLD.currency OR NEW.upfront IS DISTINCT FROM OLD.upfront OR NEW.hourly IS DISTINCT FROM OLD.hourly OR NEW.total IS DISTINCT FROM OLD.total OR NEW.digest IS DISTINCT FROM OLD.digest)
  EXECUTE FUNCTION refuse('a plan is frozen');
-- +goose StatementBegin
CREATE FUNCTION decision_on_digest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'proposed' AND p.digest = NEW.digest) THEN
    RAISE EXCEPTION USING MESSAGE = 'a decision is on the digest of a proposed plan', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER decision_on_digest BEFORE INSERT ON decision FOR EACH ROW
  EXECUTE FUNCTION decision_on_digest();
-- +goose StatementBegin
CREATE FUNCTION decision_not_by_requester() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.approve = 1 AND EXISTS (
      SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.self_approval = 0 AND p.requester_key = NEW.person_key) THEN
    RAISE EXCEPTION USING MESSAGE = 'the requester does not approve', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER decision_not_by_requester BEFORE INSERT ON decision FOR EACH ROW
  EXECUTE FUNCTION decision_not_by_requester();
-- +goose StatementBegin
CREATE FUNCTION plan_approved_by_enough() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = 'approved' AND OLD.state <> 'approved' AND NEW.approvals_needed > (
      SELECT count(*) FROM decision d WHERE d.plan_id = NEW.id AND d.digest = NEW.digest AND d.approve = 1) THEN
    RAISE EXCEPTION USING MESSAGE = 'a plan is approved by as many people as it needs', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER plan_approved_by_enough BEFORE UPDATE ON plan FOR EACH ROW
  EXECUTE FUNCTION plan_approved_by_enough();
-- +goose StatementBegin
CREATE FUNCTION plan_veto() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = 'approved' AND EXISTS (
      SELECT 1 FROM decision d WHERE d.plan_id = NEW.id AND d.approve = 0) THEN
    RAISE EXCEPTION USING MESSAGE = 'a no rejects the plan', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER plan_veto BEFORE UPDATE ON plan FOR EACH ROW
  EXECUTE FUNCTION plan_veto();
CREATE TRIGGER plan_transition BEFORE UPDATE ON plan FOR EACH ROW
  WHEN (NEW.state <> OLD.state AND NOT (
    OLD.state = 'proposed' OR OLD.state = 'approved' AND NEW.state = 'superseded'))
  EXECUTE FUNCTION refuse('this move of a plan is not one of its moves');
CREATE TRIGGER plan_starts_proposed BEFORE INSERT ON plan FOR EACH ROW
  WHEN (NEW.state <> 'proposed')
  EXECUTE FUNCTION refuse('a plan starts as proposed');

-- 3. Lines and how they may move.

CREATE TABLE line (
  id               TEXT COLLATE "C" PRIMARY KEY,
  plan_id          TEXT COLLATE "C" NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  number           BIGINT NOT NULL CHECK (number >= 1),
  provider         TEXT COLLATE "C" NOT NULL,
  service          TEXT COLLATE "C" NOT NULL,
  account          TEXT COLLATE "C" NOT NULL,
  region           TEXT COLLATE "C" NOT NULL,
  class            TEXT COLLATE "C" NOT NULL CHECK (class IN ('A', 'B', 'C', 'Q', 'H', 'AC')),
  spec             TEXT COLLATE "C" NOT NULL,
  -- What it costs over its term, as spec says it, for sums.
  currency         TEXT COLLATE "C" NOT NULL DEFAULT '',
  total            TEXT COLLATE "C" NOT NULL DEFAULT '',
  state            TEXT COLLATE "C" NOT NULL CHECK (state IN ('draft', 'ready', 'armed', 'queued', 'purchased', 'failed',
                     'canceled', 'expired', 'superseded', 'needs_reapproval', 'needs_review', 'recovery')),
  generation       BIGINT NOT NULL CHECK (generation >= 1),
  armed            BIGINT NOT NULL CHECK (armed >= 0),
  version          BIGINT NOT NULL CHECK (version >= 0),
  cancel_requested BIGINT NOT NULL CHECK (cancel_requested IN (0, 1)),
  decided_by       TEXT COLLATE "C" NOT NULL DEFAULT '', -- who closed it by a decision instead of evidence
  begun            BIGINT NOT NULL DEFAULT 0 CHECK (begun IN (0, 1)), -- a worker may arm it: see table begun
  listing_digest   TEXT COLLATE "C" NOT NULL DEFAULT '',
  listing_at       BIGINT NOT NULL DEFAULT 0,
  reason           TEXT COLLATE "C" NOT NULL,
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
  from_state TEXT COLLATE "C" NOT NULL,
  to_state   TEXT COLLATE "C" NOT NULL,
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

CREATE TRIGGER line_no_delete BEFORE DELETE OR TRUNCATE ON line
  EXECUTE FUNCTION refuse('rows of line are never deleted');
-- Guards of columns that a step does not name are asked only where they are named.
CREATE TRIGGER line_frozen BEFORE UPDATE OF id, plan_id, number, provider, service, account, region, class, spec, currency, total ON line FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.plan_id IS DISTINCT FROM OLD.plan_id OR NEW.number IS DISTINCT FROM OLD.number OR NEW.provider IS DISTINCT FROM OLD.provider OR NEW.service IS DISTINCT FROM OLD.service OR NEW.account IS DISTINCT FROM OLD.account OR NEW.region IS DISTINCT FROM OLD.region OR NEW.class IS DISTINCT FROM OLD.class OR NEW.spec IS DISTINCT FROM OLD.spec OR NEW.currency IS DISTINCT FROM OLD.currency OR NEW.total IS DISTINCT FROM OLD.total)
  EXECUTE FUNCTION refuse('what a line asks for is frozen');
-- +goose StatementBegin
CREATE FUNCTION line_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT 1 FROM transition WHERE from_state = OLD.state AND to_state = NEW.state) THEN
    RAISE EXCEPTION USING MESSAGE = 'this move of a line is not in the table of transitions', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER line_transition BEFORE UPDATE ON line FOR EACH ROW
  WHEN (NEW.state <> OLD.state)
  EXECUTE FUNCTION line_transition();
CREATE TRIGGER line_counts_up BEFORE UPDATE ON line FOR EACH ROW
  WHEN (NEW.armed < OLD.armed OR NEW.version < OLD.version OR NEW.generation < OLD.generation)
  EXECUTE FUNCTION refuse('attempts and generations only count up');
CREATE TRIGGER line_starts_as_draft BEFORE INSERT ON line FOR EACH ROW
  WHEN (NEW.state <> 'draft' OR NEW.armed <> 0)
  EXECUTE FUNCTION refuse('a line starts as a draft');
-- +goose StatementBegin
CREATE FUNCTION line_can_be_taken_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.class <> 'Q' AND EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.all_or_nothing = 1) THEN
    RAISE EXCEPTION USING MESSAGE = 'an all-or-nothing plan holds lines whose orders can be deleted', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER line_can_be_taken_back BEFORE INSERT ON line FOR EACH ROW
  EXECUTE FUNCTION line_can_be_taken_back();
CREATE TRIGGER line_decided_once BEFORE UPDATE OF decided_by ON line FOR EACH ROW
  WHEN (NEW.decided_by IS DISTINCT FROM OLD.decided_by
    AND NOT (OLD.decided_by = '' AND OLD.state = 'needs_review' AND NEW.state IN ('purchased', 'failed')))
  EXECUTE FUNCTION refuse('a person decides a line out of review, once');
CREATE TRIGGER line_undecided BEFORE INSERT ON line FOR EACH ROW
  WHEN (NEW.decided_by <> '')
  EXECUTE FUNCTION refuse('a new line is not decided');

-- Asked after the line is in the index of lanes: whatever keeps the lane was armed
-- before that, and is seen, or waits.
-- +goose StatementBegin
CREATE FUNCTION line_lane_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM line o WHERE o.class IN ('C', 'AC') AND o.state IN ('armed', 'needs_review', 'recovery') AND o.id <> NEW.id
      AND o.provider = NEW.provider AND o.account = NEW.account AND o.region = NEW.region AND o.service = NEW.service) THEN
    RAISE EXCEPTION USING MESSAGE = 'another purchase keeps the lane', ERRCODE = 'unique_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER line_lane_is_kept AFTER UPDATE OF armed ON line FOR EACH ROW
  WHEN (NEW.armed > OLD.armed AND NEW.class IN ('C', 'AC'))
  EXECUTE FUNCTION line_lane_is_kept();

-- +goose StatementBegin
CREATE FUNCTION line_copied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM installation i WHERE i.copied_to <> '') THEN
    RAISE EXCEPTION USING MESSAGE = 'this ledger was copied, and the copy goes on', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER line_copied BEFORE UPDATE ON line FOR EACH ROW
  EXECUTE FUNCTION line_copied();

-- What was planned under which policy, a file that people keep; a later version of a
-- plan is under the policy of the first.
CREATE TABLE plan_policy (
  lineage TEXT COLLATE "C" PRIMARY KEY,
  policy  TEXT COLLATE "C" NOT NULL CHECK (policy <> ''),
  file    TEXT COLLATE "C" NOT NULL,
  sha256  TEXT COLLATE "C" NOT NULL CHECK (length(sha256) = 64), -- of the file
  tranche BIGINT NOT NULL CHECK (tranche >= 0)      -- of its ladder; 0 without one
);
CREATE INDEX plan_policy_name ON plan_policy (policy);

-- When nothing of a plan is bought, by its policy; a later version of a plan has the
-- times of the first.
CREATE TABLE plan_blackout (
  lineage  TEXT COLLATE "C" NOT NULL,
  number   BIGINT NOT NULL CHECK (number >= 1),
  from_at  BIGINT NOT NULL,
  until_at BIGINT NOT NULL CHECK (until_at > from_at), -- not a part of it
  why      TEXT COLLATE "C" NOT NULL,
  place    TEXT COLLATE "C" NOT NULL, -- where the policy says it
  PRIMARY KEY (lineage, number)
);

-- Why each line is in the plan, and why the rest of the advice is not, under number 0.
-- The digest does not cover it: nothing is bought by it.
CREATE TABLE plan_explanation (
  plan_id TEXT COLLATE "C" NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  number  BIGINT NOT NULL CHECK (number >= 1),
  line    BIGINT NOT NULL CHECK (line >= 0),
  key     TEXT COLLATE "C" NOT NULL, -- what the advice is about
  about   TEXT COLLATE "C" NOT NULL,
  place   TEXT COLLATE "C" NOT NULL,
  what    TEXT COLLATE "C" NOT NULL,
  steps   TEXT COLLATE "C" NOT NULL CHECK (steps <> ''),
  PRIMARY KEY (plan_id, number)
);

-- What people said about advice. The newest row on a key counts.
CREATE TABLE advice_verdict (
  id      TEXT COLLATE "C" PRIMARY KEY,
  key     TEXT COLLATE "C" NOT NULL CHECK (key <> ''),
  about   TEXT COLLATE "C" NOT NULL,
  verdict TEXT COLLATE "C" NOT NULL CHECK (verdict IN ('dismissed', 'snoozed', 'restored')),
  until   BIGINT NOT NULL,
  reason  TEXT COLLATE "C" NOT NULL CHECK (reason <> ''),
  person  TEXT COLLATE "C" NOT NULL CHECK (person <> ''),
  at      BIGINT NOT NULL,
  CHECK ((verdict = 'snoozed') = (until > at))
);

-- Which recommendation of Google's Recommender a line carries out, and what it was marked
-- as there. The digest does not cover it: nothing is bought by it and nothing waits for
-- it. next_at is 0 where it is not tried any more.
CREATE TABLE recommendation (
  line_id   TEXT COLLATE "C" PRIMARY KEY REFERENCES line (id) ON DELETE RESTRICT,
  name      TEXT COLLATE "C" NOT NULL CHECK (name <> ''),
  etag      TEXT COLLATE "C" NOT NULL CHECK (etag <> ''), -- as it was planned
  mark      TEXT COLLATE "C" NOT NULL DEFAULT '' CHECK (mark IN ('', 'CLAIMED', 'SUCCEEDED', 'FAILED')),
  marked_at BIGINT NOT NULL DEFAULT 0,
  tries     BIGINT NOT NULL DEFAULT 0 CHECK (tries >= 0),
  next_at   BIGINT NOT NULL,
  detail    TEXT COLLATE "C" NOT NULL DEFAULT '', -- why the last try did not mark it
  CHECK ((mark = '') = (marked_at = 0)),
  CHECK (mark IN ('', 'CLAIMED') OR next_at = 0)
);
CREATE INDEX recommendation_due ON recommendation (next_at) WHERE next_at > 0;

CREATE TRIGGER plan_policy_no_delete BEFORE DELETE OR TRUNCATE ON plan_policy
  EXECUTE FUNCTION refuse('rows of plan_policy are never deleted');
CREATE TRIGGER plan_policy_append_only BEFORE UPDATE ON plan_policy FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of plan_policy are never changed');
CREATE TRIGGER plan_blackout_no_delete BEFORE DELETE OR TRUNCATE ON plan_blackout
  EXECUTE FUNCTION refuse('rows of plan_blackout are never deleted');
CREATE TRIGGER plan_blackout_append_only BEFORE UPDATE ON plan_blackout FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of plan_blackout are never changed');
CREATE TRIGGER plan_explanation_no_delete BEFORE DELETE OR TRUNCATE ON plan_explanation
  EXECUTE FUNCTION refuse('rows of plan_explanation are never deleted');
CREATE TRIGGER plan_explanation_append_only BEFORE UPDATE ON plan_explanation FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of plan_explanation are never changed');
CREATE TRIGGER advice_verdict_no_delete BEFORE DELETE OR TRUNCATE ON advice_verdict
  EXECUTE FUNCTION refuse('rows of advice_verdict are never deleted');
CREATE TRIGGER advice_verdict_append_only BEFORE UPDATE ON advice_verdict FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of advice_verdict are never changed');
-- +goose StatementBegin
CREATE FUNCTION plan_policy_with_its_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.lineage AND p.version = 1 AND p.state = 'proposed') THEN
    RAISE EXCEPTION USING MESSAGE = 'a policy is stored with a new plan, never later', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER plan_policy_with_its_plan BEFORE INSERT ON plan_policy FOR EACH ROW
  EXECUTE FUNCTION plan_policy_with_its_plan();
-- +goose StatementBegin
CREATE FUNCTION plan_blackout_with_its_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.lineage AND p.version = 1 AND p.state = 'proposed') THEN
    RAISE EXCEPTION USING MESSAGE = 'a blackout is stored with a new plan, never later', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER plan_blackout_with_its_plan BEFORE INSERT ON plan_blackout FOR EACH ROW
  EXECUTE FUNCTION plan_blackout_with_its_plan();
-- +goose StatementBegin
CREATE FUNCTION plan_explanation_with_its_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'proposed') THEN
    RAISE EXCEPTION USING MESSAGE = 'an explanation is stored with a new plan, never later', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER plan_explanation_with_its_plan BEFORE INSERT ON plan_explanation FOR EACH ROW
  EXECUTE FUNCTION plan_explanation_with_its_plan();
CREATE TRIGGER recommendation_no_delete BEFORE DELETE OR TRUNCATE ON recommendation
  EXECUTE FUNCTION refuse('rows of recommendation are never deleted');
CREATE TRIGGER recommendation_frozen BEFORE UPDATE ON recommendation FOR EACH ROW
  WHEN (NEW.line_id IS DISTINCT FROM OLD.line_id OR NEW.name IS DISTINCT FROM OLD.name OR NEW.etag IS DISTINCT FROM OLD.etag OR NEW.tries < OLD.tries OR OLD.next_at = 0
    OR NEW.mark <> OLD.mark AND NOT (OLD.tries > 0 AND (OLD.mark = '' AND NEW.mark = 'CLAIMED' OR OLD.mark = 'CLAIMED' AND NEW.mark IN ('SUCCEEDED', 'FAILED'))))
  EXECUTE FUNCTION refuse('what a line carries out is frozen, and it is claimed before it ends, once');
-- +goose StatementBegin
CREATE FUNCTION recommendation_copied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM installation i WHERE i.copied_to <> '') THEN
    RAISE EXCEPTION USING MESSAGE = 'this ledger was copied, and the copy goes on', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER recommendation_copied BEFORE UPDATE ON recommendation FOR EACH ROW
  EXECUTE FUNCTION recommendation_copied();
-- +goose StatementBegin
CREATE FUNCTION recommendation_with_its_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.mark <> '' OR NEW.tries <> 0
    OR NOT EXISTS (SELECT 1 FROM line l JOIN plan p ON p.id = l.plan_id WHERE l.id = NEW.line_id AND p.state = 'proposed') THEN
    RAISE EXCEPTION USING MESSAGE = 'a recommendation is stored unmarked with a new plan, never later', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER recommendation_with_its_plan BEFORE INSERT ON recommendation FOR EACH ROW
  EXECUTE FUNCTION recommendation_with_its_plan();
-- +goose StatementBegin
CREATE FUNCTION policy_one_open_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM plan p JOIN plan_policy o ON o.lineage = p.lineage
    WHERE o.policy = NEW.policy AND o.lineage <> NEW.lineage AND (p.state = 'proposed' OR EXISTS (
      SELECT 1 FROM line l WHERE l.plan_id = p.id AND l.state NOT IN ('purchased', 'failed', 'canceled', 'expired', 'superseded')))) THEN
    RAISE EXCEPTION USING MESSAGE = 'a policy has one open plan', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER policy_one_open_plan BEFORE INSERT ON plan_policy FOR EACH ROW
  EXECUTE FUNCTION policy_one_open_plan();
-- +goose StatementBegin
CREATE FUNCTION policy_one_open_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM plan p JOIN plan_policy o ON o.lineage = p.lineage
    WHERE o.policy = (SELECT m.policy FROM plan_policy m WHERE m.lineage = NEW.lineage) AND o.lineage <> NEW.lineage AND (p.state = 'proposed' OR EXISTS (
      SELECT 1 FROM line l WHERE l.plan_id = p.id AND l.state NOT IN ('purchased', 'failed', 'canceled', 'expired', 'superseded')))) THEN
    RAISE EXCEPTION USING MESSAGE = 'a policy has one open plan', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER policy_one_open_version BEFORE INSERT ON plan FOR EACH ROW
  EXECUTE FUNCTION policy_one_open_version();

-- 4. What was sent, what the cloud said, what was bought.

CREATE TABLE attempt (
  line_id       TEXT COLLATE "C" NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  n             BIGINT NOT NULL CHECK (n >= 1),
  generation    BIGINT NOT NULL CHECK (generation >= 1),
  nonce         TEXT COLLATE "C" NOT NULL UNIQUE,
  protocol      BIGINT NOT NULL,
  account       TEXT COLLATE "C" NOT NULL,
  region        TEXT COLLATE "C" NOT NULL,
  identity      TEXT COLLATE "C" NOT NULL,
  intent        TEXT COLLATE "C" NOT NULL,
  intent_sha256 TEXT COLLATE "C" NOT NULL,
  credential    TEXT COLLATE "C" NOT NULL,
  armed_at      BIGINT NOT NULL,
  answer_by     BIGINT NOT NULL,
  deadline      BIGINT NOT NULL,
  settled_at    BIGINT NOT NULL,
  fire_at       BIGINT,
  before_ids    TEXT COLLATE "C" NOT NULL,
  handle        TEXT COLLATE "C" NOT NULL DEFAULT '',
  state         TEXT COLLATE "C" NOT NULL CHECK (state IN ('armed', 'unsent', 'succeeded', 'rejected', 'accepted', 'in_doubt', 'dead')),
  outcome       TEXT COLLATE "C" NOT NULL,
  code          TEXT COLLATE "C" NOT NULL,
  ended_at      BIGINT NOT NULL,
  PRIMARY KEY (line_id, n)
);

-- A queued purchase is known by the second it fires at.
CREATE UNIQUE INDEX attempt_one_per_fire_second ON attempt (account, region, fire_at) WHERE fire_at IS NOT NULL;

-- Facts from the cloud, never changed, never deleted.
CREATE TABLE evidence (
  id         TEXT COLLATE "C" PRIMARY KEY,
  line_id    TEXT COLLATE "C" NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  n          BIGINT NOT NULL,
  kind       TEXT COLLATE "C" NOT NULL,
  outcome    TEXT COLLATE "C" NOT NULL,
  operation  TEXT COLLATE "C" NOT NULL,
  started    BIGINT NOT NULL,
  cloud_time BIGINT NOT NULL,
  request_id TEXT COLLATE "C" NOT NULL,
  status     BIGINT NOT NULL,
  code       TEXT COLLATE "C" NOT NULL,
  detail     TEXT COLLATE "C" NOT NULL,
  commitment TEXT COLLATE "C" NOT NULL,
  at         BIGINT NOT NULL
);
CREATE INDEX evidence_line ON evidence (line_id, id);

-- A commitment belongs to one line, and a line to one commitment. n is NULL when
-- the attempt was lost with a rollback of the ledger.
CREATE TABLE receipt (
  line_id       TEXT COLLATE "C" PRIMARY KEY REFERENCES line (id) ON DELETE RESTRICT,
  n             BIGINT,
  provider      TEXT COLLATE "C" NOT NULL,
  account       TEXT COLLATE "C" NOT NULL,
  region        TEXT COLLATE "C" NOT NULL,
  service       TEXT COLLATE "C" NOT NULL,
  commitment_id TEXT COLLATE "C" NOT NULL,
  commitment    TEXT COLLATE "C" NOT NULL,
  how           TEXT COLLATE "C" NOT NULL,
  heuristic     BIGINT NOT NULL CHECK (heuristic IN (0, 1)),
  at            BIGINT NOT NULL,
  -- When its term is over, in months after its start, and what the line costs over it, for
  -- sums of what is bound and of what ends.
  ends_at       BIGINT NOT NULL,
  term_months   BIGINT NOT NULL,
  currency      TEXT COLLATE "C" NOT NULL,
  total         TEXT COLLATE "C" NOT NULL,
  UNIQUE (provider, account, region, service, commitment_id),
  FOREIGN KEY (line_id, n) REFERENCES attempt (line_id, n) ON DELETE RESTRICT
);
-- Sums of what has not ended are read from this index alone, also by day.
CREATE INDEX receipt_sums ON receipt (account, currency, total, term_months, (ends_at / 86400000000), ends_at);
-- What ends next, in its order.
CREATE INDEX receipt_ends ON receipt (ends_at, line_id, at, account);

-- +goose StatementBegin
CREATE FUNCTION attempt_not_in_blackout() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM line l JOIN plan p ON p.id = l.plan_id JOIN plan_blackout b ON b.lineage = p.lineage
    WHERE l.id = NEW.line_id AND (NEW.armed_at >= b.from_at AND NEW.armed_at < b.until_at OR NEW.fire_at >= b.from_at AND NEW.fire_at < b.until_at)) THEN
    RAISE EXCEPTION USING MESSAGE = 'nothing of the plan is bought in its blackout', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER attempt_not_in_blackout BEFORE INSERT ON attempt FOR EACH ROW
  EXECUTE FUNCTION attempt_not_in_blackout();
CREATE TRIGGER attempt_no_delete BEFORE DELETE OR TRUNCATE ON attempt
  EXECUTE FUNCTION refuse('rows of attempt are never deleted');
CREATE TRIGGER evidence_no_delete BEFORE DELETE OR TRUNCATE ON evidence
  EXECUTE FUNCTION refuse('rows of evidence are never deleted');
CREATE TRIGGER receipt_no_delete BEFORE DELETE OR TRUNCATE ON receipt
  EXECUTE FUNCTION refuse('rows of receipt are never deleted');
CREATE TRIGGER evidence_append_only BEFORE UPDATE ON evidence FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of evidence are never changed');
CREATE TRIGGER receipt_append_only BEFORE UPDATE ON receipt FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of receipt are never changed');
CREATE TRIGGER attempt_frozen BEFORE UPDATE OF line_id, n, generation, nonce, protocol, account, region, identity, intent, intent_sha256, credential, armed_at, answer_by, deadline, settled_at, before_ids, fire_at ON attempt FOR EACH ROW
  WHEN (NEW.line_id IS DISTINCT FROM OLD.line_id OR NEW.n IS DISTINCT FROM OLD.n OR NEW.generation IS DISTINCT FROM OLD.generation OR NEW.nonce IS DISTINCT FROM OLD.nonce OR NEW.protocol IS DISTINCT FROM OLD.protocol OR NEW.account IS DISTINCT FROM OLD.account OR NEW.region IS DISTINCT FROM OLD.region OR NEW.identity IS DISTINCT FROM OLD.identity OR NEW.intent IS DISTINCT FROM OLD.intent OR NEW.intent_sha256 IS DISTINCT FROM OLD.intent_sha256 OR NEW.credential IS DISTINCT FROM OLD.credential OR NEW.armed_at IS DISTINCT FROM OLD.armed_at OR NEW.answer_by IS DISTINCT FROM OLD.answer_by OR NEW.deadline IS DISTINCT FROM OLD.deadline OR NEW.settled_at IS DISTINCT FROM OLD.settled_at OR NEW.before_ids IS DISTINCT FROM OLD.before_ids OR NEW.fire_at IS DISTINCT FROM OLD.fire_at)
  EXECUTE FUNCTION refuse('what an attempt may send is frozen');
CREATE TRIGGER attempt_closed BEFORE UPDATE ON attempt FOR EACH ROW
  WHEN (OLD.state IN ('unsent', 'succeeded', 'rejected', 'dead'))
  EXECUTE FUNCTION refuse('a closed attempt is never changed');

-- 5. Budgets.

-- A cap on what may be committed. A row with a plan is that plan's own ceiling: it
-- comes with the approval and has no name.
CREATE TABLE budget (
  id         TEXT COLLATE "C" PRIMARY KEY,
  plan_id    TEXT COLLATE "C" UNIQUE REFERENCES plan (id) ON DELETE RESTRICT,
  name       TEXT COLLATE "C" NOT NULL,
  account    TEXT COLLATE "C" NOT NULL, -- '' is every account
  period     TEXT COLLATE "C" NOT NULL CHECK (period IN ('plan', 'month', 'ever')),
  measure    TEXT COLLATE "C" NOT NULL CHECK (measure IN ('total', 'upfront', 'hourly')),
  currency   TEXT COLLATE "C" NOT NULL CHECK (length(currency) = 3),
  cap        BIGINT NOT NULL CHECK (cap >= 0), -- millionths of the currency
  created_at BIGINT NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL,
  changed_at BIGINT NOT NULL,
  changed_by TEXT COLLATE "C" NOT NULL,
  retired_at BIGINT NOT NULL DEFAULT 0,
  retired_by TEXT COLLATE "C" NOT NULL DEFAULT '',
  CHECK ((plan_id IS NULL) = (name <> '')),
  CHECK (plan_id IS NULL OR (period = 'plan' AND measure = 'total' AND account = ''))
);
CREATE UNIQUE INDEX budget_one_of_a_name ON budget (name) WHERE retired_at = 0 AND plan_id IS NULL;

-- What approvals have taken from a budget in one period: a plan's id, a month in UTC
-- such as 2026-11, or 'ever'. It is the sum of the holds that are held or spent, so
-- that a purchase, which turns the one into the other, does not touch this row: lines
-- that are bought at once would wait for each other. Amounts are millionths of the
-- budget's currency.
CREATE TABLE budget_period (
  budget_id TEXT COLLATE "C" NOT NULL REFERENCES budget (id) ON DELETE RESTRICT,
  period    TEXT COLLATE "C" NOT NULL CHECK (period <> ''),
  cap       BIGINT NOT NULL,
  taken     BIGINT NOT NULL,
  PRIMARY KEY (budget_id, period),
  CHECK (taken >= 0 AND taken <= cap)
);

-- What an approved line takes from a budget, from its approval to its end.
CREATE TABLE hold (
  line_id   TEXT COLLATE "C" NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  budget_id TEXT COLLATE "C" NOT NULL,
  period    TEXT COLLATE "C" NOT NULL,
  amount    BIGINT NOT NULL CHECK (amount >= 0),
  state     TEXT COLLATE "C" NOT NULL CHECK (state IN ('held', 'spent', 'released', 'returned')),
  at        BIGINT NOT NULL, -- of the approval
  ended_at  BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (line_id, budget_id),
  FOREIGN KEY (budget_id, period) REFERENCES budget_period (budget_id, period) ON DELETE RESTRICT,
  CHECK ((state = 'held') = (ended_at = 0))
);
CREATE INDEX hold_budget ON hold (budget_id, period, state, amount);

CREATE TRIGGER budget_no_delete BEFORE DELETE OR TRUNCATE ON budget
  EXECUTE FUNCTION refuse('rows of budget are never deleted');
CREATE TRIGGER budget_period_no_delete BEFORE DELETE OR TRUNCATE ON budget_period
  EXECUTE FUNCTION refuse('rows of budget_period are never deleted');
CREATE TRIGGER hold_no_delete BEFORE DELETE OR TRUNCATE ON hold
  EXECUTE FUNCTION refuse('rows of hold are never deleted');
CREATE TRIGGER budget_frozen BEFORE UPDATE ON budget FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.plan_id IS DISTINCT FROM OLD.plan_id OR NEW.name IS DISTINCT FROM OLD.name OR NEW.account IS DISTINCT FROM OLD.account OR NEW.period IS DISTINCT FROM OLD.period OR NEW.measure IS DISTINCT FROM OLD.measure OR NEW.currency IS DISTINCT FROM OLD.currency OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.created_by IS DISTINCT FROM OLD.created_by)
  EXECUTE FUNCTION refuse('what a budget measures is frozen');
CREATE TRIGGER budget_retired BEFORE UPDATE ON budget FOR EACH ROW
  WHEN (OLD.retired_at <> 0 OR OLD.plan_id IS NOT NULL)
  EXECUTE FUNCTION refuse('a retired budget and the ceiling of a plan are never changed');
-- +goose StatementBegin
CREATE FUNCTION budget_period_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.budget_id IS DISTINCT FROM OLD.budget_id OR NEW.period IS DISTINCT FROM OLD.period
      OR NEW.cap IS DISTINCT FROM OLD.cap AND EXISTS (SELECT 1 FROM budget WHERE id = OLD.budget_id AND (plan_id IS NOT NULL OR retired_at <> 0)) THEN
    RAISE EXCEPTION USING MESSAGE = 'the period of a budget, and the ceiling of a plan, are frozen', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER budget_period_frozen BEFORE UPDATE ON budget_period FOR EACH ROW
  EXECUTE FUNCTION budget_period_frozen();
-- +goose StatementBegin
CREATE FUNCTION budget_period_taken_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT 1 FROM hold h WHERE h.budget_id = NEW.budget_id AND h.period = NEW.period AND h.state IN ('released', 'returned') AND h.amount = OLD.taken - NEW.taken) THEN
    RAISE EXCEPTION USING MESSAGE = 'what is taken stays taken until a hold of that amount is over', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER budget_period_taken_stays BEFORE UPDATE ON budget_period FOR EACH ROW
  WHEN (NEW.taken < OLD.taken)
  EXECUTE FUNCTION budget_period_taken_stays();
CREATE TRIGGER hold_frozen BEFORE UPDATE OF line_id, budget_id, period, amount, at ON hold FOR EACH ROW
  WHEN (NEW.line_id IS DISTINCT FROM OLD.line_id OR NEW.budget_id IS DISTINCT FROM OLD.budget_id OR NEW.period IS DISTINCT FROM OLD.period OR NEW.amount IS DISTINCT FROM OLD.amount OR NEW.at IS DISTINCT FROM OLD.at)
  EXECUTE FUNCTION refuse('what a hold takes is frozen');
CREATE TRIGGER hold_starts_held BEFORE INSERT ON hold FOR EACH ROW
  WHEN (NEW.state <> 'held')
  EXECUTE FUNCTION refuse('a hold starts as held');
CREATE TRIGGER hold_ends_once BEFORE UPDATE ON hold FOR EACH ROW
  WHEN (OLD.state <> 'held' AND NOT (OLD.state = 'spent' AND NEW.state = 'returned'))
  EXECUTE FUNCTION refuse('a hold that has ended is never changed');
-- +goose StatementBegin
CREATE FUNCTION hold_spent_with_receipt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM receipt WHERE line_id = NEW.line_id) THEN
    RAISE EXCEPTION USING MESSAGE = 'a hold is spent only with a commitment', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER hold_spent_with_receipt BEFORE UPDATE ON hold FOR EACH ROW
  WHEN (NEW.state = 'spent')
  EXECUTE FUNCTION hold_spent_with_receipt();
-- +goose StatementBegin
CREATE FUNCTION hold_released_after_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT 1 FROM line WHERE id = NEW.line_id AND state IN ('failed', 'canceled', 'expired', 'superseded')) THEN
    RAISE EXCEPTION USING MESSAGE = 'a hold is released only when its line has ended without a purchase', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER hold_released_after_end BEFORE UPDATE ON hold FOR EACH ROW
  WHEN (NEW.state = 'released')
  EXECUTE FUNCTION hold_released_after_end();
-- +goose StatementBegin
CREATE FUNCTION line_opens_with_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT 1 FROM hold h JOIN budget b ON b.id = h.budget_id
      WHERE h.line_id = OLD.id AND h.state = 'held' AND b.plan_id = OLD.plan_id) THEN
    RAISE EXCEPTION USING MESSAGE = 'a line is opened only with a hold on the ceiling of its plan', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER line_opens_with_hold BEFORE UPDATE ON line FOR EACH ROW
  WHEN (OLD.state = 'draft' AND NEW.state = 'ready')
  EXECUTE FUNCTION line_opens_with_hold();

-- 6. What is given back.

-- What a person asks to be given back of what a line bought. One request is open for a
-- line; it is approved as a plan is, and sent at most once at a time.
CREATE TABLE undo (
  id               TEXT COLLATE "C" PRIMARY KEY,
  line_id          TEXT COLLATE "C" NOT NULL REFERENCES receipt (line_id) ON DELETE RESTRICT,
  commitment_id    TEXT COLLATE "C" NOT NULL,
  digest           TEXT COLLATE "C" NOT NULL,
  token            TEXT COLLATE "C" NOT NULL UNIQUE,
  requester        TEXT COLLATE "C" NOT NULL,
  requester_key    TEXT COLLATE "C" NOT NULL CHECK (requester_key <> ''),
  requested_at     BIGINT NOT NULL,
  comment          TEXT COLLATE "C" NOT NULL,
  -- The rule by which people approve, as it was when it was asked for.
  approvals_needed BIGINT NOT NULL CHECK (approvals_needed >= 1),
  self_approval    BIGINT NOT NULL CHECK (self_approval IN (0, 1)),
  approvers        TEXT COLLATE "C" NOT NULL,
  until            BIGINT NOT NULL CHECK (until > 0), -- nothing is sent afterwards
  state            TEXT COLLATE "C" NOT NULL CHECK (state IN ('requested', 'approved', 'sent', 'returned', 'refused', 'kept', 'rejected', 'expired')),
  tries            BIGINT NOT NULL CHECK (tries >= 0),
  deadline         BIGINT NOT NULL DEFAULT 0, -- of the last request
  settled_at       BIGINT NOT NULL DEFAULT 0, -- from then on a listing shows what it did
  outcome          TEXT COLLATE "C" NOT NULL DEFAULT '',
  detail           TEXT COLLATE "C" NOT NULL DEFAULT '',
  updated_at       BIGINT NOT NULL,
  CHECK (state <> 'sent' OR tries > 0 AND deadline > 0 AND settled_at >= deadline)
);
CREATE UNIQUE INDEX undo_one_open ON undo (line_id) WHERE state IN ('requested', 'approved', 'sent');

-- One person's yes or no on an undo.
CREATE TABLE undo_decision (
  id         TEXT COLLATE "C" PRIMARY KEY,
  undo_id    TEXT COLLATE "C" NOT NULL REFERENCES undo (id) ON DELETE RESTRICT,
  digest     TEXT COLLATE "C" NOT NULL,
  person     TEXT COLLATE "C" NOT NULL,
  person_key TEXT COLLATE "C" NOT NULL CHECK (person_key <> ''),
  approve    BIGINT NOT NULL CHECK (approve IN (0, 1)),
  at         BIGINT NOT NULL,
  comment    TEXT COLLATE "C" NOT NULL,
  UNIQUE (undo_id, person_key, approve)
);

CREATE TRIGGER undo_no_delete BEFORE DELETE OR TRUNCATE ON undo
  EXECUTE FUNCTION refuse('rows of undo are never deleted');
CREATE TRIGGER undo_decision_no_delete BEFORE DELETE OR TRUNCATE ON undo_decision
  EXECUTE FUNCTION refuse('rows of undo_decision are never deleted');
CREATE TRIGGER undo_decision_append_only BEFORE UPDATE ON undo_decision FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of undo_decision are never changed');
CREATE TRIGGER undo_frozen BEFORE UPDATE ON undo FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.line_id IS DISTINCT FROM OLD.line_id OR NEW.commitment_id IS DISTINCT FROM OLD.commitment_id OR NEW.digest IS DISTINCT FROM OLD.digest OR NEW.token IS DISTINCT FROM OLD.token OR NEW.requester IS DISTINCT FROM OLD.requester OR NEW.requester_key IS DISTINCT FROM OLD.requester_key OR NEW.requested_at IS DISTINCT FROM OLD.requested_at OR NEW.comment IS DISTINCT FROM OLD.comment OR NEW.approvals_needed IS DISTINCT FROM OLD.approvals_needed OR NEW.self_approval IS DISTINCT FROM OLD.self_approval OR NEW.approvers IS DISTINCT FROM OLD.approvers OR NEW.until IS DISTINCT FROM OLD.until)
  EXECUTE FUNCTION refuse('what an undo asks for is frozen');
CREATE TRIGGER undo_starts_requested BEFORE INSERT ON undo FOR EACH ROW
  WHEN (NEW.state <> 'requested' OR NEW.tries <> 0)
  EXECUTE FUNCTION refuse('an undo starts as requested');
-- +goose StatementBegin
CREATE FUNCTION undo_of_a_purchase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT 1 FROM receipt r JOIN line l ON l.id = r.line_id WHERE r.line_id = NEW.line_id AND r.commitment_id = NEW.commitment_id AND l.state = 'purchased') THEN
    RAISE EXCEPTION USING MESSAGE = 'an undo is of what its line has bought', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER undo_of_a_purchase BEFORE INSERT ON undo FOR EACH ROW
  EXECUTE FUNCTION undo_of_a_purchase();
CREATE TRIGGER undo_transition BEFORE UPDATE ON undo FOR EACH ROW
  WHEN (NEW.state <> OLD.state AND NOT (
    OLD.state = 'requested' AND NEW.state IN ('approved', 'rejected', 'expired') OR
    OLD.state = 'approved' AND NEW.state IN ('sent', 'rejected', 'expired') OR
    OLD.state = 'sent' AND NEW.state IN ('approved', 'returned', 'refused', 'kept')))
  EXECUTE FUNCTION refuse('this move of an undo is not one of its moves');
CREATE TRIGGER undo_closed BEFORE UPDATE ON undo FOR EACH ROW
  WHEN (OLD.state IN ('returned', 'refused', 'kept', 'rejected', 'expired'))
  EXECUTE FUNCTION refuse('an undo that has ended is never changed');
CREATE TRIGGER undo_tries BEFORE UPDATE ON undo FOR EACH ROW
  WHEN (NEW.tries <> OLD.tries + (OLD.state = 'approved' AND NEW.state = 'sent')::int)
  EXECUTE FUNCTION refuse('an undo is sent once each time it is sent');
-- +goose StatementBegin
CREATE FUNCTION undo_copied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM installation i WHERE i.copied_to <> '') THEN
    RAISE EXCEPTION USING MESSAGE = 'this ledger was copied, and the copy goes on', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER undo_copied BEFORE UPDATE ON undo FOR EACH ROW
  EXECUTE FUNCTION undo_copied();
-- +goose StatementBegin
CREATE FUNCTION undo_approved_by_enough() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = 'approved' AND NEW.approvals_needed > (
      SELECT count(*) FROM undo_decision d WHERE d.undo_id = NEW.id AND d.digest = NEW.digest AND d.approve = 1) THEN
    RAISE EXCEPTION USING MESSAGE = 'an undo is approved by as many people as it needs', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER undo_approved_by_enough BEFORE UPDATE ON undo FOR EACH ROW
  EXECUTE FUNCTION undo_approved_by_enough();
-- +goose StatementBegin
CREATE FUNCTION undo_veto() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state IN ('approved', 'sent') AND OLD.state <> 'sent' AND EXISTS (
      SELECT 1 FROM undo_decision d WHERE d.undo_id = NEW.id AND d.approve = 0) THEN
    RAISE EXCEPTION USING MESSAGE = 'a no rejects the undo', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER undo_veto BEFORE UPDATE ON undo FOR EACH ROW
  EXECUTE FUNCTION undo_veto();
-- +goose StatementBegin
CREATE FUNCTION undo_decision_on_digest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT 1 FROM undo u WHERE u.id = NEW.undo_id AND u.digest = NEW.digest AND (u.state = 'requested' OR u.state = 'approved' AND NEW.approve = 0)) THEN
    RAISE EXCEPTION USING MESSAGE = 'a decision is on the digest of an undo that is not sent', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER undo_decision_on_digest BEFORE INSERT ON undo_decision FOR EACH ROW
  EXECUTE FUNCTION undo_decision_on_digest();
-- +goose StatementBegin
CREATE FUNCTION undo_decision_not_by_requester() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.approve = 1 AND EXISTS (
      SELECT 1 FROM undo u WHERE u.id = NEW.undo_id AND u.self_approval = 0 AND u.requester_key = NEW.person_key) THEN
    RAISE EXCEPTION USING MESSAGE = 'the requester does not approve', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER undo_decision_not_by_requester BEFORE INSERT ON undo_decision FOR EACH ROW
  EXECUTE FUNCTION undo_decision_not_by_requester();
-- +goose StatementBegin
CREATE FUNCTION hold_returned_with_undo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'spent' OR NOT EXISTS (
      SELECT 1 FROM undo u WHERE u.line_id = NEW.line_id AND u.state = 'returned') THEN
    RAISE EXCEPTION USING MESSAGE = 'a hold is returned only when the cloud took the commitment back', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER hold_returned_with_undo BEFORE UPDATE ON hold FOR EACH ROW
  WHEN (NEW.state = 'returned')
  EXECUTE FUNCTION hold_returned_with_undo();

-- 7. Lanes, and what explains their commitments.

-- A lane that was ever listed completely, or declared exclusive.
CREATE TABLE lane (
  provider    TEXT COLLATE "C" NOT NULL,
  account     TEXT COLLATE "C" NOT NULL,
  region      TEXT COLLATE "C" NOT NULL,
  service     TEXT COLLATE "C" NOT NULL,
  imported_at BIGINT NOT NULL DEFAULT 0,
  audited_at  BIGINT NOT NULL DEFAULT 0,
  exclusive   BIGINT NOT NULL DEFAULT 0 CHECK (exclusive IN (0, 1)),
  PRIMARY KEY (provider, account, region, service)
);

-- What a lane of a plan held when the plan was made.
CREATE TABLE plan_lane (
  plan_id   TEXT COLLATE "C" NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  provider  TEXT COLLATE "C" NOT NULL,
  account   TEXT COLLATE "C" NOT NULL,
  region    TEXT COLLATE "C" NOT NULL,
  service   TEXT COLLATE "C" NOT NULL,
  ids       TEXT COLLATE "C" NOT NULL,
  listed_at BIGINT NOT NULL CHECK (listed_at > 0),
  PRIMARY KEY (plan_id, provider, account, region, service)
);

-- What the first complete listing of a lane showed that is not ours: it was there
-- before us.
CREATE TABLE imported_item (
  provider      TEXT COLLATE "C" NOT NULL,
  account       TEXT COLLATE "C" NOT NULL,
  region        TEXT COLLATE "C" NOT NULL,
  service       TEXT COLLATE "C" NOT NULL,
  commitment_id TEXT COLLATE "C" NOT NULL,
  commitment    TEXT COLLATE "C" NOT NULL,
  at            BIGINT NOT NULL,
  PRIMARY KEY (provider, account, region, service, commitment_id),
  FOREIGN KEY (provider, account, region, service) REFERENCES lane (provider, account, region, service) ON DELETE RESTRICT
);

-- Commitments that a person declared to be somebody else's.
CREATE TABLE foreign_item (
  id            TEXT COLLATE "C" PRIMARY KEY,
  provider      TEXT COLLATE "C" NOT NULL,
  account       TEXT COLLATE "C" NOT NULL,
  region        TEXT COLLATE "C" NOT NULL,
  service       TEXT COLLATE "C" NOT NULL,
  commitment_id TEXT COLLATE "C" NOT NULL CHECK (commitment_id <> ''),
  person        TEXT COLLATE "C" NOT NULL CHECK (person <> ''),
  comment       TEXT COLLATE "C" NOT NULL,
  at            BIGINT NOT NULL,
  UNIQUE (provider, account, region, service, commitment_id)
);

CREATE TRIGGER foreign_item_no_delete BEFORE DELETE OR TRUNCATE ON foreign_item
  EXECUTE FUNCTION refuse('rows of foreign_item are never deleted');
CREATE TRIGGER foreign_item_append_only BEFORE UPDATE ON foreign_item FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of foreign_item are never changed');
-- +goose StatementBegin
CREATE FUNCTION foreign_item_not_ours() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
      SELECT 1 FROM receipt r WHERE r.provider = NEW.provider AND r.account = NEW.account AND r.region = NEW.region
        AND r.service = NEW.service AND r.commitment_id = NEW.commitment_id) THEN
    RAISE EXCEPTION USING MESSAGE = 'a receipt names this commitment', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER foreign_item_not_ours BEFORE INSERT ON foreign_item FOR EACH ROW
  EXECUTE FUNCTION foreign_item_not_ours();
CREATE TRIGGER lane_no_delete BEFORE DELETE OR TRUNCATE ON lane
  EXECUTE FUNCTION refuse('rows of lane are never deleted');
CREATE TRIGGER imported_item_no_delete BEFORE DELETE OR TRUNCATE ON imported_item
  EXECUTE FUNCTION refuse('rows of imported_item are never deleted');
CREATE TRIGGER plan_lane_no_delete BEFORE DELETE OR TRUNCATE ON plan_lane
  EXECUTE FUNCTION refuse('rows of plan_lane are never deleted');
CREATE TRIGGER imported_item_append_only BEFORE UPDATE ON imported_item FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of imported_item are never changed');
CREATE TRIGGER plan_lane_append_only BEFORE UPDATE ON plan_lane FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of plan_lane are never changed');
CREATE TRIGGER lane_frozen BEFORE UPDATE ON lane FOR EACH ROW
  WHEN (NEW.provider IS DISTINCT FROM OLD.provider OR NEW.account IS DISTINCT FROM OLD.account OR NEW.region IS DISTINCT FROM OLD.region OR NEW.service IS DISTINCT FROM OLD.service
    OR NEW.imported_at IS DISTINCT FROM OLD.imported_at AND OLD.imported_at > 0 OR NEW.audited_at < OLD.audited_at)
  EXECUTE FUNCTION refuse('a lane is imported once');
-- +goose StatementBegin
CREATE FUNCTION imported_item_first_listing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
      SELECT 1 FROM lane l WHERE l.provider = NEW.provider AND l.account = NEW.account AND l.region = NEW.region
        AND l.service = NEW.service AND l.imported_at = NEW.at)
    OR EXISTS (
      SELECT 1 FROM receipt r WHERE r.provider = NEW.provider AND r.account = NEW.account AND r.region = NEW.region
        AND r.service = NEW.service AND lower(r.commitment_id) = lower(NEW.commitment_id)) THEN
    RAISE EXCEPTION USING MESSAGE = 'only what the first listing of a lane showed and no receipt names is imported', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER imported_item_first_listing BEFORE INSERT ON imported_item FOR EACH ROW
  EXECUTE FUNCTION imported_item_first_listing();
-- +goose StatementBegin
CREATE FUNCTION plan_lane_with_its_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'proposed') THEN
    RAISE EXCEPTION USING MESSAGE = 'what a lane held is stored with a new plan, never later', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER plan_lane_with_its_plan BEFORE INSERT ON plan_lane FOR EACH ROW
  EXECUTE FUNCTION plan_lane_with_its_plan();

-- 8. What became of a purchase.

-- When a purchased line is looked at next. next_at is 0 when its commitment has
-- come to its end.
CREATE TABLE watch (
  line_id TEXT COLLATE "C" PRIMARY KEY REFERENCES receipt (line_id) ON DELETE RESTRICT,
  next_at BIGINT NOT NULL CHECK (next_at >= 0),
  stage   BIGINT NOT NULL CHECK (stage >= 0),
  state   TEXT COLLATE "C" NOT NULL
);
CREATE INDEX watch_due ON watch (next_at);

-- What became of a commitment after its purchase.
CREATE TABLE fact (
  id         TEXT COLLATE "C" PRIMARY KEY,
  line_id    TEXT COLLATE "C" NOT NULL REFERENCES receipt (line_id) ON DELETE RESTRICT,
  at         BIGINT NOT NULL,
  kind       TEXT COLLATE "C" NOT NULL CHECK (kind IN ('active', 'payment_failed', 'returned', 'retired', 'differs', 'missing', 'heuristic_mixed')),
  detail     TEXT COLLATE "C" NOT NULL,
  commitment TEXT COLLATE "C" NOT NULL
);
CREATE INDEX fact_line ON fact (line_id, id);

-- Something in a lane that the ledger cannot explain, or the other way round.
CREATE TABLE finding (
  id            TEXT COLLATE "C" PRIMARY KEY,
  provider      TEXT COLLATE "C" NOT NULL,
  account       TEXT COLLATE "C" NOT NULL,
  region        TEXT COLLATE "C" NOT NULL,
  service       TEXT COLLATE "C" NOT NULL,
  commitment_id TEXT COLLATE "C" NOT NULL,
  kind          TEXT COLLATE "C" NOT NULL CHECK (kind IN ('unexplained', 'missing', 'differs', 'payment_failed', 'heuristic_mixed')),
  line_id       TEXT COLLATE "C" NOT NULL,
  detail        TEXT COLLATE "C" NOT NULL,
  commitment    TEXT COLLATE "C" NOT NULL,
  first_seen    BIGINT NOT NULL,
  last_seen     BIGINT NOT NULL,
  closed_at     BIGINT NOT NULL DEFAULT 0,
  CHECK (last_seen >= first_seen)
);
CREATE UNIQUE INDEX finding_one_open ON finding (provider, account, region, service, commitment_id, kind) WHERE closed_at = 0;

CREATE TRIGGER watch_no_delete BEFORE DELETE OR TRUNCATE ON watch
  EXECUTE FUNCTION refuse('rows of watch are never deleted');
CREATE TRIGGER fact_no_delete BEFORE DELETE OR TRUNCATE ON fact
  EXECUTE FUNCTION refuse('rows of fact are never deleted');
CREATE TRIGGER finding_no_delete BEFORE DELETE OR TRUNCATE ON finding
  EXECUTE FUNCTION refuse('rows of finding are never deleted');
CREATE TRIGGER fact_append_only BEFORE UPDATE ON fact FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of fact are never changed');
CREATE TRIGGER watch_counts_up BEFORE UPDATE ON watch FOR EACH ROW
  WHEN (NEW.line_id IS DISTINCT FROM OLD.line_id OR NEW.stage < OLD.stage)
  EXECUTE FUNCTION refuse('the looks at a line only count up');
CREATE TRIGGER finding_frozen BEFORE UPDATE ON finding FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.provider IS DISTINCT FROM OLD.provider OR NEW.account IS DISTINCT FROM OLD.account OR NEW.region IS DISTINCT FROM OLD.region
    OR NEW.service IS DISTINCT FROM OLD.service OR NEW.commitment_id IS DISTINCT FROM OLD.commitment_id OR NEW.kind IS DISTINCT FROM OLD.kind
    OR NEW.first_seen IS DISTINCT FROM OLD.first_seen OR OLD.closed_at > 0)
  EXECUTE FUNCTION refuse('what a finding is about is frozen, and a closed one is never changed');

-- 9. What was measured of the clouds, and the orders that it took.

-- An order that an experiment places. It is queued at least 30 days ahead, and it
-- is open until its deletion was seen.
CREATE TABLE trial (
  id         TEXT COLLATE "C" PRIMARY KEY,
  provider   TEXT COLLATE "C" NOT NULL,
  account    TEXT COLLATE "C" NOT NULL,
  region     TEXT COLLATE "C" NOT NULL,
  service    TEXT COLLATE "C" NOT NULL,
  experiment TEXT COLLATE "C" NOT NULL,
  fire_at    BIGINT NOT NULL,
  token      TEXT COLLATE "C" NOT NULL,
  offering   TEXT COLLATE "C" NOT NULL,
  before     TEXT COLLATE "C" NOT NULL,
  order_id   TEXT COLLATE "C" NOT NULL DEFAULT '',
  started_at BIGINT NOT NULL,
  closed_at  BIGINT NOT NULL DEFAULT 0,
  CHECK (fire_at >= started_at + 2592000000000)
);
CREATE UNIQUE INDEX trial_one_second ON trial (provider, account, region, service, fire_at);

-- One result of an experiment. value is a duration in microseconds, where the result
-- is one.
CREATE TABLE calibration (
  id       TEXT COLLATE "C" PRIMARY KEY,
  provider TEXT COLLATE "C" NOT NULL,
  account  TEXT COLLATE "C" NOT NULL,
  region   TEXT COLLATE "C" NOT NULL,
  service  TEXT COLLATE "C" NOT NULL,
  name     TEXT COLLATE "C" NOT NULL CHECK (name IN ('start_second', 'queue_lead', 'visibility', 'deletion', 'deadline', 'signature_age', 'trail_delay', 'throttle', 'token_life', 'token_changed')),
  value    BIGINT NOT NULL CHECK (value >= 0),
  holds    BIGINT NOT NULL CHECK (holds IN (0, 1)),
  detail   TEXT COLLATE "C" NOT NULL,
  at       BIGINT NOT NULL
);
CREATE INDEX calibration_account ON calibration (provider, account, id);

CREATE TRIGGER trial_no_delete BEFORE DELETE OR TRUNCATE ON trial
  EXECUTE FUNCTION refuse('rows of trial are never deleted');
CREATE TRIGGER calibration_no_delete BEFORE DELETE OR TRUNCATE ON calibration
  EXECUTE FUNCTION refuse('rows of calibration are never deleted');
CREATE TRIGGER calibration_append_only BEFORE UPDATE ON calibration FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of calibration are never changed');
CREATE TRIGGER trial_frozen BEFORE UPDATE ON trial FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.provider IS DISTINCT FROM OLD.provider OR NEW.account IS DISTINCT FROM OLD.account OR NEW.region IS DISTINCT FROM OLD.region
    OR NEW.service IS DISTINCT FROM OLD.service OR NEW.experiment IS DISTINCT FROM OLD.experiment OR NEW.fire_at IS DISTINCT FROM OLD.fire_at OR NEW.token IS DISTINCT FROM OLD.token
    OR NEW.offering IS DISTINCT FROM OLD.offering OR NEW.before IS DISTINCT FROM OLD.before OR NEW.started_at IS DISTINCT FROM OLD.started_at
    OR NEW.order_id IS DISTINCT FROM OLD.order_id AND OLD.order_id IS DISTINCT FROM '' OR OLD.closed_at > 0)
  EXECUTE FUNCTION refuse('what a trial orders is frozen, and a closed one is never changed');

-- 10. What goes on by itself.

-- A person's word that the lines of an approved plan may be bought from now on, by
-- whatever process works on the ledger.
CREATE TABLE begun (
  plan_id TEXT COLLATE "C" PRIMARY KEY REFERENCES plan (id) ON DELETE RESTRICT,
  person  TEXT COLLATE "C" NOT NULL CHECK (person <> ''),
  at      BIGINT NOT NULL,
  how     TEXT COLLATE "C" NOT NULL CHECK (how IN ('apply', 'detached', 'scheduled'))
);

-- What is done again and again, one row for each task; every is 0 for one that is off.
-- Whoever takes a tick moves next_at on and holds the row until held_until, which it
-- puts off while it runs: what a process that died has held is taken by another one.
CREATE TABLE schedule (
  task       TEXT COLLATE "C" PRIMARY KEY CHECK (task IN ('resolve', 'audit', 'inventory', 'expire', 'outbox', 'recommendations') OR task LIKE 'propose:%'),
  every      BIGINT NOT NULL CHECK (every >= 0),
  next_at    BIGINT NOT NULL,
  holder     TEXT COLLATE "C" NOT NULL DEFAULT '',
  held_until BIGINT NOT NULL DEFAULT 0,
  last_at    BIGINT NOT NULL DEFAULT 0,
  last_took  BIGINT NOT NULL DEFAULT 0,
  outcome    TEXT COLLATE "C" NOT NULL DEFAULT '' CHECK (outcome IN ('', 'done', 'error', 'decision', 'in_doubt')),
  detail     TEXT COLLATE "C" NOT NULL DEFAULT '',
  version    BIGINT NOT NULL DEFAULT 0
);

-- A person's word that a plan is begun at a time.
CREATE TABLE plan_schedule (
  id       TEXT COLLATE "C" PRIMARY KEY,
  plan_id  TEXT COLLATE "C" NOT NULL REFERENCES plan (id) ON DELETE RESTRICT,
  at       BIGINT NOT NULL,
  person   TEXT COLLATE "C" NOT NULL CHECK (person <> ''),
  made_at  BIGINT NOT NULL,
  state    TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'begun', 'canceled', 'refused')),
  ended_at BIGINT NOT NULL DEFAULT 0,
  ended_by TEXT COLLATE "C" NOT NULL DEFAULT '',
  detail   TEXT COLLATE "C" NOT NULL DEFAULT '',
  CHECK ((state = 'waiting') = (ended_at = 0))
);
CREATE UNIQUE INDEX plan_schedule_one_waiting ON plan_schedule (plan_id) WHERE state = 'waiting';
CREATE INDEX plan_schedule_due ON plan_schedule (at) WHERE state = 'waiting';

-- A line that was to leave its state by a time and has not. It is raised for people
-- and closed when the line moves; no line moves because of it.
CREATE TABLE notice (
  id            TEXT COLLATE "C" PRIMARY KEY,
  line_id       TEXT COLLATE "C" NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  state         TEXT COLLATE "C" NOT NULL,
  must_leave_by BIGINT NOT NULL,
  raised_at     BIGINT NOT NULL,
  seen_at       BIGINT NOT NULL CHECK (seen_at >= raised_at),
  closed_at     BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX notice_one_open ON notice (line_id) WHERE closed_at = 0;
CREATE INDEX line_overdue ON line (must_leave_by) WHERE state IN ('ready', 'armed', 'queued', 'needs_reapproval', 'needs_review', 'recovery');

CREATE TRIGGER begun_no_delete BEFORE DELETE OR TRUNCATE ON begun
  EXECUTE FUNCTION refuse('rows of begun are never deleted');
CREATE TRIGGER begun_append_only BEFORE UPDATE ON begun FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of begun are never changed');
-- +goose StatementBegin
CREATE FUNCTION begun_of_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'approved' AND p.approval_expires_at > NEW.at) THEN
    RAISE EXCEPTION USING MESSAGE = 'only an approved plan is begun', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER begun_of_approved BEFORE INSERT ON begun FOR EACH ROW
  EXECUTE FUNCTION begun_of_approved();
-- +goose StatementBegin
CREATE FUNCTION line_begun_with_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.begun = 0 OR NOT EXISTS (SELECT 1 FROM begun b WHERE b.plan_id = NEW.plan_id) THEN
    RAISE EXCEPTION USING MESSAGE = 'a line is begun with its plan, once', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER line_begun_with_plan BEFORE UPDATE OF begun ON line FOR EACH ROW
  WHEN (NEW.begun <> OLD.begun)
  EXECUTE FUNCTION line_begun_with_plan();
CREATE TRIGGER line_starts_unbegun BEFORE INSERT ON line FOR EACH ROW
  WHEN (NEW.begun <> 0)
  EXECUTE FUNCTION refuse('a new line is not begun');
CREATE TRIGGER plan_schedule_no_delete BEFORE DELETE OR TRUNCATE ON plan_schedule
  EXECUTE FUNCTION refuse('rows of plan_schedule are never deleted');
-- +goose StatementBegin
CREATE FUNCTION plan_schedule_of_approved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'waiting' OR NOT EXISTS (SELECT 1 FROM plan p WHERE p.id = NEW.plan_id AND p.state = 'approved' AND p.approval_expires_at > NEW.at) THEN
    RAISE EXCEPTION USING MESSAGE = 'a plan is scheduled for a time at which its approval stands', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER plan_schedule_of_approved BEFORE INSERT ON plan_schedule FOR EACH ROW
  EXECUTE FUNCTION plan_schedule_of_approved();
CREATE TRIGGER plan_schedule_frozen BEFORE UPDATE ON plan_schedule FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.plan_id IS DISTINCT FROM OLD.plan_id OR NEW.at IS DISTINCT FROM OLD.at OR NEW.person IS DISTINCT FROM OLD.person
    OR NEW.made_at IS DISTINCT FROM OLD.made_at OR OLD.state <> 'waiting')
  EXECUTE FUNCTION refuse('what a person has scheduled is frozen, and ends once');
CREATE TRIGGER notice_no_delete BEFORE DELETE OR TRUNCATE ON notice
  EXECUTE FUNCTION refuse('rows of notice are never deleted');
CREATE TRIGGER notice_frozen BEFORE UPDATE ON notice FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.line_id IS DISTINCT FROM OLD.line_id OR NEW.state IS DISTINCT FROM OLD.state OR NEW.must_leave_by IS DISTINCT FROM OLD.must_leave_by
    OR NEW.raised_at IS DISTINCT FROM OLD.raised_at OR OLD.closed_at > 0)
  EXECUTE FUNCTION refuse('what a notice is about is frozen, and a closed one is never changed');

-- What workers have learned of a lane: how many of its lines may be under way in all
-- of them together, and from when on it is asked again. It is a hint for others; no
-- purchase depends on it.
CREATE TABLE lane_pace (
  provider TEXT COLLATE "C" NOT NULL,
  account  TEXT COLLATE "C" NOT NULL,
  region   TEXT COLLATE "C" NOT NULL,
  service  TEXT COLLATE "C" NOT NULL,
  most     BIGINT NOT NULL CHECK (most >= 1),
  until    BIGINT NOT NULL,
  cause    TEXT COLLATE "C" NOT NULL,
  at       BIGINT NOT NULL,
  version  BIGINT NOT NULL CHECK (version >= 1),
  PRIMARY KEY (provider, account, region, service)
);
CREATE INDEX attempt_under_way ON attempt (answer_by) WHERE state = 'armed';
CREATE TRIGGER schedule_no_delete BEFORE DELETE OR TRUNCATE ON schedule
  EXECUTE FUNCTION refuse('rows of schedule are never deleted');
CREATE TRIGGER lane_pace_no_delete BEFORE DELETE OR TRUNCATE ON lane_pace
  EXECUTE FUNCTION refuse('rows of lane_pace are never deleted');

-- Which worker looks after a line that is due, for so long. It spares others the same
-- reads; no step depends on it.
CREATE TABLE claim (
  line_id TEXT COLLATE "C" PRIMARY KEY REFERENCES line (id) ON DELETE RESTRICT,
  worker  TEXT COLLATE "C" NOT NULL,
  until   BIGINT NOT NULL
);
CREATE TRIGGER claim_no_delete BEFORE DELETE OR TRUNCATE ON claim
  EXECUTE FUNCTION refuse('rows of claim are never deleted');

-- 11. What people are told.

-- A message about something that has happened or is about to. Its id is made of what it
-- is about, so that nothing is told twice. about names what else it is about: a finding,
-- an undo, a schedule, a channel. due_at is the time that it warns of.
CREATE TABLE outbox (
  id         TEXT COLLATE "C" PRIMARY KEY CHECK (id <> ''),
  kind       TEXT COLLATE "C" NOT NULL CHECK (kind IN ('waiting_for_approval', 'will_buy', 'bought', 'not_bought', 'in_doubt', 'needs_decision',
               'finding', 'overdue', 'expiry', 'return_window', 'payment_pending', 'undelivered')),
  plan_id    TEXT COLLATE "C" NOT NULL DEFAULT '',
  line_id    TEXT COLLATE "C" NOT NULL DEFAULT '',
  about      TEXT COLLATE "C" NOT NULL DEFAULT '',
  due_at     BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  -- When it was decided who gets it, and the document that they all get. It may be told
  -- together with others of its kind, in the one that told_by names.
  routed_at  BIGINT NOT NULL DEFAULT 0,
  told_by    TEXT COLLATE "C" NOT NULL DEFAULT '',
  document   TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX outbox_unrouted ON outbox (created_at, id) WHERE routed_at = 0;

-- One message on its way to one channel, or to one recipient of a channel that has them.
CREATE TABLE delivery (
  message_id TEXT COLLATE "C" NOT NULL REFERENCES outbox (id) ON DELETE RESTRICT,
  channel    TEXT COLLATE "C" NOT NULL CHECK (channel <> ''),
  recipient  TEXT COLLATE "C" NOT NULL,
  state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'sent', 'given_up', 'dropped')),
  tries      BIGINT NOT NULL DEFAULT 0 CHECK (tries >= 0),
  next_at    BIGINT NOT NULL, -- it is tried from then on
  last_at    BIGINT NOT NULL, -- and no more from then on
  ended_at   BIGINT NOT NULL DEFAULT 0,
  detail     TEXT COLLATE "C" NOT NULL DEFAULT '', -- why it was not sent, without secrets
  PRIMARY KEY (message_id, channel, recipient),
  CHECK ((state = 'waiting') = (ended_at = 0))
);
CREATE INDEX delivery_waiting ON delivery (next_at) WHERE state = 'waiting';

-- What a person does not want to hear of for a while.
CREATE TABLE mute (
  person_key TEXT COLLATE "C" NOT NULL CHECK (person_key <> ''),
  kind       TEXT COLLATE "C" NOT NULL,
  person     TEXT COLLATE "C" NOT NULL,
  until      BIGINT NOT NULL,
  at         BIGINT NOT NULL,
  PRIMARY KEY (person_key, kind)
);

CREATE TRIGGER outbox_no_delete BEFORE DELETE OR TRUNCATE ON outbox
  EXECUTE FUNCTION refuse('rows of outbox are never deleted');
CREATE TRIGGER delivery_no_delete BEFORE DELETE OR TRUNCATE ON delivery
  EXECUTE FUNCTION refuse('rows of delivery are never deleted');
CREATE TRIGGER mute_no_delete BEFORE DELETE OR TRUNCATE ON mute
  EXECUTE FUNCTION refuse('rows of mute are never deleted');
CREATE TRIGGER outbox_frozen BEFORE UPDATE ON outbox FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.kind IS DISTINCT FROM OLD.kind OR NEW.plan_id IS DISTINCT FROM OLD.plan_id OR NEW.line_id IS DISTINCT FROM OLD.line_id
    OR NEW.about IS DISTINCT FROM OLD.about OR NEW.due_at IS DISTINCT FROM OLD.due_at OR NEW.created_at IS DISTINCT FROM OLD.created_at OR OLD.routed_at > 0)
  EXECUTE FUNCTION refuse('what a message is about is frozen, and it is routed once');
CREATE TRIGGER outbox_starts_unrouted BEFORE INSERT ON outbox FOR EACH ROW
  WHEN (NEW.routed_at <> 0)
  EXECUTE FUNCTION refuse('a new message is not routed');
-- +goose StatementBegin
CREATE FUNCTION outbox_copied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM installation i WHERE i.copied_to <> '') THEN
    RAISE EXCEPTION USING MESSAGE = 'this ledger was copied, and the copy goes on', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER outbox_copied BEFORE UPDATE ON outbox FOR EACH ROW
  EXECUTE FUNCTION outbox_copied();
-- +goose StatementBegin
CREATE FUNCTION delivery_of_routed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.tries <> 0 OR NEW.state NOT IN ('waiting', 'dropped') OR NOT EXISTS (
    SELECT 1 FROM outbox o WHERE o.id = NEW.message_id AND o.routed_at > 0 AND o.told_by = '') THEN
    RAISE EXCEPTION USING MESSAGE = 'a delivery starts untried, of a message that was routed', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER delivery_of_routed BEFORE INSERT ON delivery FOR EACH ROW
  EXECUTE FUNCTION delivery_of_routed();
CREATE TRIGGER delivery_frozen BEFORE UPDATE ON delivery FOR EACH ROW
  WHEN (NEW.message_id IS DISTINCT FROM OLD.message_id OR NEW.channel IS DISTINCT FROM OLD.channel OR NEW.recipient IS DISTINCT FROM OLD.recipient
    OR NEW.last_at IS DISTINCT FROM OLD.last_at OR OLD.state <> 'waiting')
  EXECUTE FUNCTION refuse('where a message goes is frozen, and a delivery ends once');
CREATE TRIGGER delivery_tries BEFORE UPDATE ON delivery FOR EACH ROW
  WHEN (NEW.tries < OLD.tries OR NEW.state = 'sent' AND OLD.tries = 0)
  EXECUTE FUNCTION refuse('what is sent was claimed before, and tries only count up');
-- +goose StatementBegin
CREATE FUNCTION delivery_copied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM installation i WHERE i.copied_to <> '') THEN
    RAISE EXCEPTION USING MESSAGE = 'this ledger was copied, and the copy goes on', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER delivery_copied BEFORE UPDATE ON delivery FOR EACH ROW
  EXECUTE FUNCTION delivery_copied();

-- These write the messages, in the transaction of the change that they tell.
-- +goose StatementBegin
CREATE FUNCTION plan_tells() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox (id, kind, plan_id, created_at) VALUES ('waiting_for_approval.' || NEW.id, 'waiting_for_approval', NEW.id, NEW.created_at)
  ON CONFLICT (id) DO NOTHING;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER plan_tells AFTER INSERT ON plan FOR EACH ROW
  EXECUTE FUNCTION plan_tells();
-- +goose StatementBegin
CREATE FUNCTION undo_tells() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox (id, kind, plan_id, line_id, about, due_at, created_at)
  VALUES ('waiting_for_approval.' || NEW.id, 'waiting_for_approval', (SELECT l.plan_id FROM line l WHERE l.id = NEW.line_id), NEW.line_id, NEW.id, NEW.until, NEW.requested_at)
  ON CONFLICT (id) DO NOTHING;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER undo_tells AFTER INSERT ON undo FOR EACH ROW
  EXECUTE FUNCTION undo_tells();
-- +goose StatementBegin
CREATE FUNCTION line_tells() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox (id, kind, plan_id, line_id, created_at)
  VALUES (CASE NEW.state WHEN 'purchased' THEN 'bought.' || NEW.id WHEN 'failed' THEN 'not_bought.' || NEW.id WHEN 'expired' THEN 'not_bought.' || NEW.id
            ELSE 'needs_decision.' || NEW.id || '.' || NEW.version END,
          CASE NEW.state WHEN 'purchased' THEN 'bought' WHEN 'failed' THEN 'not_bought' WHEN 'expired' THEN 'not_bought' ELSE 'needs_decision' END,
          NEW.plan_id, NEW.id, NEW.updated_at)
  ON CONFLICT (id) DO NOTHING;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER line_tells AFTER UPDATE ON line FOR EACH ROW
  WHEN (NEW.state <> OLD.state AND NEW.state IN ('purchased', 'failed', 'expired', 'needs_review', 'needs_reapproval'))
  EXECUTE FUNCTION line_tells();
-- +goose StatementBegin
CREATE FUNCTION attempt_tells() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox (id, kind, plan_id, line_id, created_at)
  VALUES ('in_doubt.' || NEW.line_id || '.' || NEW.n, 'in_doubt', (SELECT l.plan_id FROM line l WHERE l.id = NEW.line_id), NEW.line_id,
          CASE WHEN NEW.ended_at > 0 THEN NEW.ended_at ELSE NEW.armed_at END)
  ON CONFLICT (id) DO NOTHING;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER attempt_tells AFTER UPDATE ON attempt FOR EACH ROW
  WHEN (NEW.state = 'in_doubt' AND OLD.state <> 'in_doubt')
  EXECUTE FUNCTION attempt_tells();
-- +goose StatementBegin
CREATE FUNCTION finding_tells() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox (id, kind, line_id, about, created_at) VALUES ('finding.' || NEW.id, 'finding', NEW.line_id, NEW.id, NEW.first_seen)
  ON CONFLICT (id) DO NOTHING;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER finding_tells AFTER INSERT ON finding FOR EACH ROW
  EXECUTE FUNCTION finding_tells();
-- +goose StatementBegin
CREATE FUNCTION notice_tells() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox (id, kind, plan_id, line_id, about, due_at, created_at)
  VALUES ('overdue.' || NEW.line_id || '.' || NEW.must_leave_by, 'overdue', (SELECT l.plan_id FROM line l WHERE l.id = NEW.line_id), NEW.line_id, NEW.id, NEW.must_leave_by, NEW.raised_at)
  ON CONFLICT (id) DO NOTHING;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER notice_tells AFTER INSERT ON notice FOR EACH ROW
  EXECUTE FUNCTION notice_tells();
-- +goose StatementBegin
CREATE FUNCTION delivery_tells() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM outbox o WHERE o.id = NEW.message_id AND o.kind = 'undelivered') THEN
    INSERT INTO outbox (id, kind, about, created_at)
    VALUES ('undelivered.' || NEW.channel || '.' || (NEW.ended_at / 86400000000), 'undelivered', NEW.channel, NEW.ended_at)
    ON CONFLICT (id) DO NOTHING;
  END IF;
  RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER delivery_tells AFTER UPDATE ON delivery FOR EACH ROW
  WHEN (NEW.state = 'given_up' AND OLD.state <> 'given_up')
  EXECUTE FUNCTION delivery_tells();

-- 12. What tells that the ledger is the one that it was.

-- What was outside the ledger when it was last known to be the right one.
CREATE TABLE mark (
  name  TEXT COLLATE "C" PRIMARY KEY CHECK (name <> ''),
  value TEXT COLLATE "C" NOT NULL,
  at    BIGINT NOT NULL
);

-- Who found or said what of the ledger's past. person is 'bursar' where a mark spoke.
CREATE TABLE recovery_event (
  id          TEXT COLLATE "C" PRIMARY KEY,
  kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('started', 'moved', 'adopted', 'explained', 'finished')),
  incarnation BIGINT NOT NULL CHECK (incarnation >= 1),
  person      TEXT COLLATE "C" NOT NULL CHECK (person <> ''),
  at          BIGINT NOT NULL,
  detail      TEXT COLLATE "C" NOT NULL,
  comment     TEXT COLLATE "C" NOT NULL
);

-- What this installation bought in a time that the ledger has lost, under a name of a
-- line that it does not know. entry is that of the intent journal.
CREATE TABLE regained_item (
  id            TEXT COLLATE "C" PRIMARY KEY,
  provider      TEXT COLLATE "C" NOT NULL,
  account       TEXT COLLATE "C" NOT NULL,
  region        TEXT COLLATE "C" NOT NULL,
  service       TEXT COLLATE "C" NOT NULL,
  commitment_id TEXT COLLATE "C" NOT NULL CHECK (commitment_id <> ''),
  commitment    TEXT COLLATE "C" NOT NULL,
  entry         TEXT COLLATE "C" NOT NULL,
  person        TEXT COLLATE "C" NOT NULL CHECK (person <> ''),
  comment       TEXT COLLATE "C" NOT NULL,
  at            BIGINT NOT NULL,
  UNIQUE (provider, account, region, service, commitment_id)
);

CREATE TRIGGER mark_no_delete BEFORE DELETE OR TRUNCATE ON mark
  EXECUTE FUNCTION refuse('rows of mark are never deleted');
CREATE TRIGGER recovery_event_no_delete BEFORE DELETE OR TRUNCATE ON recovery_event
  EXECUTE FUNCTION refuse('rows of recovery_event are never deleted');
CREATE TRIGGER regained_item_no_delete BEFORE DELETE OR TRUNCATE ON regained_item
  EXECUTE FUNCTION refuse('rows of regained_item are never deleted');
CREATE TRIGGER recovery_event_append_only BEFORE UPDATE ON recovery_event FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of recovery_event are never changed');
CREATE TRIGGER regained_item_append_only BEFORE UPDATE ON regained_item FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of regained_item are never changed');
CREATE TRIGGER mark_frozen BEFORE UPDATE ON mark FOR EACH ROW
  WHEN (NEW.name IS DISTINCT FROM OLD.name)
  EXECUTE FUNCTION refuse('a mark keeps its name');
CREATE TRIGGER installation_counts_up BEFORE UPDATE ON installation FOR EACH ROW
  WHEN (NEW.incarnation < OLD.incarnation OR NEW.restored_at < OLD.restored_at
    OR NEW.incarnation = OLD.incarnation AND (NEW.restored_at IS DISTINCT FROM OLD.restored_at OR NEW.backup_at IS DISTINCT FROM OLD.backup_at)
    OR NEW.incarnation > OLD.incarnation AND NEW.state <> 'recovery')
  EXECUTE FUNCTION refuse('a new incarnation begins in recovery');
-- +goose StatementBegin
CREATE FUNCTION installation_recovered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM line WHERE state = 'recovery') OR EXISTS (SELECT 1 FROM finding WHERE kind = 'unexplained' AND closed_at = 0) THEN
    RAISE EXCEPTION USING MESSAGE = 'recovery lasts until everything is explained', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER installation_recovered BEFORE UPDATE ON installation FOR EACH ROW
  WHEN (OLD.state = 'recovery' AND NEW.state <> 'recovery')
  EXECUTE FUNCTION installation_recovered();
-- +goose StatementBegin
CREATE FUNCTION regained_item_unknown() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM receipt r WHERE r.provider = NEW.provider AND r.account = NEW.account AND r.region = NEW.region
      AND r.service = NEW.service AND lower(r.commitment_id) = lower(NEW.commitment_id)) THEN
    RAISE EXCEPTION USING MESSAGE = 'a receipt names this commitment', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER regained_item_unknown BEFORE INSERT ON regained_item FOR EACH ROW
  EXECUTE FUNCTION regained_item_unknown();

-- 12. People who sign in, their sessions and tokens. Of every secret only its SHA-256 is kept.

CREATE TABLE person (
  id         TEXT COLLATE "C" PRIMARY KEY,
  name       TEXT COLLATE "C" NOT NULL CHECK (name <> ''),
  name_key   TEXT COLLATE "C" NOT NULL UNIQUE CHECK (name_key <> ''), -- without case and surrounding space
  mail       TEXT COLLATE "C" NOT NULL,
  issuer     TEXT COLLATE "C" NOT NULL DEFAULT '', -- who vouches for subject; '' until the first sign-in by OIDC
  subject    TEXT COLLATE "C" NOT NULL DEFAULT '',
  roles      TEXT COLLATE "C" NOT NULL, -- names with a comma between
  accounts   TEXT COLLATE "C" NOT NULL, -- JSON list; '' is all
  given_by   TEXT COLLATE "C" NOT NULL CHECK (given_by IN ('person', 'claims')), -- who gives the roles
  disabled   BIGINT NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
  created_at BIGINT NOT NULL,
  changed_at BIGINT NOT NULL,
  CHECK ((issuer = '') = (subject = ''))
);
CREATE UNIQUE INDEX person_one_of_a_subject ON person (issuer, subject) WHERE subject <> '';
CREATE UNIQUE INDEX person_one_of_a_mail ON person (mail) WHERE mail <> '';

CREATE TABLE api_token (
  id         TEXT COLLATE "C" PRIMARY KEY,
  hash       TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(hash) = 64),
  mask       TEXT COLLATE "C" NOT NULL CHECK (mask <> ''), -- its beginning, for people
  name       TEXT COLLATE "C" NOT NULL CHECK (name <> ''),
  person_id  TEXT COLLATE "C" NOT NULL REFERENCES person (id) ON DELETE RESTRICT,
  roles      TEXT COLLATE "C" NOT NULL,
  accounts   TEXT COLLATE "C" NOT NULL,
  agent      BIGINT NOT NULL CHECK (agent IN (0, 1)),
  created_at BIGINT NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL CHECK (created_by <> ''),
  expires_at BIGINT NOT NULL CHECK (expires_at > created_at),
  seen_at    BIGINT NOT NULL DEFAULT 0,
  revoked_at BIGINT NOT NULL DEFAULT 0,
  revoked_by TEXT COLLATE "C" NOT NULL DEFAULT '',
  CHECK ((revoked_at = 0) = (revoked_by = ''))
);

CREATE TABLE session (
  hash       TEXT COLLATE "C" PRIMARY KEY CHECK (length(hash) = 64),
  mask       TEXT COLLATE "C" NOT NULL CHECK (mask <> ''),
  person_id  TEXT COLLATE "C" NOT NULL REFERENCES person (id) ON DELETE RESTRICT,
  how        TEXT COLLATE "C" NOT NULL CHECK (how IN ('oidc', 'link')),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL CHECK (expires_at > created_at),
  idle       BIGINT NOT NULL CHECK (idle > 0), -- it ends so long after it was last used
  seen_at    BIGINT NOT NULL,
  ended_at   BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE sign_in_link (
  id         TEXT COLLATE "C" PRIMARY KEY,
  hash       TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(hash) = 64),
  person_id  TEXT COLLATE "C" NOT NULL REFERENCES person (id) ON DELETE RESTRICT,
  created_at BIGINT NOT NULL,
  created_by TEXT COLLATE "C" NOT NULL CHECK (created_by <> ''),
  expires_at BIGINT NOT NULL CHECK (expires_at > created_at),
  used_at    BIGINT NOT NULL DEFAULT 0
);

-- How often somebody has failed to sign in since a time. A key stands for some names or
-- addresses, not one: there are so many keys and no more, whoever tries.
CREATE TABLE sign_in_try (
  key       TEXT COLLATE "C" PRIMARY KEY CHECK (key <> ''),
  window_at BIGINT NOT NULL,
  tries     BIGINT NOT NULL CHECK (tries >= 1)
);

CREATE TRIGGER person_no_delete BEFORE DELETE OR TRUNCATE ON person
  EXECUTE FUNCTION refuse('rows of person are never deleted');
CREATE TRIGGER api_token_no_delete BEFORE DELETE OR TRUNCATE ON api_token
  EXECUTE FUNCTION refuse('rows of api_token are never deleted');
CREATE TRIGGER session_no_delete BEFORE DELETE OR TRUNCATE ON session
  EXECUTE FUNCTION refuse('rows of session are never deleted');
CREATE TRIGGER sign_in_link_no_delete BEFORE DELETE OR TRUNCATE ON sign_in_link
  EXECUTE FUNCTION refuse('rows of sign_in_link are never deleted');
CREATE TRIGGER sign_in_try_no_delete BEFORE DELETE OR TRUNCATE ON sign_in_try
  EXECUTE FUNCTION refuse('rows of sign_in_try are never deleted');
CREATE TRIGGER person_frozen BEFORE UPDATE ON person FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.name IS DISTINCT FROM OLD.name OR NEW.name_key IS DISTINCT FROM OLD.name_key OR NEW.created_at IS DISTINCT FROM OLD.created_at
    OR OLD.subject <> '' AND (NEW.issuer IS DISTINCT FROM OLD.issuer OR NEW.subject IS DISTINCT FROM OLD.subject))
  EXECUTE FUNCTION refuse('a person keeps the name and the identity');
CREATE TRIGGER api_token_frozen BEFORE UPDATE ON api_token FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.hash IS DISTINCT FROM OLD.hash OR NEW.mask IS DISTINCT FROM OLD.mask OR NEW.name IS DISTINCT FROM OLD.name OR NEW.person_id IS DISTINCT FROM OLD.person_id OR NEW.roles IS DISTINCT FROM OLD.roles
    OR NEW.accounts IS DISTINCT FROM OLD.accounts OR NEW.agent IS DISTINCT FROM OLD.agent OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.created_by IS DISTINCT FROM OLD.created_by OR NEW.expires_at IS DISTINCT FROM OLD.expires_at
    OR OLD.revoked_at > 0)
  EXECUTE FUNCTION refuse('what a token may do is frozen, and a revoked one is never changed');
CREATE TRIGGER session_frozen BEFORE UPDATE ON session FOR EACH ROW
  WHEN (NEW.hash IS DISTINCT FROM OLD.hash OR NEW.mask IS DISTINCT FROM OLD.mask OR NEW.person_id IS DISTINCT FROM OLD.person_id OR NEW.how IS DISTINCT FROM OLD.how OR NEW.created_at IS DISTINCT FROM OLD.created_at
    OR NEW.expires_at IS DISTINCT FROM OLD.expires_at OR NEW.idle IS DISTINCT FROM OLD.idle OR OLD.ended_at > 0)
  EXECUTE FUNCTION refuse('whose a session is and until when is frozen, and an ended one is never changed');
CREATE TRIGGER sign_in_link_once BEFORE UPDATE ON sign_in_link FOR EACH ROW
  WHEN (NEW.id IS DISTINCT FROM OLD.id OR NEW.hash IS DISTINCT FROM OLD.hash OR NEW.person_id IS DISTINCT FROM OLD.person_id OR NEW.created_at IS DISTINCT FROM OLD.created_at OR NEW.created_by IS DISTINCT FROM OLD.created_by
    OR NEW.expires_at IS DISTINCT FROM OLD.expires_at OR OLD.used_at > 0)
  EXECUTE FUNCTION refuse('a link signs in once');

-- 13. The audit log: who did what, each entry with the hash of the one before it.

CREATE TABLE audit_entry (
  seq     BIGINT PRIMARY KEY CHECK (seq >= 1),
  at      BIGINT NOT NULL,
  actor   TEXT COLLATE "C" NOT NULL CHECK (actor <> ''),
  session TEXT COLLATE "C" NOT NULL, -- masked
  act     TEXT COLLATE "C" NOT NULL CHECK (act <> ''),
  kind    TEXT COLLATE "C" NOT NULL CHECK (kind IN ('act', 'denied', 'failed')),
  subject TEXT COLLATE "C" NOT NULL,
  details TEXT COLLATE "C" NOT NULL, -- canonical JSON
  prev    TEXT COLLATE "C" NOT NULL,
  hash    TEXT COLLATE "C" NOT NULL UNIQUE CHECK (length(hash) = 64)
);

-- The public halves of the keys that sign receipts and exports.
CREATE TABLE signing_key (
  id         TEXT COLLATE "C" PRIMARY KEY,
  public_key TEXT COLLATE "C" NOT NULL UNIQUE CHECK (public_key <> ''),
  created_at BIGINT NOT NULL
);

CREATE TRIGGER audit_entry_no_delete BEFORE DELETE OR TRUNCATE ON audit_entry
  EXECUTE FUNCTION refuse('rows of audit_entry are never deleted');
CREATE TRIGGER audit_entry_append_only BEFORE UPDATE ON audit_entry FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of audit_entry are never changed');
-- +goose StatementBegin
CREATE FUNCTION audit_entry_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.seq <> (SELECT coalesce(max(e.seq), 0) + 1 FROM audit_entry e)
    OR NEW.prev <> coalesce((SELECT e.hash FROM audit_entry e ORDER BY e.seq DESC LIMIT 1), '') THEN
    RAISE EXCEPTION USING MESSAGE = 'an entry of the audit log follows the one before it', ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_entry_follows BEFORE INSERT ON audit_entry FOR EACH ROW
  EXECUTE FUNCTION audit_entry_follows();
CREATE TRIGGER signing_key_no_delete BEFORE DELETE OR TRUNCATE ON signing_key
  EXECUTE FUNCTION refuse('rows of signing_key are never deleted');
CREATE TRIGGER signing_key_append_only BEFORE UPDATE ON signing_key FOR EACH ROW
  EXECUTE FUNCTION refuse('rows of signing_key are never changed');

-- 14. What a server has answered.

-- The answer to a request that changes something, by the key that its sender chose: the
-- same request under the same key is answered again and not carried out again. token
-- tells who carries it out while it is under way. Answers are forgotten after until.
CREATE TABLE answer (
  principal   TEXT COLLATE "C" NOT NULL CHECK (principal <> ''),
  key         TEXT COLLATE "C" NOT NULL CHECK (key <> ''),
  route       TEXT COLLATE "C" NOT NULL,
  body_sha256 TEXT COLLATE "C" NOT NULL,
  token       TEXT COLLATE "C" NOT NULL,
  state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('under_way', 'done')),
  status      BIGINT NOT NULL DEFAULT 0,
  media_type  TEXT COLLATE "C" NOT NULL DEFAULT '',
  etag        TEXT COLLATE "C" NOT NULL DEFAULT '',
  body        TEXT COLLATE "C" NOT NULL DEFAULT '',
  until       BIGINT NOT NULL,
  PRIMARY KEY (principal, key)
);
CREATE INDEX answer_until ON answer (until);
