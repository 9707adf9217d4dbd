package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/reservations/armreservations/v3"

	"bursar/internal/cloud"
	"bursar/internal/driver"
	"bursar/internal/driver/oneshot"
)

// Operations, as the description of the API calls them.
const (
	opCatalog          = "AzureReservationAPI.getCatalog"
	opPrice            = "ReservationOrder.calculate"
	opBuyReservation   = "ReservationOrder.purchase"
	opOrder            = "ReservationOrder.get"
	opListReservations = "Reservation.listAll"
)

// reservations sells the reservations of one type of resource in one location.
//
// calculatePrice names the order that is then bought, by one PUT; the ledger holds the
// name before it is used. What a second PUT of an order does is not published, so there
// is none: doubt is resolved by reading the order, and by the display name, which is
// the only label of ours that Azure keeps.
type reservations struct {
	*core
	kind
}

var (
	_ driver.Service  = (*reservations)(nil)
	_ driver.Follower = (*reservations)(nil)
	_ driver.Limiter  = (*reservations)(nil)
)

func (d *reservations) attributes() []driver.Attribute {
	list := []driver.Attribute{{Key: attrSKU, Example: "Standard_D2s_v5"}, scopeAttribute, renewAttribute}
	if d.flexible {
		list = append(list, driver.Attribute{Key: attrFlexible, Example: "true", Values: []string{"true", "false"}})
	}
	return list
}

// Info returns the facts of the service.
func (d *reservations) Info() driver.Info {
	return d.info(d.service, d.attributes(), "Azure names an order together with its price; the name is stored before it is used, "+
		"one request is sent for it and never another, and what became of it is read under that name and under the name of the line.")
}

// Allows refuses a quantity that Azure does not take.
func (d *reservations) Allows(_ cloud.Offering, quantity int64) error {
	if quantity < 1 || quantity > math.MaxInt32 {
		return fmt.Errorf("quantity %d: want 1 to %d", quantity, math.MaxInt32)
	}
	return nil
}

// check says what is wrong with a request before anything is sent.
func (d *reservations) check(r driver.Request) error {
	if err := d.accepts(r, d.service); err != nil {
		return err
	}
	if err := checkName(r.Identity); err != nil {
		return err
	}
	_, _, err := d.request(r.Offering, r.Quantity, r.Identity)
	return err
}

// Purchase buys r.Quantity units of r.Offering as r.Order.
func (d *reservations) Purchase(ctx context.Context, r driver.Request) (cloud.Evidence, error) {
	body, _, err := d.request(r.Offering, r.Quantity, r.Identity)
	if err == nil {
		err = d.check(r)
	}
	switch {
	case err != nil:
	case !r.FireAt.IsZero():
		err = errors.New("reservations of Azure cannot be ordered for later")
	case r.Order != "" && !guidForm.MatchString(r.Order):
		err = errors.New("the order is not one of Azure")
	}
	if err != nil {
		return unsent(cloud.Evidence{Kind: cloud.EvidenceReply, Operation: opBuyReservation, Started: d.now()}, err)
	}
	return d.spend(ctx, r, order{
		operation: opBuyReservation,
		accepted:  []int{http.StatusOK, http.StatusAccepted},
		send: func(ctx context.Context, client *http.Client, token string) error {
			orders, err := armreservations.NewReservationOrderClient(frozen(token), d.options(client, true))
			if err != nil {
				return err
			}
			_, err = orders.BeginPurchase(ctx, r.Order, body, nil)
			return err
		},
		handle: func(reply *oneshot.Reply) (string, string, error) {
			var got struct {
				Name       string `json:"name"`
				Properties *struct {
					State string `json:"provisioningState"`
				} `json:"properties"`
			}
			if json.Unmarshal(reply.Body, &got) != nil || got.Properties == nil {
				return "", "", errors.New("the answer is not an order")
			}
			if !strings.EqualFold(got.Name, r.Order) {
				return "", "", errors.New("the answer is about another order")
			}
			return r.Order, fmt.Sprintf("order %s is %s", r.Order, got.Properties.State), nil
		},
	})
}

// Poll reads the order that was accepted, also one that was bought by an alias.
func (d *reservations) Poll(ctx context.Context, r driver.Request, handle string) (cloud.Evidence, error) {
	if strings.HasPrefix(handle, handleOperation) || strings.HasPrefix(handle, handleOrder) {
		return (&aliased{d}).Poll(ctx, r, handle)
	}
	if r.Account != d.Account || !guidForm.MatchString(handle) {
		return cloud.Evidence{}, readError(opOrder, errors.New("the handle is not an order of the subscription"))
	}
	token, err := d.open(ctx)
	if err != nil {
		return cloud.Evidence{}, err
	}
	l := look{operation: opOrder, started: d.now()}
	c, err := d.commitment(ctx, token, &l, handle, nil, r)
	if err != nil {
		return cloud.Evidence{}, err
	}
	return followed(&l, handle, c), nil
}

// followed says what became of an order. One that is not shown yet is still on its way.
func followed(l *look, handle string, c *cloud.Commitment) cloud.Evidence {
	ev := l.evidence(c, "the order is not shown yet")
	ev.Kind, ev.Outcome, ev.Handle = cloud.EvidenceListing, cloud.Accepted, handle
	switch {
	case c == nil:
	case !c.State.Binding():
		ev.Outcome, ev.Commitment = cloud.Refused, nil
	case c.State == cloud.Active || c.State == cloud.Retired:
		ev.Outcome = cloud.Bought
	default:
		ev.Commitment = nil
	}
	return ev
}
