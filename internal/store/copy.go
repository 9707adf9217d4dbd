package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"bursar/internal/purchase"
	"bursar/internal/store/internal/rows"
)

// CopiedTable is how much of a table was copied.
type CopiedTable struct {
	Name string
	Rows int
}

// Copy makes a new ledger, in whichever database, of all that a ledger holds, and
// ends the old one: nothing moves there any more. It returns what was copied.
//
// The old ledger is held for itself from the first row that is read until it says
// where it goes on. The new one is filled in one transaction, read back and compared,
// and all its invariants are tested; until the old one has ended, the new one may not
// purchase. So at no moment do both, whatever is interrupted: then the new one is
// stopped, and it can be thrown away while the old one does not say that it was
// copied. A *CopiedError refuses to copy a ledger twice.
func Copy(ctx context.Context, from, to, by string, now time.Time) (_ []CopiedTable, err error) {
	old, err := Open(ctx, from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	in, err := old.Installation(ctx)
	if err != nil {
		return nil, err
	}
	held, err := old.hold(ctx)
	if err != nil {
		return nil, fmt.Errorf("copy the ledger: %w", err)
	}
	defer held.Rollback() //nolint:errcheck // after a commit there is nothing left
	if in.CopiedTo != "" {
		return nil, &CopiedError{To: in.CopiedTo}
	}
	var copied []CopiedTable
	fresh, err := newLedger(ctx, to, func(fresh *DB) error {
		copied, err = fresh.fill(ctx, old, held, by, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, fresh.Close()) }()
	if err := fresh.sound(ctx, now); err != nil {
		return nil, fmt.Errorf("the copy %s is not sound: throw it away; nothing was changed in %s: %w", fresh.name, old.name, err)
	}
	q := rows.New(held)
	n, err := q.GoOnElsewhere(ctx, fresh.name)
	if err == nil && n != 1 {
		err = ErrState
	}
	if err == nil {
		err = q.InsertInstallationEvent(ctx, rows.InsertInstallationEventParams{
			ID: newID(now), State: "stopped", Person: by, At: micros(now), Comment: "copied to " + fresh.name,
		})
	}
	if err == nil {
		err = held.Commit()
	}
	if err != nil {
		return nil, fmt.Errorf("end the ledger %s: %w; if it does not say that it was copied, throw the copy %s away, else let it go on with: bursar start",
			old.name, err, fresh.name)
	}
	if in.Purchasing {
		err = fresh.SetPurchasing(ctx, Stop{Purchasing: true, By: by, At: now, Comment: "copied from " + old.name})
	}
	return copied, err
}

// hold begins a transaction that has the ledger for itself, however long it takes.
func (db *DB) hold(ctx context.Context) (*sql.Tx, error) {
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil || !db.postgres {
		return tx, err
	}
	for _, s := range []string{"SET LOCAL statement_timeout = 0", "SET LOCAL idle_in_transaction_session_timeout = 0", string(alone)} {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return nil, errors.Join(err, tx.Rollback())
		}
	}
	return tx, nil
}

// fill writes all rows of another ledger into the empty tables of this one, which may
// not purchase afterwards. Its guards know how rows come about and change, not rows
// that are there: they stand aside within the transaction.
func (db *DB) fill(ctx context.Context, from *DB, read *sql.Tx, by string, now time.Time) ([]CopiedTable, error) {
	tables, err := db.tables(ctx)
	if err != nil {
		return nil, err
	}
	theirs, err := from.tables(ctx)
	if err != nil {
		return nil, err
	}
	if !maps.EqualFunc(tables, theirs, slices.Equal) {
		return nil, errors.New("the two ledgers have not the same tables")
	}
	tx, err := db.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing left
	back, err := db.withoutGuards(ctx, tx, slices.Sorted(maps.Keys(tables)))
	if err != nil {
		return nil, err
	}
	order, err := db.byReference(ctx, tables)
	if err != nil {
		return nil, err
	}
	var copied []CopiedTable
	for _, table := range order {
		sent, n, err := pour(ctx, read, tx, table, tables[table])
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table, err)
		}
		got, m, err := pour(ctx, tx, nil, table, tables[table])
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", table, err)
		}
		if sent != got || n != m {
			return nil, fmt.Errorf("table %s: %d rows were read and %d others were written", table, n, m)
		}
		copied = append(copied, CopiedTable{Name: table, Rows: n})
	}
	for _, s := range back {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return nil, err
		}
	}
	q := rows.New(tx)
	stopped, err := q.SetInstallationState(ctx, rows.SetInstallationStateParams{ToState: "stopped", FromState: "purchasing"})
	if err == nil && stopped == 1 {
		err = q.InsertInstallationEvent(ctx, rows.InsertInstallationEventParams{
			ID: newID(now), State: "stopped", Person: by, At: micros(now), Comment: "being copied from " + from.name,
		})
	}
	if err == nil {
		err = tx.Commit()
	}
	return copied, err
}

// sound tests all that bursar check tests, but whether a line is overdue: that is no
// reason not to copy it.
func (db *DB) sound(ctx context.Context, now time.Time) error {
	s, err := db.Snapshot(ctx)
	if err != nil {
		return err
	}
	audited, err := db.CheckAudit(ctx)
	if err != nil {
		return err
	}
	for _, f := range slices.Concat(db.Integrity(ctx, now), purchase.Check(s, now), audited) {
		if len(f.Problems) > 0 && f.Name != "nobody-forgotten" {
			return fmt.Errorf("%s: %s", f.Name, f.Problems[0])
		}
	}
	return nil
}

// tables are the tables that a copy fills, with their columns by name: not those that
// migrations fill, nor what is the queue's or this host's.
func (db *DB) tables(ctx context.Context) (map[string][]string, error) {
	query := "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
	if db.postgres {
		query = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
	}
	pairs, err := db.pairs(ctx, query)
	tables := map[string][]string{}
	for _, p := range pairs {
		if own := p[0] == "transition" || p[0] == "host" || strings.HasPrefix(p[0], "goose_") || strings.HasPrefix(p[0], "river_") || strings.HasPrefix(p[0], "sqlite_"); !own {
			tables[p[0]] = append(tables[p[0]], p[1])
		}
	}
	for _, columns := range tables {
		slices.Sort(columns)
	}
	return tables, err
}

// byReference orders tables so that rows refer to rows of earlier ones.
func (db *DB) byReference(ctx context.Context, tables map[string][]string) ([]string, error) {
	query := `SELECT m.name, f."table" FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	if db.postgres {
		query = `SELECT a.relname, b.relname FROM pg_constraint c JOIN pg_class a ON a.oid = c.conrelid JOIN pg_class b ON b.oid = c.confrelid
			WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace`
	}
	pairs, err := db.pairs(ctx, query)
	if err != nil {
		return nil, err
	}
	left := slices.Sorted(maps.Keys(tables))
	var order []string
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(table string) bool {
			return !slices.ContainsFunc(pairs, func(p [2]string) bool { return p[0] == table && p[1] != table && slices.Contains(left, p[1]) })
		})
		if i < 0 {
			return nil, fmt.Errorf("the tables %s refer to each other", strings.Join(left, ", "))
		}
		order = append(order, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return order, nil
}

// pairs reads rows of two texts.
func (db *DB) pairs(ctx context.Context, query string) (all [][2]string, err error) {
	found, err := db.reader.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer found.Close() //nolint:errcheck // read to the end
	for found.Next() {
		var p [2]string
		if err := found.Scan(&p[0], &p[1]); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, found.Err()
}

// withoutGuards takes the triggers of tables away and returns what puts them back.
func (db *DB) withoutGuards(ctx context.Context, tx *sql.Tx, tables []string) (back []string, err error) {
	var away []string
	if db.postgres {
		for _, table := range tables {
			away = append(away, "ALTER TABLE "+table+" DISABLE TRIGGER USER")
			back = append(back, "ALTER TABLE "+table+" ENABLE TRIGGER USER")
		}
	} else {
		triggers, err := db.pairs(ctx, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
		if err != nil {
			return nil, err
		}
		for _, t := range triggers {
			away, back = append(away, "DROP TRIGGER "+t[0]), append(back, t[1])
		}
	}
	for _, s := range away {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return nil, err
		}
	}
	return back, nil
}

// poured is how many rows are inserted by one statement.
const poured = 100

// digest is one of all rows of a table, in whatever order they come.
type digest [sha256.Size]byte

// pour reads all rows of a table, writes them with to unless that is nil, and returns
// their digest and their number.
func pour(ctx context.Context, from, to *sql.Tx, table string, columns []string) (d digest, n int, err error) {
	query := fmt.Sprintf(`SELECT "%s" FROM %s`, strings.Join(columns, `", "`), table)
	if table == "mark" { // those of the place stay behind: the copy takes its own
		query += " WHERE name NOT IN ('system', 'timeline', 'file', 'host', 'hostname')"
	}
	found, err := from.QueryContext(ctx, query)
	if err != nil {
		return d, 0, err
	}
	defer found.Close() //nolint:errcheck // read to the end
	var waiting []any
	flush := func() error {
		if to == nil || len(waiting) == 0 {
			waiting = nil
			return nil
		}
		var places strings.Builder
		for i := range waiting {
			switch {
			case i == 0:
				places.WriteString("(")
			case i%len(columns) == 0:
				places.WriteString("), (")
			default:
				places.WriteString(", ")
			}
			fmt.Fprintf(&places, "$%d", i+1)
		}
		_, err := to.ExecContext(ctx, fmt.Sprintf(`INSERT INTO %s ("%s") VALUES %s)`, table, strings.Join(columns, `", "`), &places), waiting...)
		waiting = nil
		return err
	}
	for found.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := found.Scan(into...); err != nil {
			return d, n, err
		}
		sum := sha256.New()
		for _, v := range values {
			if text, ok := v.(string); ok {
				fmt.Fprintf(sum, "%d:", len(text))
			}
			fmt.Fprintf(sum, "%T %v,", v, v)
		}
		for i, b := range sum.Sum(nil) {
			d[i] ^= b
		}
		n++
		if waiting = append(waiting, values...); n%poured == 0 {
			if err := flush(); err != nil {
				return d, n, err
			}
		}
	}
	if err := found.Err(); err != nil {
		return d, n, err
	}
	return d, n, flush()
}
