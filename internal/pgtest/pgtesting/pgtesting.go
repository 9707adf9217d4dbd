// Package pgtesting gives tests a PostgreSQL database of their own. The databases of
// one test binary are in one cluster.
package pgtesting

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"

	"bursar/internal/pgtest"
)

var cluster struct {
	sync.Mutex
	dir       string
	c         *pgtest.Cluster
	err       error
	templates map[string]string
}

// Run runs the tests of a package and stops the cluster that they started, if they
// did. Call it from TestMain and exit with what it returns.
func Run(m *testing.M) int {
	code := m.Run()
	cluster.Lock()
	defer cluster.Unlock()
	if cluster.c != nil {
		_ = cluster.c.Stop(true) // its files go with it
	}
	if cluster.dir != "" {
		_ = os.RemoveAll(cluster.dir)
	}
	return code
}

// Cluster returns the cluster of this test binary. Without PostgreSQL on the machine
// the test is skipped, and fails where CI is set: there nothing may be left out.
func Cluster(t testing.TB) *pgtest.Cluster {
	t.Helper()
	cluster.Lock()
	defer cluster.Unlock()
	if cluster.c == nil && cluster.err == nil {
		if cluster.dir, cluster.err = os.MkdirTemp(pgtest.Memory(), "pg"); cluster.err == nil {
			cluster.c, cluster.err = pgtest.Start(context.Background(), cluster.dir)
		}
	}
	switch {
	case errors.Is(cluster.err, pgtest.ErrNoBinaries) && os.Getenv("CI") == "":
		t.Skip(cluster.err)
	case cluster.err != nil:
		t.Fatal(cluster.err)
	}
	return cluster.c
}

// Database returns the URL of a new, empty database that goes with the test.
func Database(t testing.TB) string {
	t.Helper()
	return database(t, Cluster(t), "")
}

// Copy returns the URL of a new database that goes with the test: a copy of what
// fill once made of an empty one. name tells one fill from another.
func Copy(t testing.TB, name string, fill func(url string) error) string {
	t.Helper()
	c := Cluster(t)
	cluster.Lock()
	template, ok := cluster.templates[name]
	if !ok {
		url, err := c.NewDatabase(t.Context(), "")
		if err == nil {
			err = fill(url)
		}
		if err != nil {
			cluster.Unlock()
			t.Fatal(err)
		}
		if cluster.templates == nil {
			cluster.templates = map[string]string{}
		}
		template, cluster.templates[name] = url, url
	}
	cluster.Unlock()
	return database(t, c, template)
}

func database(t testing.TB, c *pgtest.Cluster, template string) string {
	t.Helper()
	url, err := c.NewDatabase(t.Context(), template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.DropDatabase(context.Background(), url); err != nil {
			t.Error(err)
		}
	})
	return url
}
