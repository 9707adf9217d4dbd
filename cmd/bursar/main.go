// Command bursar buys cloud commitments at most once.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"bursar/internal/cli"
)

func main() { os.Exit(run()) }

func run() int {
	// The first signal lets what is under way finish; the second ends the
	// process at once, which is safe as well.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
