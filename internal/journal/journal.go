// Package journal keeps the second copy of what was about to be sent: an
// append-only file outside the ledger, meant for another volume. A record is
// written after the ledger has an attempt and before its request leaves, and is on
// the disk when Append returns. A ledger that does not have an attempt of the
// journal has gone back in time.
//
// The file is text. Its first line names it; each further line is a frame: the
// CRC-32C of its JSON in eight hex digits, a space, the JSON of one or more
// records, a line feed. A process that dies while it writes leaves a torn last
// frame, which whoever comes next cuts off: nobody was told that it was written.
// Anything else that cannot be read is an error that names its offset, and nothing
// is appended.
//
// Processes of one host share a file: they append under a lock. The file must be
// on a local disk.
package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Record is one request that was about to be sent.
type Record struct {
	Seq        int64     `json:"seq"` // counts up without gaps, from 1
	At         time.Time `json:"at"`
	Line       string    `json:"line"`
	N          int       `json:"n"` // of the attempt, within its line
	Generation int       `json:"generation"`
	Identity   string    `json:"identity"`
	Provider   string    `json:"provider"`
	Account    string    `json:"account"`
	Region     string    `json:"region"`
	Service    string    `json:"service"`
	Offering   string    `json:"offering"`
	Quantity   int64     `json:"quantity"`
	Deadline   time.Time `json:"deadline"`
	FireAt     time.Time `json:"fire_at,omitzero"` // of an order for a later second
	// Request is the digest that the ledger keeps of the attempt's intent. The intent
	// holds the deadline, so that a later attempt of the same number has another one.
	Request string `json:"request"`
}

// header is the first line.
type header struct {
	Format  int    `json:"bursar_journal"`
	ID      string `json:"id"`
	Install string `json:"install"` // of the ledger that it is the journal of
}

const format = 1

// Errors of the package.
var (
	// ErrMissing: there is no journal at the path.
	ErrMissing = errors.New("there is no journal")
	// ErrExists: there is a file where a journal was to be created.
	ErrExists = errors.New("there is a file already")
	// ErrCorrupt: the file is damaged, and not only at its end.
	ErrCorrupt = errors.New("the journal is damaged")
)

// Journal is an open journal. It is safe for concurrent use, and by several
// processes at once.
type Journal struct {
	path  string
	head  header
	guard *flock.Flock
	file  *os.File

	mu      sync.Mutex // of what follows
	waiting []*entry
	writing bool
	closed  bool

	// Of whoever holds the turn.
	turn   sync.Mutex
	end    int64 // of the last frame that was read or written
	seq    int64
	recent []Record
	flush  func(*os.File) error // tests replace it
}

// entry is a record that waits for its frame.
type entry struct {
	record Record
	done   chan struct{} // closed once err is set
	err    error
}

const (
	// frameMost bounds the records of one frame.
	frameMost = 64
	// recentMost is how many of the newest records Recent returns: more than are under
	// way at once between the ledger and the journal in all processes of a host.
	recentMost = 1024
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Create makes an empty journal. Its directory must exist, and there may be no file
// at the path. The id tells it from every other one.
func Create(path, id, install string) (*Journal, error) {
	line, err := json.Marshal(header{format, id, install})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil, fmt.Errorf("%s: %w", path, ErrExists)
	case err != nil:
		return nil, fmt.Errorf("create the journal: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close(), syncDir(filepath.Dir(path))); err != nil {
		return nil, errors.Join(fmt.Errorf("create the journal: %w", err), os.Remove(path))
	}
	return Open(path)
}

// syncDir makes a new name in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	// Not every system can sync a directory; those that cannot do not need it.
	_ = d.Sync()
	return d.Close()
}

// Open opens a journal and reads it to its end, where it cuts off a torn frame.
func Open(path string) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", path, ErrMissing)
	case err != nil:
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	j := &Journal{path: path, file: f, guard: flock.New(path+".lock", flock.SetPermissions(0o600)), flush: (*os.File).Sync}
	err = j.locked(func() error {
		line, err := firstLine(f)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(line, &j.head); err != nil || j.head.ID == "" {
			return fmt.Errorf("%s is not a journal of bursar", path)
		}
		if j.head.Format != format {
			return fmt.Errorf("the journal %s has format %d and this program knows %d: use the newer program", path, j.head.Format, format)
		}
		return j.begin(int64(len(line)) + 1)
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

// tailMost is how much of the end of a file Open reads. Records reads all of it.
const tailMost = 1 << 20

// begin reads the end of the file, whose frames begin at the given offset.
func (j *Journal) begin(first int64) error {
	size, err := j.size()
	if err != nil {
		return err
	}
	j.end = first
	if from := size - tailMost; from > first {
		tail := make([]byte, tailMost)
		if _, err := j.file.ReadAt(tail, from); err != nil {
			return fmt.Errorf("read the journal: %w", err)
		}
		if i := bytes.IndexByte(tail, '\n'); i >= 0 {
			j.end, j.seq = from+int64(i)+1, -1
		}
	}
	return j.catchUp()
}

// headerMost bounds the first line.
const headerMost = 1024

func firstLine(f *os.File) ([]byte, error) {
	buf := make([]byte, headerMost)
	n, err := f.ReadAt(buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	line, _, ok := bytes.Cut(buf[:n], []byte("\n"))
	if !ok {
		return nil, fmt.Errorf("%s is not a journal of bursar", f.Name())
	}
	return line, nil
}

// locked runs fn under the lock that all processes share.
func (j *Journal) locked(fn func() error) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	if err := j.guard.Lock(); err != nil {
		return fmt.Errorf("lock the journal %s: %w", j.path, err)
	}
	defer j.guard.Unlock() //nolint:errcheck // the lock ends with the process at the latest
	return fn()
}

// catchUp reads the frames behind what is known, and cuts off a torn one at the
// end. It needs the lock.
func (j *Journal) catchUp() error {
	size, err := j.size()
	if err != nil {
		return err
	}
	if size < j.end {
		return fmt.Errorf("%w: %s has become shorter: start the program again", ErrCorrupt, j.path)
	}
	if size == j.end {
		return nil
	}
	behind := make([]byte, size-j.end)
	if _, err := j.file.ReadAt(behind, j.end); err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	records, whole, err := scan(behind, j.seq)
	if err != nil {
		return j.damaged(err, j.end)
	}
	j.end += int64(whole)
	j.note(records)
	if whole < len(behind) {
		if err := j.file.Truncate(j.end); err != nil {
			return fmt.Errorf("cut the torn end of the journal: %w", err)
		}
	}
	return nil
}

func (j *Journal) size() (int64, error) {
	info, err := j.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("the journal: %w", err)
	}
	return info.Size(), nil
}

// note remembers the newest records.
func (j *Journal) note(records []Record) {
	if len(records) == 0 {
		return
	}
	j.seq = records[len(records)-1].Seq
	j.recent = append(j.recent, records...)
	j.recent = slices.Clone(j.recent[max(0, len(j.recent)-recentMost):])
}

// badFrame: a frame that is not the last one cannot be read. It is its offset within
// what was scanned.
type badFrame int

func (b badFrame) Error() string { return fmt.Sprintf("bad frame at %d", int(b)) }

func (j *Journal) damaged(err error, from int64) error {
	var bad badFrame
	if !errors.As(err, &bad) {
		return err
	}
	return fmt.Errorf("%w: %s cannot be read at byte %d", ErrCorrupt, j.path, from+int64(bad))
}

// scan reads frames that follow a number; -1 is any. whole is how much of the text
// is whole frames: what is behind it is torn.
func scan(text []byte, seq int64) (records []Record, whole int, err error) {
	for {
		line, rest, ended := bytes.Cut(text[whole:], []byte("\n"))
		if !ended {
			return records, whole, nil
		}
		found, ok := frame(line, seq)
		switch {
		case !ok && len(rest) == 0:
			return records, whole, nil
		case !ok:
			return records, whole, badFrame(whole)
		}
		records = append(records, found...)
		seq = found[len(found)-1].Seq
		whole += len(line) + 1
	}
}

// frame reads one line. ok is false if it is not a frame that follows seq.
func frame(line []byte, seq int64) (records []Record, ok bool) {
	if len(line) < 9 || line[8] != ' ' {
		return nil, false
	}
	body := line[9:]
	if fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli)) != string(line[:8]) {
		return nil, false
	}
	if json.Unmarshal(body, &records) != nil || len(records) == 0 {
		return nil, false
	}
	if seq < 0 {
		seq = records[0].Seq - 1
	}
	for _, r := range records {
		if seq++; r.Seq != seq {
			return nil, false
		}
	}
	return records, true
}

// ID tells the journal from every other one.
func (j *Journal) ID() string { return j.head.ID }

// Install is the installation that the journal was created for.
func (j *Journal) Install() string { return j.head.Install }

// Path is where the journal was opened.
func (j *Journal) Path() string { return j.path }

// Append writes a record, whose number it chooses. It returns nil when the record is
// on the disk. After any error nothing may be sent; the record may be there or not.
// Records that are appended at once share a frame.
func (j *Journal) Append(ctx context.Context, r Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e := &entry{record: r, done: make(chan struct{})}
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return errors.New("the journal is closed")
	}
	j.waiting = append(j.waiting, e)
	if j.writing { // whoever writes takes it along
		j.mu.Unlock()
		<-e.done
		return e.err
	}
	j.writing = true
	for len(j.waiting) > 0 {
		n := min(len(j.waiting), frameMost)
		batch := j.waiting[:n:n]
		j.waiting = j.waiting[n:]
		j.mu.Unlock()
		err := j.locked(func() error { return j.write(batch) })
		for _, b := range batch {
			b.err = err
			close(b.done)
		}
		j.mu.Lock()
	}
	j.writing = false
	j.mu.Unlock()
	return e.err
}

// write appends one frame and waits for the disk. It needs the lock.
func (j *Journal) write(batch []*entry) error {
	if err := j.there(); err != nil {
		return err
	}
	if err := j.catchUp(); err != nil {
		return err
	}
	records := make([]Record, len(batch))
	for i, e := range batch {
		records[i] = e.record
		records[i].Seq = j.seq + int64(i) + 1
	}
	body, err := json.Marshal(records)
	if err != nil {
		return err
	}
	line := fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(body, castagnoli), body)
	if _, err := j.file.Write(line); err != nil {
		// What is there of it is torn; the next writer cuts it off.
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := j.flush(j.file); err != nil {
		// A later sync may say that all is well though this frame is lost. It is taken
		// away again, and if that fails it stays: a record too many is harmless.
		return errors.Join(fmt.Errorf("write the journal: %w", err), j.file.Truncate(j.end))
	}
	j.end += int64(len(line))
	j.note(records)
	return nil
}

// there refuses a file that is not the one at the path any more.
func (j *Journal) there() error {
	named, err := os.Stat(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", j.path, ErrMissing)
	} else if err != nil {
		return fmt.Errorf("the journal: %w", err)
	}
	open, err := j.file.Stat()
	if err != nil {
		return fmt.Errorf("the journal: %w", err)
	}
	if !os.SameFile(named, open) {
		return fmt.Errorf("the journal %s was replaced while it was in use: start the program again", j.path)
	}
	return nil
}

// Recent returns the newest records of all processes, at most 1024, the oldest
// first. An error also says that nothing can be appended.
func (j *Journal) Recent() ([]Record, error) {
	var list []Record
	err := j.locked(func() error {
		err := errors.Join(j.there(), j.catchUp())
		list = slices.Clone(j.recent)
		return err
	})
	return list, err
}

// Records reads the records after the given number, and checks the whole file.
func (j *Journal) Records(after int64) ([]Record, error) {
	text, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", j.path, ErrMissing)
	} else if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	first := bytes.IndexByte(text, '\n') + 1
	// What is torn may be what somebody is writing at this moment.
	all, _, err := scan(text[first:], 0)
	if err != nil {
		return nil, j.damaged(err, int64(first))
	}
	i := slices.IndexFunc(all, func(r Record) bool { return r.Seq > after })
	if i < 0 {
		return nil, nil
	}
	return all[i:], nil
}

// Close closes the journal. What still waits to be appended gets an error.
func (j *Journal) Close() error {
	j.mu.Lock()
	closed := j.closed
	j.closed = true
	j.mu.Unlock()
	if closed {
		return nil
	}
	j.turn.Lock()
	defer j.turn.Unlock()
	return errors.Join(j.file.Close(), j.guard.Close())
}
