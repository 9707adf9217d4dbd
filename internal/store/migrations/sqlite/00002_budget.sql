-- +goose Up

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

-- What a budget holds and has spent in one period: a plan's id, a month in UTC such
-- as 2026-11, or 'ever'. Amounts are millionths of the budget's currency.
CREATE TABLE budget_period (
  budget_id TEXT NOT NULL REFERENCES budget (id) ON DELETE RESTRICT,
  period    TEXT NOT NULL CHECK (period <> ''),
  cap       INTEGER NOT NULL,
  held      INTEGER NOT NULL,
  spent     INTEGER NOT NULL,
  PRIMARY KEY (budget_id, period),
  CHECK (held >= 0 AND spent >= 0 AND held + spent <= cap)
) STRICT;

-- What an approved line takes from a budget, from its approval to its end.
CREATE TABLE hold (
  line_id   TEXT NOT NULL REFERENCES line (id) ON DELETE RESTRICT,
  budget_id TEXT NOT NULL,
  period    TEXT NOT NULL,
  amount    INTEGER NOT NULL CHECK (amount >= 0),
  state     TEXT NOT NULL CHECK (state IN ('held', 'spent', 'released')),
  at        INTEGER NOT NULL, -- of the approval
  ended_at  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (line_id, budget_id),
  FOREIGN KEY (budget_id, period) REFERENCES budget_period (budget_id, period) ON DELETE RESTRICT,
  CHECK ((state = 'held') = (ended_at = 0))
) STRICT;
CREATE INDEX hold_budget ON hold (budget_id, period);

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
CREATE TRIGGER budget_period_spent_stays BEFORE UPDATE ON budget_period
  WHEN NEW.spent < OLD.spent
BEGIN SELECT RAISE(ABORT, 'what is spent stays spent'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER hold_frozen BEFORE UPDATE ON hold
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
  WHEN OLD.state <> 'held'
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
