package aws

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// StaticKeys returns base credentials that never change: a simulator's.
func StaticKeys(id, secret string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(id, secret, "")
}

// DefaultKeys returns base credentials from where every AWS tool looks for them
// (environment, shared files, the machine's role), or from the named profile.
// Nothing of it is stored, and no endpoint is taken from there.
func DefaultKeys(ctx context.Context, profile, region string) (aws.CredentialsProvider, error) {
	if region == string(Global) { // a profile may have to ask STS
		region = globalRegion
	}
	opts := []func(*config.LoadOptions) error{config.WithRegion(region)}
	if profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("aws: %w", err)
	}
	return cfg.Credentials, nil
}
