package azure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/reservations/armreservations/v3"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// Find returns the orders under r.Identities: those that are named so by Azure, and
// those with reservations that we named so. Without identities it returns what is
// listed of the type and location.
func (d *reservations) Find(ctx context.Context, r driver.Request) ([]cloud.Evidence, error) {
	if r.Account != d.Account {
		return nil, readError(opOrder, driver.ErrWrongAccount)
	}
	token, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	l := look{operation: opListReservations, started: d.now()}
	children := map[string][]*armreservations.ReservationResponse{}
	var ids []string
	if len(r.Identities) > 0 {
		for _, id := range r.Identities {
			if id == "" {
				return nil, readError(opOrder, errors.New("an empty identity"))
			}
			if id = strings.ToLower(id); guidForm.MatchString(id) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	err = d.listAll(ctx, token, &l, func(o string, res *armreservations.ReservationResponse) {
		if !d.wanted(r, res) && !slices.Contains(ids, o) {
			return
		}
		children[o] = append(children[o], res)
		if !slices.Contains(ids, o) {
			ids = append(ids, o)
		}
	})
	if err != nil {
		return nil, err
	}
	var found []cloud.Evidence
	for _, id := range ids {
		c, err := d.commitment(ctx, token, &l, id, children[id], r)
		if err != nil {
			return nil, err
		}
		if c == nil {
			continue
		}
		ev := l.evidence(c, "")
		if len(r.Identities) > 0 {
			ev.Outcome = cloud.Exists
		}
		found = append(found, ev)
	}
	if len(found) > 0 {
		return found, nil
	}
	detail := "the subscription has no reservation of the type in the region"
	if len(r.Identities) > 0 {
		detail = fmt.Sprintf("no reservation under %d identities", len(r.Identities))
	}
	return []cloud.Evidence{l.evidence(nil, detail)}, nil
}

// wanted reports whether a reservation is what a look is for: under one of our names,
// or, without names, of this lane.
func (d *reservations) wanted(r driver.Request, res *armreservations.ReservationResponse) bool {
	p := res.Properties
	if len(r.Identities) > 0 {
		return slices.ContainsFunc(r.Identities, func(id string) bool { return strings.EqualFold(id, text(p.DisplayName)) })
	}
	return laneOf(res) == d.lane(d.service)
}

// laneOf is the lane that a reservation is in, by what it says of itself.
func laneOf(res *armreservations.ReservationResponse) cloud.Lane {
	return cloud.Lane{
		Provider: cloud.Azure, Account: cloud.Account(lastOf(text(res.Properties.BillingScopeID))),
		Region: cloud.Region(strings.ToLower(text(res.Location))), Service: serviceOf(text(res.Properties.ReservedResourceType)),
	}
}

// listAll calls take with every reservation that the caller can see and the order that
// it belongs to.
func (d *reservations) listAll(ctx context.Context, token azcore.AccessToken, l *look, take func(order string, res *armreservations.ReservationResponse)) error {
	client, err := armreservations.NewReservationClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return readError(opListReservations, err, token)
	}
	seen := map[string]bool{}
	err = each(ctx, d.core, l, client.NewListAllPager(nil), func(p armreservations.ReservationClientListAllResponse) *string { return p.NextLink },
		func(p armreservations.ReservationClientListAllResponse) error {
			if p.Value == nil {
				return errNoList
			}
			for _, res := range p.Value {
				o, err := orderOf(res)
				if err != nil {
					return err
				}
				if id := strings.ToLower(text(res.ID)); !seen[id] { // a page may repeat an item of the page before
					seen[id] = true
					take(o, res)
				}
			}
			return nil
		})
	if err != nil {
		return readError(opListReservations, err, token)
	}
	return nil
}

// errNoList: an answer without a list lists nothing and proves no absence.
var errNoList = errors.New("the answer holds no list")

// orderOf is the order of a reservation: the part of its id before "/reservations/".
func orderOf(res *armreservations.ReservationResponse) (string, error) {
	if res == nil || res.Properties == nil {
		return "", errors.New("a reservation without properties")
	}
	parts := strings.Split(strings.ToLower(text(res.ID)), "/")
	for i, p := range parts {
		if p == "reservationorders" && i+1 < len(parts) && guidForm.MatchString(parts[i+1]) {
			return parts[i+1], nil
		}
	}
	return "", errors.New("a reservation whose id names no order")
}

// children are the reservations of an order.
func (d *reservations) children(ctx context.Context, token azcore.AccessToken, l *look, id string) (all []*armreservations.ReservationResponse, err error) {
	client, err := armreservations.NewReservationClient(frozen(token.Token), d.options(d.client, false))
	if err != nil {
		return nil, err
	}
	err = each(ctx, d.core, l, client.NewListPager(id, nil), func(p armreservations.ReservationClientListResponse) *string { return p.NextLink },
		func(p armreservations.ReservationClientListResponse) error {
			for _, res := range p.Value {
				if _, err := orderOf(res); err != nil {
					return err
				}
				all = append(all, res)
			}
			return nil
		})
	return all, err
}
