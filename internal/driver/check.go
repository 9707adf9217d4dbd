package driver

import (
	"fmt"
	"time"
)

// maxSkew is by how much the clock of this machine may differ from that of a cloud.
const maxSkew = time.Minute

// CheckClock compares the Date of an answer, which has whole seconds, with the clock of
// this machine before and after. No Date differs from nothing.
func CheckClock(cloud string, date, before, after time.Time) Check {
	word, skew := "ahead of", before.Sub(date.Add(time.Second))
	if behind := date.Sub(after); behind > skew {
		word, skew = "behind", behind
	}
	if date.IsZero() || skew <= maxSkew {
		return Check{Of: "clock", State: CheckOK, Detail: "within a minute of " + cloud}
	}
	return Check{
		Of: "clock", State: CheckFailed, Detail: fmt.Sprintf("the clock of this machine is %s %s %s", skew.Round(time.Second), word, cloud),
		Next: "set the clock, and keep it set with NTP",
	}
}
