package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/gofrs/flock"
)

// stateVersion is the version of the journal's format; any other in a file is
// refused.
const stateVersion = 3

// header is the first line of a state file.
type header struct {
	Version int    `json:"bursar_sim"`
	Seed    uint64 `json:"seed"`
}

// journal is a state file: a header and one JSON line per change, only ever
// appended to, except that a torn last line is cut off. All methods but lock
// need the lock.
type journal struct {
	path   string
	seed   uint64 // asked for; the file's own wins if this is 0
	guard  *flock.Flock
	file   *os.File
	offset int64 // end of the last line folded
	lines  int
}

func newJournal(path string, seed uint64) *journal {
	return &journal{path: path, seed: seed, guard: flock.New(path+".lock", flock.SetPermissions(0o600))}
}

// lock takes the file lock shared by all processes over the path and waits for
// it as long as needed: no one holds it while a reply is on the wire.
func (j *journal) lock() (unlock func(), err error) {
	if err := j.guard.Lock(); err != nil {
		return nil, fmt.Errorf("locking the simulator state %s: %w", j.path, err)
	}
	return func() { _ = j.guard.Unlock() }, nil
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}

// replay folds into w what was appended since the last call. It starts over,
// with a new world, when w is nil or the file was replaced.
func (j *journal) replay(w *world, ids IDCase) (*world, error) {
	same, err := j.open()
	if err != nil {
		return nil, err
	}
	if !same || w == nil {
		w, j.offset, j.lines = nil, 0, 0
	}
	data, err := io.ReadAll(io.NewSectionReader(j.file, j.offset, 1<<62))
	if err != nil {
		return nil, fmt.Errorf("reading the simulator state %s: %w", j.path, err)
	}
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			break // the writer died in this line; nobody was answered for it
		}
		line := data[:end]
		data = data[end+1:]
		if w == nil {
			h, err := j.header(line)
			if err != nil {
				return nil, err
			}
			w = newWorld(h.Seed, ids)
		} else {
			var c change
			if err := json.Unmarshal(line, &c); err != nil {
				return nil, fmt.Errorf("the simulator state %s is damaged in line %d: %w", j.path, j.lines+1, err)
			}
			w.fold(c)
		}
		j.offset += int64(end) + 1
		j.lines++
	}
	if len(data) > 0 {
		if w == nil && !bytes.HasPrefix(data, []byte(`{"bursar_sim"`)[:min(len(data), 13)]) {
			return nil, j.foreign()
		}
		if err := j.file.Truncate(j.offset); err != nil {
			return nil, fmt.Errorf("cutting a torn line off the simulator state %s: %w", j.path, err)
		}
	}
	if w == nil {
		line, err := json.Marshal(header{Version: stateVersion, Seed: j.seed})
		if err != nil {
			return nil, err
		}
		if err := j.append(append(line, '\n')); err != nil {
			return nil, err
		}
		w = newWorld(j.seed, ids)
	}
	return w, nil
}

func (j *journal) header(line []byte) (header, error) {
	var h header
	if err := json.Unmarshal(line, &h); err != nil || h.Version < 1 {
		return h, j.foreign()
	}
	switch {
	case h.Version > stateVersion:
		return h, fmt.Errorf("the simulator state %s is of version %d, but this program reads version %d; use the newer program, or name another path", j.path, h.Version, stateVersion)
	case h.Version < stateVersion:
		return h, fmt.Errorf("the simulator state %s is of the old version %d, and this program reads version %d; remove it or name another path", j.path, h.Version, stateVersion)
	}
	if j.seed != 0 && j.seed != h.Seed {
		return h, fmt.Errorf("the simulator state %s was made with seed %d, not %d", j.path, h.Seed, j.seed)
	}
	return h, nil
}

func (j *journal) foreign() error {
	return fmt.Errorf("%s is not a simulator state file; name another path or remove it", j.path)
}

// open makes sure that j.file is the file the path names now, and reports
// whether it is the one that was folded.
func (j *journal) open() (same bool, err error) {
	if j.file != nil {
		ours, err1 := j.file.Stat()
		named, err2 := os.Stat(j.path)
		if err1 == nil && err2 == nil && os.SameFile(ours, named) && named.Size() >= j.offset {
			return true, nil
		}
		if err2 != nil && !errors.Is(err2, os.ErrNotExist) {
			return false, fmt.Errorf("opening the simulator state: %w", err2)
		}
		_ = j.close()
	}
	j.file, err = os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return false, fmt.Errorf("opening the simulator state: %w", err)
	}
	return false, nil
}

// append writes whole lines at the end in one write. It does not sync: the
// simulator survives the death of its process, not of its machine.
func (j *journal) append(lines []byte) error {
	n, err := j.file.WriteAt(lines, j.offset)
	if err != nil {
		return fmt.Errorf("writing the simulator state %s: %w", j.path, err)
	}
	j.offset += int64(n)
	j.lines += bytes.Count(lines, []byte{'\n'})
	return nil
}
