package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"bursar/internal/cloud"
	"bursar/internal/engine"
	"bursar/internal/purchase"
)

// Config is the configuration file. Without one, nothing is real: every purchase
// goes to the simulator.
//
//	accounts:
//	  - id: "123456789012"          # always quoted
//	    name: production            # optional, for people
//	    live: true                  # buy for real in this account
//	    profile: finops             # optional: AWS profile of the base credentials
//	    role_arn: arn:aws:iam::123456789012:role/bursar
//	    external_id: example        # optional
//	    regions: [eu-west-1]        # where inventory is watched
//	    exclusive: [rds]            # optional: nobody but Bursar buys these there
//	    opensearch_names_unique: true  # optional: OpenSearch was seen to refuse a used name
//	approvals:                      # frozen into every plan that is made from now on
//	  needed: 2                     # how many different people approve a plan; default 1
//	  approvers: [ada, grace]       # who they are; default anybody
//	  requester_may_approve: false  # default: where every line is simulated
type Config struct {
	Accounts  []Account `yaml:"accounts"`
	Approvals Approvals `yaml:"approvals"`
}

// Approvals is the rule by which plans are approved.
type Approvals struct {
	Needed              *int     `yaml:"needed"`
	Approvers           []string `yaml:"approvers"`
	RequesterMayApprove *bool    `yaml:"requester_may_approve"`
}

// Account is one account that Bursar may use.
type Account struct {
	ID         string   `yaml:"id"`
	Provider   string   `yaml:"provider"` // "" means aws
	Name       string   `yaml:"name"`
	Live       bool     `yaml:"live"`
	Profile    string   `yaml:"profile"`
	RoleARN    string   `yaml:"role_arn"`
	ExternalID string   `yaml:"external_id"`
	Regions    []string `yaml:"regions"`
	Exclusive  []string `yaml:"exclusive"`
	// OpenSearchNamesUnique says that OpenSearch refuses a reservation under a used
	// name, which AWS does not document. A line then takes its name for its identity.
	OpenSearchNamesUnique bool `yaml:"opensearch_names_unique"`
}

var awsAccount = regexp.MustCompile(`^[0-9]{12}$`)

// LoadConfig reads a configuration file. A missing file is an empty
// configuration unless must is set. Unknown keys are errors.
func LoadConfig(path string, must bool) (Config, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && !must {
		return Config{}, nil
	} else if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("configuration: there is no file %s", path)
	} else if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	var c Config
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: %s", path, yamlProblem(err))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, fmt.Errorf("%s: a configuration is one YAML document, and here a second one follows", path)
	}
	if err := c.validate(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

var (
	unknownKey = regexp.MustCompile(`^line (\d+): field (.+) not found in type (.+)$`)
	wrongKind  = regexp.MustCompile(`^line (\d+): cannot unmarshal (.+) into .+$`)
)

// yamlProblem turns the first complaint of the YAML library into a sentence.
func yamlProblem(err error) string {
	var wrong *yaml.TypeError
	if !errors.As(err, &wrong) || len(wrong.Errors) == 0 {
		return strings.TrimPrefix(err.Error(), "yaml: ")
	}
	first := wrong.Errors[0]
	if m := unknownKey.FindStringSubmatch(first); m != nil {
		keys := "accounts, approvals"
		if strings.HasSuffix(m[3], "Account") {
			keys = "id, provider, name, live, profile, role_arn, external_id, regions, exclusive, opensearch_names_unique"
		}
		if strings.HasSuffix(m[3], "Approvals") {
			keys = "needed, approvers, requester_may_approve"
		}
		return fmt.Sprintf("line %s: %s is not a key here: use %s", m[1], m[2], keys)
	}
	if m := wrongKind.FindStringSubmatch(first); m != nil {
		return fmt.Sprintf("line %s: %s is not what belongs here: accounts is a list, live and opensearch_names_unique are true or false, regions and exclusive are lists of names, approvals has needed, approvers and requester_may_approve",
			m[1], strings.TrimPrefix(m[2], "!!"))
	}
	return first
}

func (c Config) validate() error {
	seen := map[string]bool{}
	for i, a := range c.Accounts {
		where := fmt.Sprintf("accounts[%d]", i)
		if a.Name != "" {
			where += " (" + a.Name + ")"
		}
		switch {
		case a.Provider != "" && a.Provider != string(cloud.AWS):
			return fmt.Errorf("%s: provider: %q is not supported: use aws", where, a.Provider)
		case a.ID == "" && a.Live:
			return fmt.Errorf("%s: live: true needs the account's id: money is only spent in accounts that are named", where)
		case !awsAccount.MatchString(a.ID):
			return fmt.Errorf("%s: id: %q is not an AWS account id: write its 12 digits in quotes", where, a.ID)
		case seen[a.ID]:
			return fmt.Errorf("%s: id: account %s is named twice", where, a.ID)
		case a.RoleARN != "" && !strings.Contains(a.RoleARN, ":"+a.ID+":role/"):
			return fmt.Errorf("%s: role_arn: %q is not a role of account %s", where, a.RoleARN, a.ID)
		case a.ExternalID != "" && a.RoleARN == "":
			return fmt.Errorf("%s: external_id: belongs to a role_arn, and there is none", where)
		case a.Live && len(a.Regions) == 0:
			return fmt.Errorf("%s: regions: name the regions to watch, such as [eu-west-1]", where)
		case a.exclusiveProblem() != "":
			return fmt.Errorf("%s: %s", where, a.exclusiveProblem())
		}
		seen[a.ID] = true
	}
	return c.Approvals.validate()
}

func (a Approvals) validate() error {
	people := map[string]bool{}
	for i, name := range a.Approvers {
		where := fmt.Sprintf("approvals: approvers[%d]", i)
		key := purchase.PersonKey(name)
		switch {
		case key == "":
			return fmt.Errorf("%s: an approver needs a name", where)
		case people[key]:
			return fmt.Errorf("%s: %s is named twice: case and surrounding space do not matter", where, name)
		}
		if err := plain(where, name); err != nil {
			return err
		}
		people[key] = true
	}
	switch {
	case a.Needed != nil && *a.Needed < 1:
		return fmt.Errorf("approvals: needed: %d people cannot approve a plan: use 1 or more", *a.Needed)
	case a.Needed != nil && len(people) > 0 && *a.Needed > len(people):
		return fmt.Errorf("approvals: needed: %d of %d approvers cannot approve a plan: name more of them or need fewer", *a.Needed, len(people))
	}
	return nil
}

// rules is the rule as the engine takes it.
func (a Approvals) rules() engine.ApprovalRules {
	r := engine.ApprovalRules{Self: a.RequesterMayApprove}
	if a.Needed != nil {
		r.Needed = *a.Needed
	}
	for _, name := range a.Approvers {
		r.Approvers = append(r.Approvers, strings.TrimSpace(name))
	}
	return r
}

// live reports whether any account is real.
func (c Config) live() bool {
	for _, a := range c.Accounts {
		if a.Live {
			return true
		}
	}
	return false
}
