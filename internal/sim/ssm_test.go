package sim

import (
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// A parameter is created by one caller, whoever asks at once, and lives in its account
// and region.
func TestParameters(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true})
	url := serve(t, s)
	c := ssm.NewFromConfig(as(url, account, "us-east-1"))
	put := func(c *ssm.Client, name, value string, over bool) (int64, error) {
		out, err := c.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeString, Overwrite: &over})
		if err != nil {
			return 0, err
		}
		return out.Version, nil
	}
	get := func(c *ssm.Client, name string) string {
		out, err := c.GetParameter(t.Context(), &ssm.GetParameterInput{Name: &name})
		if err != nil {
			return code(err)
		}
		if !strings.HasSuffix(*out.Parameter.ARN, ":parameter"+name) || out.Parameter.LastModifiedDate.IsZero() {
			t.Errorf("parameter %+v", *out.Parameter)
		}
		return *out.Parameter.Value
	}
	const name = "/bursar/owner"
	if got := get(c, name); got != "ParameterNotFound" {
		t.Errorf("before: %s", got)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	for _, value := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			_, err := put(ssm.NewFromConfig(as(url, account, "us-east-1")), name, value, false)
			mu.Lock()
			defer mu.Unlock()
			codes[code(err)]++
		})
	}
	wg.Wait()
	if codes["ParameterAlreadyExists"] != 3 {
		t.Errorf("four at once: %v", codes)
	}
	first := get(c, name)
	if v, err := put(c, name, first+"'", true); v != 2 || err != nil || get(c, name) != first+"'" {
		t.Errorf("overwritten: version %d, %v, %s", v, err, get(c, name))
	}
	for _, other := range []aws.Config{as(url, account, "eu-west-1"), as(url, "444455556666", "us-east-1")} {
		if got := get(ssm.NewFromConfig(other), name); got != "ParameterNotFound" {
			t.Errorf("elsewhere: %s", got)
		}
	}
	for _, bad := range []struct{ name, value, want string }{
		{"/aws/x", "v", "ValidationException"}, {"a b", "v", "ValidationException"}, {"x", strings.Repeat("v", 4097), "ValidationException"},
		{strings.Repeat("/x", 16), "v", "HierarchyLevelLimitExceededException"},
	} {
		if _, err := put(c, bad.name, bad.value, false); code(err) != bad.want {
			t.Errorf("%.20s: %v, want %s", bad.name, err, bad.want)
		}
	}
	if _, err := c.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String(name)}); err != nil {
		t.Error(err)
	}
	if _, err := c.DeleteParameter(t.Context(), &ssm.DeleteParameterInput{Name: aws.String(name)}); code(err) != "ParameterNotFound" {
		t.Errorf("deleted twice: %v", err)
	}
}

func TestParametersNeedPermission(t *testing.T) {
	s := newSim(t, Options{Unthrottled: true, UserPolicy: map[string]string{account: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["ssm:GetParameter","ssm:PutParameter"],"Resource":"arn:aws:ssm:us-east-1:` + account + `:parameter/bursar/*"}]}`}})
	c := ssm.NewFromConfig(as(serve(t, s), account, "us-east-1"))
	for name, want := range map[string]string{"/bursar/owner": "", "/other": "AccessDeniedException"} {
		_, err := c.PutParameter(t.Context(), &ssm.PutParameterInput{Name: &name, Value: aws.String("v"), Type: types.ParameterTypeString})
		if code(err) != want {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
