-- +goose Up

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

-- What was bought before there was a watch is due at once.
INSERT INTO watch (line_id, next_at, stage, state) SELECT line_id, at, 0, '' FROM receipt;
