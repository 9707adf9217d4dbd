package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bursar/internal/auditlog"
)

func hashOf(c string) string { return strings.Repeat(c, 64) }

// peopled is a ledger with a row in every table of access and of the audit log.
func peopled(t *testing.T, on database) (*engine, Person) {
	t.Helper()
	e := on.open(t)
	p, err := e.db.AddPerson(t.Context(), Person{Name: "Ada", Mail: " Ada@example.org", Roles: []string{"planner", "approver"}, Accounts: []string{"1", "2"}, CreatedAt: t0})
	e.ok(err)
	e.ok(e.db.BindPerson(t.Context(), p.ID, "https://issuer", "sub", t0))
	p.Issuer, p.Subject = "https://issuer", "sub"
	_, err = e.db.AddToken(t.Context(), Token{
		Hash: hashOf("a"), Mask: "bursar_ab...", Name: "n", Person: p.ID, Roles: []string{"planner"}, Agent: true, CreatedAt: t0, CreatedBy: "ada", ExpiresAt: t0.Add(time.Hour),
	})
	e.ok(err)
	e.ok(e.db.StartSession(t.Context(), Session{Hash: hashOf("b"), Mask: "ab...", Person: p.ID, How: "link", CreatedAt: t0, ExpiresAt: t0.Add(time.Hour), Idle: time.Minute}, ""))
	e.ok(e.db.AddSignInLink(t.Context(), SignInLink{Hash: hashOf("c"), Person: p.ID, CreatedAt: t0, CreatedBy: "ada", ExpiresAt: t0.Add(time.Hour)}))
	e.ok(e.db.Try(t.Context(), "address ab12", t0))
	e.ok(e.db.AddSigningKey(t.Context(), "ed25519:ab", t0))
	for i := range 3 {
		e.logged(i)
	}
	return e, p
}

func (e *engine) logged(i int) auditlog.Entry {
	e.t.Helper()
	got, err := e.db.Record(e.t.Context(), auditlog.Entry{
		At: t0.Add(time.Duration(i) * time.Second), Actor: "ada", Session: "token bursar_ab...", Act: "plan.approve", Kind: auditlog.Did, Subject: fmt.Sprint("plan ", i), Details: `{"é":1}`,
	})
	e.ok(err)
	return got
}

var accessTables = []string{"person", "api_token", "session", "sign_in_link", "sign_in_try", "signing_key", "audit_entry"}

// rowsOf are all rows of the tables of access, as text.
func (e *engine) rowsOf() map[string][]string {
	e.t.Helper()
	all := map[string][]string{}
	for _, table := range accessTables {
		var columns []string
		for c := range columnsOf(e.t, e.db, table) {
			columns = append(columns, "CAST("+c+" AS TEXT)")
		}
		slices.Sort(columns)
		all[table] = texts(e.t, e.db, "SELECT "+strings.Join(columns, " || '|' || ")+" FROM "+table+" ORDER BY 1")
	}
	return all
}

func TestAccessIsReadBack(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, want := peopled(t, on)
		for name, read := range map[string]func() (Person, error){
			"id":       func() (Person, error) { return e.db.Person(t.Context(), want.ID) },
			"name":     func() (Person, error) { return e.db.PersonNamed(t.Context(), " ADA ") },
			"identity": func() (Person, error) { return e.db.PersonIdentified(t.Context(), "https://issuer", "sub") },
			"mail":     func() (Person, error) { return e.db.PersonByMail(t.Context(), "ADA@EXAMPLE.org") },
		} {
			got, err := read()
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("by %s: %v (-want +got):\n%s", name, err, diff)
			}
		}
		for _, read := range []func() (Person, error){
			func() (Person, error) { return e.db.Person(t.Context(), "x") },
			func() (Person, error) { return e.db.PersonNamed(t.Context(), "") },
			func() (Person, error) { return e.db.PersonIdentified(t.Context(), "", "") },
			func() (Person, error) { return e.db.PersonByMail(t.Context(), "") },
		} {
			if _, err := read(); !errors.Is(err, ErrNotFound) {
				t.Error(err)
			}
		}
		for _, p := range []Person{{Name: " aDa", CreatedAt: t0}, {Name: "x", Mail: "ada@example.org", CreatedAt: t0}, {Name: "x", Issuer: "https://issuer", Subject: "sub", CreatedAt: t0}} {
			if _, err := e.db.AddPerson(t.Context(), p); !errors.Is(err, ErrPerson) {
				t.Errorf("%+v: %v", p, err)
			}
		}
		e.ok(e.db.SetRights(t.Context(), want.ID, nil, []string{}, true, t0.Add(time.Second)))
		got, err := e.db.Person(t.Context(), want.ID)
		e.ok(err)
		if got.Roles != nil || got.Accounts == nil || len(got.Accounts) != 0 || !got.Claimed || !got.ChangedAt.Equal(t0.Add(time.Second)) {
			t.Errorf("%+v", got)
		}
		s, err := e.db.SessionHashed(t.Context(), hashOf("b"))
		e.ok(err)
		if s.Idle != time.Minute || !s.SeenAt.Equal(t0) || !s.EndedAt.IsZero() {
			t.Errorf("%+v", s)
		}
		e.ok(e.db.SeeSession(t.Context(), hashOf("b"), t0.Add(2*time.Second)))
		e.ok(e.db.SeeSession(t.Context(), hashOf("b"), t0.Add(time.Second))) // a slower request
		e.ok(e.db.DisablePerson(t.Context(), want.ID, true, t0.Add(time.Minute)))
		if s, err = e.db.SessionHashed(t.Context(), hashOf("b")); err != nil || !s.SeenAt.Equal(t0.Add(2*time.Second)) || !s.EndedAt.Equal(t0.Add(time.Minute)) {
			t.Errorf("%+v, %v", s, err)
		}
		if err := e.db.DisablePerson(t.Context(), want.ID, true, t0); !errors.Is(err, ErrAlready) {
			t.Error(err)
		}
		for i, want := range []int{1, 2} {
			if n, err := e.db.Tries(t.Context(), "address ab12", t0); n != want || err != nil {
				t.Errorf("%d tries, %v", n, err)
			}
			e.ok(e.db.Try(t.Context(), "address ab12", t0.Add(time.Duration(i)*0)))
		}
		e.ok(e.db.Try(t.Context(), "address ab12", t0.Add(time.Hour)))
		if n, err := e.db.Tries(t.Context(), "address ab12", t0.Add(time.Hour)); n != 1 || err != nil {
			t.Errorf("%d tries in a new window, %v", n, err)
		}
	})
}

// TestOneUsesALink has many connections use it at once.
func TestOneUsesALink(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, _ := peopled(t, on)
		l, err := e.db.SignInLink(t.Context(), hashOf("c"))
		e.ok(err)
		if err := e.db.UseSignInLink(t.Context(), l.ID, l.ExpiresAt); !errors.Is(err, ErrUsed) {
			t.Errorf("after its time: %v", err)
		}
		var wg sync.WaitGroup
		used := make(chan error, 10)
		for range cap(used) {
			wg.Go(func() { used <- e.db.UseSignInLink(t.Context(), l.ID, t0) })
		}
		wg.Wait()
		won := 0
		for range cap(used) {
			if err := <-used; err == nil {
				won++
			} else if !errors.Is(err, ErrUsed) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d used it", won)
		}
	})
}

func TestTheDatabaseKeepsWhoDidWhat(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, _ := peopled(t, on)
		before := e.rowsOf()
		unchanged := func(query string) {
			t.Helper()
			if diff := cmp.Diff(before, e.rowsOf()); diff != "" {
				t.Fatalf("%s (-before +after):\n%s", query, diff)
			}
		}
		refuses := func(query string) {
			t.Helper()
			if err := e.exec(query); !e.refusal(err) {
				t.Errorf("the database took: %s: %v", query, err)
			}
			unchanged(query)
		}
		free := map[string][]string{
			"person":       {"mail", "roles", "accounts", "given_by", "disabled", "changed_at"},
			"api_token":    {"seen_at", "revoked_at", "revoked_by"},
			"session":      {"seen_at", "ended_at"},
			"sign_in_link": {"used_at"},
			"sign_in_try":  {"window_at", "tries", "key"},
			"signing_key":  nil,
			"audit_entry":  nil,
		}
		for _, table := range accessTables {
			refuses("DELETE FROM " + table)
			refuses("INSERT OR REPLACE INTO " + table + " SELECT * FROM " + table)
			for column, kind := range columnsOf(t, e.db, table) {
				if slices.Contains(free[table], column) {
					continue
				}
				value := column + " || 'x'"
				if kind == "bigint" {
					value = column + " + 1"
				}
				refuses(fmt.Sprintf("UPDATE %s SET %s = %s", table, column, value))
				_ = e.exec(fmt.Sprintf("UPDATE OR IGNORE %s SET %s = %s", table, column, value))
				_ = e.exec(fmt.Sprintf("UPDATE OR REPLACE %s SET %s = %s", table, column, value))
				unchanged(table + "." + column)
			}
		}
		// What has ended stays so.
		for _, change := range []string{"UPDATE sign_in_link SET used_at = 1", "UPDATE session SET ended_at = 1", "UPDATE api_token SET revoked_at = 1, revoked_by = 'ada'"} {
			e.ok(e.exec(change))
			before = e.rowsOf()
			refuses(strings.ReplaceAll(change, "= 1", "= 2"))
			refuses(strings.ReplaceAll(change, "= 1", "= 0"))
		}
		// An entry follows the one before it, without a gap and a fork.
		head, err := e.db.AuditHead(t.Context())
		e.ok(err)
		insert := func(seq int64, prev string) string {
			return fmt.Sprintf("INSERT INTO audit_entry (seq, at, actor, session, act, kind, subject, details, prev, hash) VALUES (%d, 1, 'eve', '', 'x', 'act', '', '{}', '%s', '%s')", seq, prev, hashOf("d"))
		}
		refuses(insert(head.Seq+2, head.Hash))
		refuses(insert(head.Seq, head.Hash))
		refuses(insert(head.Seq+1, head.Prev))
		refuses(insert(head.Seq+1, ""))
		refuses(insert(0, ""))
	})
}

func walk(t *testing.T, db *DB) (auditlog.Chain, error) {
	t.Helper()
	var c auditlog.Chain
	err := db.AuditLog(t.Context(), 0, c.Next)
	return c, err
}

// TestEntriesAreAppendedOneAfterTheOther has processes, each with a connection of its own,
// write at once.
func TestEntriesAreAppendedOneAfterTheOther(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		place := on.place(t)
		dbs := []*DB{create(t, place), reopen(t, place), reopen(t, place)}
		var wg sync.WaitGroup
		const each = 20
		for i, db := range dbs {
			for range 2 {
				wg.Go(func() {
					for n := range each {
						if _, err := db.Record(t.Context(), auditlog.Entry{At: t0, Actor: fmt.Sprint("p", i), Act: "x", Kind: auditlog.Did, Subject: fmt.Sprint(n), Details: "{}"}); err != nil {
							t.Error(err)
						}
					}
				})
			}
		}
		wg.Wait()
		if c, err := walk(t, dbs[0]); err != nil || c.Entries != 2*each*3 {
			t.Errorf("%d entries, %v", c.Entries, err)
		}
	})
}

// TestEveryChangedByteOfTheLogIsNamed changes each byte of each entry behind the guards.
func TestEveryChangedByteOfTheLogIsNamed(t *testing.T) {
	onEngines(t, func(t *testing.T, on database) {
		e, _ := peopled(t, on)
		e.dropTrigger("audit_entry_append_only")
		e.dropTrigger("audit_entry_no_delete")
		if c, err := walk(t, e.db); err != nil || c.Entries != 3 {
			t.Fatalf("%d entries, %v", c.Entries, err)
		}
		found := func(what string, seq int64) {
			t.Helper()
			var b *auditlog.Broken
			if _, err := walk(t, e.db); !errors.As(err, &b) || b.Seq != seq {
				t.Fatalf("%s: %v", what, err)
			}
		}
		tried := 0
		for seq := int64(1); seq <= 3; seq++ {
			for column, kind := range columnsOf(t, e.db, "audit_entry") {
				if column == "kind" || column == "seq" { // its check refuses; it moves the entry
					continue
				}
				set := func(v any) { e.ok(e.exec("UPDATE audit_entry SET "+column+" = $1 WHERE seq = $2", v, seq)) }
				if kind == "bigint" {
					for bit := range 62 {
						e.ok(e.exec(fmt.Sprintf("UPDATE audit_entry SET %s = %s + %d WHERE seq = %d", column, column, int64(1)<<bit, seq)))
						found(column, seq)
						e.ok(e.exec(fmt.Sprintf("UPDATE audit_entry SET %s = %s - %d WHERE seq = %d", column, column, int64(1)<<bit, seq)))
					}
					continue
				}
				was := texts(t, e.db, fmt.Sprintf("SELECT %s FROM audit_entry WHERE seq = %d", column, seq))[0]
				for i := range len(was) {
					raw := []byte(was)
					if raw[i] ^= 1; raw[i] >= 0x80 {
						continue // PostgreSQL takes no text that is not UTF-8
					}
					set(string(raw))
					found(fmt.Sprintf("%s, byte %d", column, i), seq)
					tried++
				}
				set(was)
			}
		}
		if tried < 400 {
			t.Errorf("only %d bytes were changed", tried)
		}
		e.ok(e.exec("UPDATE audit_entry SET kind = 'denied' WHERE seq = 2"))
		found("the kind", 2)
		e.ok(e.exec("UPDATE audit_entry SET kind = 'act', seq = 7 WHERE seq = 2"))
		found("the number", 2)
		e.ok(e.exec("UPDATE audit_entry SET seq = 2 WHERE seq = 7"))
		if _, err := walk(t, e.db); err != nil {
			t.Error(err)
		}
		e.ok(e.exec("DELETE FROM audit_entry WHERE seq = 1"))
		found("an entry less", 1)
	})
}

// TestALogOfManyPagesIsRead has more entries than are read at once.
func TestALogOfManyPagesIsRead(t *testing.T) {
	e := sqliteFile.open(t)
	for i := range page + 1 {
		e.logged(i)
	}
	if c, err := walk(t, e.db); err != nil || c.Entries != page+1 {
		t.Errorf("%d entries, %v", c.Entries, err)
	}
	if got, err := e.db.AuditedOn(t.Context(), "plan 7"); err != nil || len(got) != 1 || got[0].Seq != 8 {
		t.Errorf("%v, %v", got, err)
	}
}
