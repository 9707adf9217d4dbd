package engine_test

import (
	"testing"
	"time"

	"bursar/internal/driver/aws"
	"bursar/internal/engine"
	"bursar/internal/purchase"
	"bursar/internal/sim"
)

// roomy is a simulator whose pages are as large as those of AWS and that refuses
// nothing for being asked often.
var roomy = sim.Options{PageSize: 1 << 20, Unthrottled: true, Visibility: -1}

// BenchmarkThroughput buys plans of 1000 lines of RDS in four accounts, with 20 ms
// between the engine and the cloud: sessions, looks, quotes, purchases, and a
// ledger on disk.
func BenchmarkThroughput(b *testing.B) {
	const lines = 1000
	for b.Loop() {
		b.StopTimer()
		o := roomy
		o.Latency = 20 * time.Millisecond
		w := newWorld(b, o)
		w.engine.Workers = 64
		p := w.approved(drillDrafts(w.sim, aws.RDS, lines)...)
		b.StartTimer()
		if err := w.engine.Run(b.Context(), engine.RunOptions{Plan: p.ID, Patience: time.Minute}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		for _, l := range w.plan(p).Lines {
			if l.State != purchase.Purchased {
				b.Fatalf("line %d is %s: %s", l.Number, l.State, l.Reason)
			}
		}
		if n := len(w.sim.Ledger()); n != lines {
			b.Fatalf("the cloud holds %d", n)
		}
		b.StartTimer()
	}
	b.ReportMetric(lines*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
