package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"bursar/internal/sim"
)

// SimHelp documents the simulator and its control surface.
const SimHelp = sim.Help

// SimOptions say how the simulated clouds run.
type SimOptions struct {
	Listen     string // address and port
	State      string // file; "" keeps everything in memory
	Seed       uint64
	Visibility time.Duration // bound of the delay before a purchase is listed; 0 takes the default, negative is none
}

// Simulate serves the simulated clouds until ctx ends. ready is told the address
// as soon as it listens.
func Simulate(ctx context.Context, o SimOptions, ready func(url string)) error {
	s, err := sim.New(sim.Options{Path: o.State, Seed: o.Seed, Visibility: o.Visibility})
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("cannot listen on %q: use a free address such as 127.0.0.1:4566 (%w)", o.Listen, err), s.Close())
	}
	server := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	ready("http://" + l.Addr().String())
	select {
	case err = <-served:
	case <-ctx.Done():
		// Replies that the simulator holds back end with it.
		err = errors.Join(s.Close(), server.Close(), <-served)
	}
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}
