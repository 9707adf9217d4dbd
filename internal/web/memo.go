package web

import (
	"context"
	"strings"
	"sync"
	"time"

	"bursar/internal/auth"
)

// memo keeps the newest answer of something that takes long, such as a listing of
// every cloud, with its time, for each scope of accounts. One asks at a time; the
// others wait for it.
type memo[T any] struct {
	asking sync.Mutex
	mu     sync.Mutex
	kept   map[string]kept[T]
}

type kept[T any] struct {
	value T
	at    time.Time
}

// scope names the accounts that somebody sees.
func scope(who auth.Principal) string {
	if who.Accounts == nil {
		return "all"
	}
	return "of " + strings.Join(who.Accounts, " ")
}

// last is the newest answer; at is zero before the first.
func (m *memo[T]) last(who auth.Principal) (value T, at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.kept[scope(who)]
	return k.value, k.at
}

// ask asks anew, unless somebody else was answered since this call began.
func (m *memo[T]) ask(ctx context.Context, v view, question func(context.Context) (T, error)) error {
	_, before := m.last(v.who)
	m.asking.Lock()
	defer m.asking.Unlock()
	if _, at := m.last(v.who); at.After(before) {
		return nil
	}
	value, err := question(ctx)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kept == nil {
		m.kept = map[string]kept[T]{}
	}
	m.kept[scope(v.who)] = kept[T]{value, v.now}
	return nil
}
