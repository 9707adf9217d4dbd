package aws

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"bursar/internal/cloud"
	"bursar/internal/driver"
)

// Reserved instances take no tags with their purchase, but afterwards (EC2 API
// reference, CreateTags).

const opTag = "CreateTags"

// ec2Zonal is EC2 of zones, whose reservations can be tagged.
type ec2Zonal struct{ followed }

var (
	_ driver.Tagger = ec2Regional{}
	_ driver.Tagger = ec2Zonal{}
)

// Tag implements driver.Tagger.
func (d ec2Regional) Tag(ctx context.Context, r driver.Request, c cloud.Commitment) error {
	return d.tagInstances(ctx, r, c)
}

// Tag implements driver.Tagger.
func (d ec2Zonal) Tag(ctx context.Context, r driver.Request, c cloud.Commitment) error {
	return d.tagInstances(ctx, r, c)
}

// tagInstances tags a reservation, with a session that can do nothing else where a
// role is configured.
func (d *reserved) tagInstances(ctx context.Context, r driver.Request, c cloud.Commitment) error {
	if r.Account != d.Account || c.Lane != d.lane() {
		return &driver.Error{Operation: opTag, Err: fmt.Errorf("commitment %s is of %s: %w", c.ID, c.Lane, driver.ErrWrongAccount)}
	}
	creds, err := d.credentialsFor(ctx, tagSession, d.grant.tags)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	in := &ec2.CreateTagsInput{Resources: []string{c.ID}}
	for _, key := range sortedKeys(r.Tags) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.Tags[key])})
	}
	if _, err := (ec2API{core: d.core}).client(creds).CreateTags(ctx, in); err != nil {
		return readError(opTag, err, creds)
	}
	return nil
}

// askToTag asks whether a reservation may be tagged, with these keys.
func (a ec2API) askToTag(ctx context.Context, creds aws.Credentials, keys []string) error {
	in := &ec2.CreateTagsInput{DryRun: aws.Bool(true), Resources: []string{noOffering}}
	for _, key := range append([]string{"bursar:line"}, keys...) {
		in.Tags = append(in.Tags, types.Tag{Key: aws.String(key), Value: aws.String("doctor")})
	}
	_, err := a.client(creds).CreateTags(ctx, in)
	return err
}
