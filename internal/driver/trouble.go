package driver

import (
	"errors"
	"fmt"

	"bursar/internal/cloud"
)

// Trouble is what keeps a service from answering anything about an account and
// region until a person mends it.
type Trouble string

const (
	// Denied: the caller lacks a permission.
	Denied Trouble = "denied"
	// RegionOff: the account has not enabled the region, or the region knows
	// nothing of the credentials, which looks the same.
	RegionOff Trouble = "region off"
	// Unreachable: no answer came.
	Unreachable Trouble = "unreachable"
)

// Says tells a person in one sentence what troubles a lane and what to do; it is
// "" for an error that is about something else.
func Says(lane cloud.Lane, err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	where := "in " + string(lane.Region)
	if lane.Region == "" {
		where = "anywhere"
	}
	switch e.Trouble {
	case Denied:
		action := e.Action
		if action == "" {
			action = e.Operation
		}
		return fmt.Sprintf("account %s does not permit %s %s: grant it, as bursar doctor shows", lane.Account, action, where)
	case RegionOff:
		return fmt.Sprintf("region %s is not enabled for account %s, or does not know its credentials (%s): enable it, as bursar doctor shows",
			lane.Region, lane.Account, e.Code)
	case Unreachable:
		return fmt.Sprintf("no connection to %s %s %s for account %s (%s): check the network with bursar doctor",
			lane.Provider, lane.Service, where, lane.Account, e.Operation)
	}
	return ""
}
