-- +goose Up

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

-- What was bought before there was a watch is due at once.
INSERT INTO watch (line_id, next_at, stage, state) SELECT line_id, at, 0, '' FROM receipt;

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
CREATE TRIGGER imported_item_append_only BEFORE UPDATE ON imported_item
BEGIN SELECT RAISE(ABORT, 'rows of imported_item are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER plan_lane_append_only BEFORE UPDATE ON plan_lane
BEGIN SELECT RAISE(ABORT, 'rows of plan_lane are never changed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER fact_append_only BEFORE UPDATE ON fact
BEGIN SELECT RAISE(ABORT, 'rows of fact are never changed'); END;
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
