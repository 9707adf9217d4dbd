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
  state     TEXT NOT NULL CHECK (state IN ('held', 'spent', 'released')),
  at        BIGINT NOT NULL, -- of the approval
  ended_at  BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (line_id, budget_id),
  FOREIGN KEY (budget_id, period) REFERENCES budget_period (budget_id, period) ON DELETE RESTRICT,
  CHECK ((state = 'held') = (ended_at = 0))
);
CREATE INDEX hold_budget ON hold (budget_id, period);
