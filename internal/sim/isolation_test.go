package sim

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/memorydb"
	"github.com/aws/aws-sdk-go-v2/service/rds"
)

// as is a configuration of one account and region without retries.
func as(endpoint, account, region string) aws.Config {
	cfg := operator(endpoint)
	cfg.Credentials = credentials.NewStaticCredentialsProvider(account, staticSecret, "")
	cfg.Region = region
	cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	return cfg
}

// listings asks three services, each with another protocol, and returns the codes.
func listings(ctx context.Context, cfg aws.Config) [3]string {
	_, a := rds.NewFromConfig(cfg).DescribeReservedDBInstances(ctx, &rds.DescribeReservedDBInstancesInput{})
	_, b := memorydb.NewFromConfig(cfg).DescribeReservedNodes(ctx, &memorydb.DescribeReservedNodesInput{})
	_, c := ec2.NewFromConfig(cfg).DescribeReservedInstances(ctx, &ec2.DescribeReservedInstancesInput{})
	var out [3]string
	for i, err := range []error{a, b, c} {
		if out[i] = code(err); err != nil && out[i] == "" {
			out[i] = "lost"
		}
	}
	return out
}

// A fault of one account or region leaves the others alone, and stays until it is
// removed.
func TestFaultsThatLast(t *testing.T) {
	none := [3]string{}
	for _, tt := range []struct {
		fault Fault
		want  [3]string
	}{
		{Fault{Kind: DenyAction}, [3]string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}},
		{Fault{Kind: DenyAction, Service: "memorydb", Operation: "DescribeReservedNodes"}, [3]string{1: "AccessDeniedException"}},
		{Fault{Kind: RegionDisabled}, [3]string{"OptInRequired", "UnrecognizedClientException", "OptInRequired"}},
		{Fault{Kind: RegionUnreachable}, [3]string{"lost", "lost", "lost"}},
		{Fault{Kind: RegionUnreachable, Duration: time.Millisecond}, [3]string{"lost", "lost", "lost"}},
	} {
		s := newSim(t, Options{})
		url := serve(t, s)
		tt.fault.Account, tt.fault.Region = account, "eu-west-1"
		id, err := s.AddFault(tt.fault)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if got := listings(t.Context(), as(url, account, "eu-west-1")); got != tt.want {
				t.Errorf("%+v: %q", tt.fault, got)
			}
		}
		for _, other := range []aws.Config{as(url, account, "us-east-1"), as(url, "444455556666", "eu-west-1")} {
			if got := listings(t.Context(), other); got != none {
				t.Errorf("%+v elsewhere: %q", tt.fault, got)
			}
		}
		if err := s.RemoveFault(id); err != nil {
			t.Fatal(err)
		}
		if got := listings(t.Context(), as(url, account, "eu-west-1")); got != none {
			t.Errorf("%+v removed: %q", tt.fault, got)
		}
		if s.RemoveFault(id) == nil {
			t.Error("removed twice")
		}
	}
}

// A permission that is missing is missing in a dry run too, and a disabled region
// or a cut connection buys nothing.
func TestFaultsThatLastBuyNothing(t *testing.T) {
	for _, kind := range []string{DenyAction, RegionDisabled, RegionUnreachable} {
		s := newSim(t, Options{})
		cfg := as(serve(t, s), account, "us-east-1")
		addFault(t, s, Fault{Kind: kind})
		if _, err := buy(t.Context(), rds.NewFromConfig(cfg), "x", 1); err == nil || len(s.Ledger()) != 0 {
			t.Errorf("%s: %v, %+v", kind, err, s.Ledger())
		}
		_, err := ec2.NewFromConfig(cfg).PurchaseReservedInstancesOffering(t.Context(), &ec2.PurchaseReservedInstancesOfferingInput{
			ReservedInstancesOfferingId: aws.String("00000000-0000-0000-0000-000000000000"), InstanceCount: aws.Int32(1), DryRun: aws.Bool(true),
		})
		if err == nil || code(err) == "DryRunOperation" {
			t.Errorf("%s: dry run: %v", kind, err)
		}
	}
}

// Also a full bucket says nothing from a region that cannot be reached.
func TestUnreachableIsNotThrottled(t *testing.T) {
	s := newSim(t, Options{})
	cfg := as(serve(t, s), account, "us-east-1")
	addFault(t, s, Fault{Kind: RegionUnreachable})
	for range 8 {
		_, err := ec2.NewFromConfig(cfg).DeleteQueuedReservedInstances(t.Context(), &ec2.DeleteQueuedReservedInstancesInput{ReservedInstancesIds: []string{"x"}})
		if code(err) != "" {
			t.Fatal(err)
		}
	}
}
