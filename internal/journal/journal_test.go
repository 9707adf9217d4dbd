package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 3, 2, 10, 0, 0, 123_456_789, time.UTC)

func record(n int) Record {
	return Record{
		At: t0, Line: fmt.Sprintf("01LINE%020d", n), N: 1, Generation: 1, Identity: fmt.Sprintf("bu-k7f2-%d-1", n),
		Provider: "aws", Account: "111122223333", Region: "us-east-1", Service: "rds", Offering: "o-1", Quantity: 2,
		Deadline: t0.Add(2 * time.Minute), Request: strings.Repeat("ab", 32),
	}
}

func created(t *testing.T) *Journal {
	t.Helper()
	j, err := Create(filepath.Join(t.TempDir(), "test.journal"), "01ID", "k7f2")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, j) })
	return j
}

func opened(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, j) })
	return j
}

func closed(t *testing.T, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func fill(t *testing.T, j *Journal, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		if err := j.Append(t.Context(), record(n)); err != nil {
			t.Fatal(err)
		}
	}
}

func want(from, to int) (list []Record) {
	for n := from; n <= to; n++ {
		r := record(n)
		r.Seq = int64(n)
		list = append(list, r)
	}
	return list
}

func records(t *testing.T, j *Journal, after int64) []Record {
	t.Helper()
	list, err := j.Records(after)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestARecordIsThereWhenItIsRead(t *testing.T) {
	j := created(t)
	fill(t, j, 1, 3)
	other := opened(t, j.Path())
	if other.ID() != "01ID" || other.Install() != "k7f2" {
		t.Errorf("id %s, installation %s", other.ID(), other.Install())
	}
	fill(t, other, 4, 4) // each goes on where the other one was
	fill(t, j, 5, 5)
	for _, j := range []*Journal{j, other} {
		recent, err := j.Recent()
		if diff := cmp.Diff(want(1, 5), recent); diff != "" || err != nil {
			t.Errorf("%v, recent (-want +got):\n%s", err, diff)
		}
	}
	if diff := cmp.Diff(want(4, 5), records(t, j, 3)); diff != "" {
		t.Errorf("after 3 (-want +got):\n%s", diff)
	}
	if list := records(t, j, 5); list != nil {
		t.Errorf("after the last: %v", list)
	}
}

func TestAJournalIsNeverCreatedOverAFile(t *testing.T) {
	j := created(t)
	fill(t, j, 1, 1)
	if _, err := Create(j.Path(), "01OTHER", "zzzz"); !errors.Is(err, ErrExists) {
		t.Errorf("over a journal: %v", err)
	}
	if _, err := Open(j.Path() + "x"); !errors.Is(err, ErrMissing) {
		t.Errorf("missing: %v", err)
	}
	for _, text := range []string{"", "x", "{}\n", "hello\n", `{"bursar_journal":2,"id":"01ID"}` + "\n"} {
		path := filepath.Join(t.TempDir(), "other")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil {
			t.Errorf("%q was taken for a journal", text)
		}
		if left, _ := os.ReadFile(path); string(left) != text {
			t.Errorf("%q was changed to %q", text, left)
		}
	}
}

func TestATornEndIsCutOffWhereverItIsTorn(t *testing.T) {
	j := created(t)
	fill(t, j, 1, 2)
	whole, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	fill(t, j, 3, 3)
	full, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	tails := [][]byte{[]byte("\x00\x00\x00"), []byte("garbage\n"), append(full[len(whole):len(full)-3:len(full)-3], "x]\n"...)}
	for end := len(whole) + 1; end < len(full); end++ {
		tails = append(tails, full[len(whole):end])
	}
	for _, tail := range tails {
		for _, late := range []bool{false, true} { // torn before it was opened, and while it was open
			path := filepath.Join(t.TempDir(), "torn")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			add := func() {
				f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.Write(tail); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if !late {
				add()
			}
			j := opened(t, path)
			if late {
				add()
			}
			fill(t, j, 3, 3)
			if diff := cmp.Diff(want(1, 3), records(t, j, 0)); diff != "" {
				t.Fatalf("torn after %d bytes, late %v (-want +got):\n%s", len(tail), late, diff)
			}
		}
	}
}

func TestADamagedJournalIsReadNoFurtherAndNeverWritten(t *testing.T) {
	j := created(t)
	fill(t, j, 1, 3)
	full, err := os.ReadFile(j.Path())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(full), "\n")
	second := len(lines[0]) + len(lines[1])
	for name, text := range map[string]string{
		"a bit":           lines[0] + lines[1] + strings.Replace(lines[2], "k7f2", "k7f3", 1) + lines[3],
		"a frame is gone": lines[0] + lines[1] + lines[3] + lines[3],
		"a zeroed sector": lines[0] + lines[1] + strings.Repeat("\x00", len(lines[2])-1) + "\n" + lines[3],
	} {
		path := filepath.Join(t.TempDir(), "damaged")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(path)
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), fmt.Sprintf("at byte %d", second)) {
			t.Errorf("%s: %v, want the offset %d", name, err, second)
		}
		if left, _ := os.ReadFile(path); string(left) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
	// Damage under an open journal is seen by whoever reads all of it.
	if err := os.WriteFile(j.Path(), []byte(lines[0]+lines[1]+strings.Replace(lines[2], "k7f2", "k7f3", 1)+lines[3]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Records(0); !errors.Is(err, ErrCorrupt) {
		t.Errorf("under an open one: %v", err)
	}
}

func TestALongJournalIsOpenedByItsEnd(t *testing.T) {
	j := created(t)
	// More than Open reads, written as one would over months.
	j.flush = func(*os.File) error { return nil }
	const n = 3000
	fill(t, j, 1, n)
	if size, err := j.size(); err != nil || size < tailMost+1000 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	other := opened(t, j.Path())
	fill(t, other, n+1, n+1)
	recent, err := other.Recent()
	if err != nil || len(recent) != recentMost {
		t.Fatalf("%d recent, %v", len(recent), err)
	}
	if diff := cmp.Diff(want(n+2-recentMost, n+1), recent); diff != "" {
		t.Errorf("recent (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want(1, n+1), records(t, j, 0)); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
}

func TestNothingIsWrittenThatTheDiskDoesNotHave(t *testing.T) {
	j := created(t)
	fill(t, j, 1, 1)
	flush := j.flush
	j.flush = func(*os.File) error { return errors.New("input/output error") }
	if err := j.Append(t.Context(), record(2)); err == nil {
		t.Fatal("written, it was said")
	}
	j.flush = flush
	fill(t, j, 2, 2)
	if diff := cmp.Diff(want(1, 2), records(t, j, 0)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAJournalThatIsReplacedIsNotWritten(t *testing.T) {
	j := created(t)
	fill(t, j, 1, 1)
	moved := j.Path() + ".old"
	if err := os.Rename(j.Path(), moved); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), record(2)); !errors.Is(err, ErrMissing) {
		t.Errorf("moved away: %v", err)
	}
	if _, err := j.Recent(); !errors.Is(err, ErrMissing) {
		t.Errorf("moved away: %v", err)
	}
	other, err := Create(j.Path(), "01OTHER", "k7f2")
	if err != nil {
		t.Fatal(err)
	}
	closed(t, other)
	if err := j.Append(t.Context(), record(2)); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("replaced: %v", err)
	}
	if err := os.Rename(moved, j.Path()); err != nil { // moved within its file system, and back
		t.Fatal(err)
	}
	fill(t, j, 2, 2)
	if err := os.Truncate(j.Path(), 100); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(t.Context(), record(3)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("cut short: %v", err)
	}
}

func TestMain(m *testing.M) {
	if path := os.Getenv("BURSAR_JOURNAL_TEST"); path != "" {
		if err := writeMany(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const many = 50

// writeMany appends from many goroutines.
func writeMany(path string) error {
	j, err := Open(path)
	if err != nil {
		return err
	}
	errs := make([]error, many)
	var wg sync.WaitGroup
	for n := range many {
		wg.Go(func() { errs[n] = j.Append(context.Background(), record(n)) })
	}
	wg.Wait()
	return errors.Join(append(errs, j.Close())...)
}

func TestFourProcessesShareOneFile(t *testing.T) {
	j := created(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "BURSAR_JOURNAL_TEST="+j.Path())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	got := map[string]int{}
	for _, r := range records(t, j, 0) {
		got[r.Line]++
	}
	for n := range many {
		if line := record(n).Line; got[line] != 4 {
			t.Errorf("%s is there %d times", line, got[line])
		}
	}
}

func TestARecordHoldsNoMoreThanItSays(t *testing.T) {
	raw, err := json.Marshal(record(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"nonce", "token", "key"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("%s has a %s", raw, secret)
		}
	}
}
