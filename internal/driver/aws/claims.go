package aws

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

const (
	opPutParameter = "PutParameter"
	opGetParameter = "GetParameter"
	// claimRoot is below which parameters the marks are.
	claimRoot = "/bursar/"
)

// claimGrant is what marks need. Nothing is ever deleted.
var claimGrant = grant{reads: []string{"ssm:GetParameter", "ssm:PutParameter"}}

// Claims keeps marks as parameters of Systems Manager. PutParameter without Overwrite
// creates, or answers ParameterAlreadyExists (Systems Manager API reference,
// PutParameter). The parameters are of the one region of each partition that all
// installations look at, whatever regions they buy in.
type Claims struct{ *core }

var _ driver.Claimer = Claims{}

// claimRegion is where the marks of accounts of a region's partition are.
func claimRegion(r cloud.Region) cloud.Region {
	switch Partition(r) {
	case "aws-cn":
		return "cn-north-1"
	case "aws-us-gov":
		return "us-gov-west-1"
	case "aws":
		return globalRegion
	}
	return r
}

// NewClaims opens the marks of an account. The region may be any that the account buys
// in. It does no IO.
func NewClaims(cfg Config) (Claims, error) {
	if cfg.Region == Global {
		cfg.Region = globalRegion
	}
	cfg.Region = claimRegion(cfg.Region)
	c, err := newCore(cfg, false)
	return Claims{c}, err
}

func (c Claims) client(creds aws.Credentials) *ssm.Client {
	return ssm.New(ssm.Options{
		Region:                     string(c.Region),
		BaseEndpoint:               c.baseEndpoint(),
		Credentials:                frozen(creds),
		HTTPClient:                 c.core.client,
		HTTPSignerV4:               c.signer(),
		DisableClockSkewCorrection: true,
		AppID:                      appID,
	})
}

// Claimed implements driver.Claimer.
func (c Claims) Claimed(ctx context.Context, name string) (string, error) {
	creds, err := c.readCredentials(ctx, claimGrant)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	out, err := c.client(creds).GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(claimRoot + name)})
	switch {
	case saysMissing(err, "ParameterNotFound"):
		return "", nil
	case err != nil:
		return "", claimError(opGetParameter, err, creds)
	case out.Parameter == nil || aws.ToString(out.Parameter.Value) == "":
		return "", readError(opGetParameter, errors.New("an answer without a value"), creds)
	}
	return *out.Parameter.Value, nil
}

// Claim implements driver.Claimer.
func (c Claims) Claim(ctx context.Context, name, text string) (string, error) {
	return driver.ClaimFirst(ctx, c, name, func() error {
		err := c.put(ctx, name, text, false)
		if saysMissing(err, "ParameterAlreadyExists") {
			return nil
		}
		return err
	})
}

// Replace implements driver.Claimer.
func (c Claims) Replace(ctx context.Context, name, text string) error {
	return c.put(ctx, name, text, true)
}

func (c Claims) put(ctx context.Context, name, text string, over bool) error {
	creds, err := c.readCredentials(ctx, claimGrant)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	_, err = c.client(creds).PutParameter(ctx, &ssm.PutParameterInput{
		Name: aws.String(claimRoot + name), Value: aws.String(text), Type: types.ParameterTypeString, Overwrite: aws.Bool(over),
		Description: aws.String("Who buys commitments here; written by bursar"),
	})
	if saysMissing(err, "ParameterAlreadyExists") {
		return err
	}
	if err != nil {
		return claimError(opPutParameter, err, creds)
	}
	return nil
}

// claimError tells a refused permission from what may pass.
func claimError(operation string, err error, creds aws.Credentials) error {
	if refusesPermission(codeOf(err)) {
		return fmt.Errorf("%w: %w", driver.ErrMarkDenied, readError(operation, err, creds))
	}
	return readError(operation, err, creds)
}
