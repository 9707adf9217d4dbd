package app

import (
	"context"
	"errors"

	"bursar/internal/api"
	"bursar/internal/driver"
)

// invalid says that the request cannot be meant.
func invalid(err error) error { return &api.Error{Kind: api.Invalid, Err: err} }

// refused tells a request that does not fit from a cloud that does not answer.
func refused(ctx context.Context, err error) error {
	var cloud *driver.Error
	var typed *api.Error
	switch {
	case err == nil, ctx.Err() != nil, errors.As(err, &typed):
		return err
	case errors.As(err, &cloud):
		return &api.Error{Kind: api.Unavailable, Err: err}
	}
	return invalid(err)
}
