//go:build !mutant

package engine

import "bursar/internal/driver"

// facts are those of a service. A build with the tag mutant has others, so that a drill
// can be seen to notice it.
func facts(i driver.Info) driver.Info { return i }
