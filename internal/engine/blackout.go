package engine

import (
	"context"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/purchase"
)

// awake refuses the purchase of a line in a blackout of its plan, and an order that would
// be carried out in one. What is under way already goes on to its end.
func (e *Engine) awake(ctx context.Context, i purchase.Intent) error {
	line, _, _, err := lineOf(i)
	if err != nil {
		return err
	}
	now := e.Now()
	latest := now
	if svc, err := e.Clouds.Service(laneOf(i)); err != nil {
		return err
	} else if info := svc.Info(); info.Class == cloud.ClassQueued {
		latest = purchase.LatestFire(now, info.Lead)
	}
	b, dark, err := e.DB.Blackout(ctx, line, now, latest)
	if err != nil || !dark {
		return err
	}
	why := "not before " + b.Until.Format(time.DateOnly)
	if b.Why != "" {
		why += ": " + b.Why
	}
	return purchase.Later{Until: b.Until, Why: why + " (" + b.At + ")"}
}
