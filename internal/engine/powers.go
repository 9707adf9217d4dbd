package engine

import (
	"context"
	"fmt"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/purchase"
)

var (
	_ purchase.Auditor  = market{}
	_ purchase.Follower = market{}
	_ purchase.Releaser = market{}
)

// Trail reads the audit log, where the service has one that it can ask.
func (m market) Trail(ctx context.Context, i purchase.Intent, credential string) ([]cloud.Evidence, error) {
	svc, err := m.service(i)
	if err != nil {
		return nil, err
	}
	auditor, ok := svc.(driver.Auditor)
	if !ok {
		return nil, nil
	}
	return auditor.Trail(ctx, request(i, time.Time{}), credential)
}

// Poll asks what became of a handle.
func (m market) Poll(ctx context.Context, i purchase.Intent, handle string) (cloud.Evidence, error) {
	svc, err := m.service(i)
	if err != nil {
		return cloud.Evidence{}, err
	}
	follower, ok := svc.(driver.Follower)
	if !ok {
		return cloud.Evidence{}, fmt.Errorf("%s cannot be asked what became of an order", i.Offering.Service)
	}
	return follower.Poll(ctx, request(i, time.Time{}), handle)
}

// Release deletes a queued order.
func (m market) Release(ctx context.Context, i purchase.Intent, order cloud.Commitment) error {
	svc, err := m.service(i)
	if err != nil {
		return err
	}
	releaser, ok := svc.(driver.Releaser)
	if !ok {
		return fmt.Errorf("%s cannot delete orders: delete %s in the console", i.Offering.Service, order.ID)
	}
	return releaser.Release(ctx, request(i, time.Time{}), order)
}
