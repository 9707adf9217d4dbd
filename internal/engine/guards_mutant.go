//go:build mutant

package engine

import (
	"time"

	"bursar/internal/driver"
)

// facts take away the guard that nothing is concluded before every request is dead and
// what it bought must be visible. No release is built like this.
func facts(i driver.Info) driver.Info {
	i.Settle = -24 * time.Hour
	return i
}
