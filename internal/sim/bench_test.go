package sim

import (
	"fmt"
	"path/filepath"
	"testing"
)

// One purchase through the wire, with a state file that grows.
func BenchmarkPurchase(b *testing.B) {
	s, err := New(Options{Path: filepath.Join(b.TempDir(), "state"), Quota: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	url, stop, err := Serve(s)
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	c := rdsClient(url)
	for i := 0; b.Loop(); i++ {
		if _, err := buy(b.Context(), c, fmt.Sprintf("id-%d", i), 1); err != nil {
			b.Fatal(err)
		}
	}
}
