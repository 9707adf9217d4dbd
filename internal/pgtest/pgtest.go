// Package pgtest runs a throw-away PostgreSQL from the binaries installed on this
// machine: for tests and for drills that kill it. Nothing of it outlives its
// directory.
//
// PostgreSQL refuses to run as root. Run by root, the cluster belongs to the user
// postgres, which Debian's package makes, or else to nobody.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNoBinaries: PostgreSQL is not installed on this machine.
var ErrNoBinaries = errors.New("PostgreSQL is not installed: on Debian, apt-get install postgresql")

// Cluster is one PostgreSQL server over its own directory. Its methods may be
// called from several goroutines, those that stop and start it from one.
type Cluster struct {
	dir  string // data and log lie in it
	bin  string
	port int
	as   owner // zero for the user of this process

	server *exec.Cmd
	ended  chan error // one value when the server has ended

	creating sync.Mutex
	made     int
}

// how long the server may take to start, recovery from a crash included, and to stop.
const patience = time.Minute

// Start makes a cluster in dir, which must be empty, and starts it on a free port of
// 127.0.0.1. Anybody on this machine may connect as the user bursar, who owns it.
// Commits are durable as in production: a crash loses none.
func Start(ctx context.Context, dir string) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, bin: bin}
	if os.Getuid() == 0 {
		if c.as, err = unprivileged(); err != nil {
			return nil, err
		}
		if err := os.Chown(dir, c.as.uid, c.as.gid); err != nil {
			return nil, fmt.Errorf("postgresql: %w", err)
		}
	}
	initdb := c.command("initdb", "--pgdata", c.data(), "--username=bursar", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("postgresql: initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	if c.port, err = freePort(); err != nil {
		return nil, fmt.Errorf("postgresql: %w", err)
	}
	return c, c.Restart(ctx)
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// command is one of PostgreSQL's programs, run as the user of the cluster in a
// directory that this user can read.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	c.as.runs(cmd)
	return cmd
}

// Restart starts the server again after Stop, on the same port, and returns when it
// answers.
func (c *Cluster) Restart(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("postgresql: %w", err)
	}
	defer log.Close() //nolint:errcheck // the server has its own
	c.server = c.command("postgres", "-D", c.data(), "-p", strconv.Itoa(c.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "max_wal_size=256MB")
	c.server.Stdout, c.server.Stderr = log, log
	if err := c.server.Start(); err != nil {
		return fmt.Errorf("postgresql: %w", err)
	}
	c.ended = make(chan error, 1)
	go func() { c.ended <- c.server.Wait() }()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := c.run(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case ended := <-c.ended:
			return fmt.Errorf("postgresql did not start: %w: %s", ended, c.lastWords())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("postgresql does not answer: %w", err), c.Stop(true))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server: immediately, as a crash does, or after it has rolled back
// what is open and written what is committed. One that has ended is stopped already.
func (c *Cluster) Stop(immediate bool) error {
	if c.server == nil {
		return nil
	}
	sig := syscall.SIGINT
	if immediate {
		sig = syscall.SIGQUIT
	}
	if err := c.server.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop postgresql: %w", err)
	}
	select {
	case <-c.ended: // an immediate stop is an exit with an error
	case <-time.After(patience):
		return errors.Join(errors.New("postgresql does not stop"), c.server.Process.Kill())
	}
	c.server = nil
	return nil
}

// Save copies the files of the cluster while its server runs, as a base backup does, and
// returns where the copy is.
func (c *Cluster) Save() (string, error) {
	c.made++
	copied := filepath.Join(c.dir, "saved-"+strconv.Itoa(c.made))
	save := c.command("pg_basebackup", "--pgdata", copied, "--host=127.0.0.1", "--port", strconv.Itoa(c.port), "--username=bursar",
		"--checkpoint=fast", "--wal-method=stream", "--no-sync", "--no-password")
	if out, err := save.CombinedOutput(); err != nil {
		return "", fmt.Errorf("postgresql: pg_basebackup: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return copied, nil
}

// PutBack crashes the server, puts files that Save has copied in the place of its own,
// and starts it again. Neither the system identifier nor the timeline is another one
// then. The copy is used up.
func (c *Cluster) PutBack(ctx context.Context, copied string) error {
	if err := c.Stop(true); err != nil {
		return err
	}
	if err := os.RemoveAll(c.data()); err != nil {
		return fmt.Errorf("postgresql: %w", err)
	}
	if err := os.Rename(copied, c.data()); err != nil {
		return fmt.Errorf("postgresql: %w", err)
	}
	return c.Restart(ctx)
}

// Addr is the host and port of the server.
func (c *Cluster) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.port)) }

// Dir is the directory that holds the cluster's files.
func (c *Cluster) Dir() string { return c.dir }

// URL names a database of the cluster.
func (c *Cluster) URL(database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("bursar"), Host: c.Addr(), Path: "/" + database, RawQuery: "sslmode=disable"}
	return u.String()
}

// NewDatabase makes a database and returns its URL: an empty one, or a copy of the
// one that template names by its URL, to which nobody may be connected.
func (c *Cluster) NewDatabase(ctx context.Context, template string) (string, error) {
	c.creating.Lock()
	defer c.creating.Unlock()
	from := "template0"
	if template != "" {
		u, err := url.Parse(template)
		if err != nil {
			return "", fmt.Errorf("postgresql: %w", err)
		}
		from = strings.TrimPrefix(u.Path, "/")
	}
	c.made++
	name := "d" + strconv.Itoa(c.made)
	if err := c.run(ctx, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", pgx.Identifier{name}.Sanitize(), pgx.Identifier{from}.Sanitize())); err != nil {
		return "", fmt.Errorf("postgresql: %w", err)
	}
	return c.URL(name), nil
}

// DropDatabase removes a database, and ends whoever is connected to it.
func (c *Cluster) DropDatabase(ctx context.Context, database string) error {
	u, err := url.Parse(database)
	if err == nil {
		err = c.run(ctx, "DROP DATABASE "+pgx.Identifier{strings.TrimPrefix(u.Path, "/")}.Sanitize()+" WITH (FORCE)")
	}
	if err != nil {
		return fmt.Errorf("postgresql: %w", err)
	}
	return nil
}

// run performs a statement in the database that every cluster has.
func (c *Cluster) run(ctx context.Context, statement string) (err error) {
	conn, err := pgx.Connect(ctx, c.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

// lastWords are the last lines of the server's log.
func (c *Cluster) lastWords() string {
	raw, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}

// Installed reports whether PostgreSQL's programs are on this machine.
func Installed() bool {
	_, err := binaries()
	return err == nil
}

// binaries is the directory of PostgreSQL's programs: that of initdb in PATH, which may be
// a link to it, or the newest version that Debian's packages have installed.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrNoBinaries
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// owner is whom a cluster belongs to; zero is the user of this process.
type owner struct{ uid, gid int }

// unprivileged is whom a cluster belongs to when root runs this process.
func unprivileged() (o owner, err error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return o, fmt.Errorf("postgresql does not run as root, and there is no user for it: %w", err)
		}
	}
	if o.uid, err = strconv.Atoi(u.Uid); err == nil {
		o.gid, err = strconv.Atoi(u.Gid)
	}
	return o, err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close() //nolint:errcheck // nobody is connected
	return l.Addr().(*net.TCPAddr).Port, nil
}
