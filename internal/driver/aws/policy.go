package aws

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"bursar/internal/cloud"
)

// Policy is an IAM policy document.
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement is a statement of a policy.
type Statement struct {
	Sid       string `json:",omitempty"`
	Effect    string
	Principal map[string]texts `json:",omitempty"` // only in a trust policy
	Action    []string
	Resource  texts                       `json:",omitempty"` // not in a trust policy
	Condition map[string]map[string]texts `json:",omitempty"`
}

const allow = "Allow"

func newPolicy(list ...Statement) Policy { return Policy{"2012-10-17", list} }

// texts is a list that IAM writes as one text if it has one.
type texts []string

// MarshalJSON implements json.Marshaler.
func (t texts) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// Access is what Bursar is to be allowed in an account. The permissions are those
// by which the drivers limit their own sessions.
type Access struct {
	Account  cloud.Account
	Regions  []cloud.Region  // all of one partition; at least one
	Services []cloud.Service // those of Services; at least one
	// IDPrefix is how the identities of the installation begin; where IAM can tell,
	// nothing else can be bought.
	IDPrefix   string
	TagKeys    []string // keys that purchases are tagged with besides bursar:
	RoleARN    string   // empty: the base credentials buy
	ExternalID string
}

// The permissions that are of no service.
const (
	actionAssume   = "sts:AssumeRole"
	actionAccounts = "organizations:ListAccounts"
	actionQuotas   = "servicequotas:ListServiceQuotas"
)

// Policy is for the identity that buys: the role, or the base credentials without
// one. It allows each service its reads; its purchase, only in the regions and,
// where IAM can tell, only under our ids; and nothing else. The two calls of STS
// that ask who the caller is need no permission.
func (a Access) Policy() (Policy, error) {
	if len(a.Regions) == 0 || len(a.Services) == 0 || a.IDPrefix == "" {
		return Policy{}, errors.New("aws: a policy needs regions, services and the prefix of ids")
	}
	partition := Partition(a.Regions[0])
	if slices.ContainsFunc(a.Regions, func(r cloud.Region) bool { return Partition(r) != partition }) {
		return Policy{}, errors.New("aws: the regions are of two partitions")
	}
	p := newPolicy()
	var tags []string
	for _, s := range a.Services {
		product, err := productOf(s)
		if err != nil {
			return Policy{}, err
		}
		p.Statement = append(p.Statement, a.statements(partition, product)...)
		if product.grant.tags != nil {
			tags = product.grant.tags
		}
	}
	if len(tags) > 0 {
		// Of both kinds and any region, because a policy may not be long.
		p.Statement = append(p.Statement, Statement{
			Sid: "Ec2Tag", Effect: allow, Action: tags, Resource: texts{fmt.Sprintf("arn:%s:ec2:*:%s:reserved-instances/*", partition, a.Account)},
			Condition: map[string]map[string]texts{forTagKeys: a.tagKeys()},
		})
	}
	if slices.ContainsFunc(a.Services, HasRegions) { // Service Quotas is of a region
		p.Statement = append(p.Statement, Statement{Sid: "Quotas", Effect: allow, Action: []string{actionQuotas}, Resource: texts{"*"}})
	}
	// Without a name and of any region, because a policy may not be long.
	p.Statement = append(p.Statement, Statement{
		Effect: allow, Action: claimGrant.reads, Resource: texts{fmt.Sprintf("arn:%s:ssm:*:%s:parameter%s*", partition, a.Account, claimRoot)},
	})
	if a.RoleARN == "" {
		p.Statement = append(p.Statement, discovery)
	}
	return p, nil
}

// discovery lets bursar accounts see the organization. It works in the management
// account, and in accounts that it has made delegated administrators.
var discovery = Statement{Sid: "Accounts", Effect: allow, Action: []string{actionAccounts}, Resource: texts{"*"}}

// Base is for the base credentials where a role buys.
func (a Access) Base() Policy {
	return newPolicy(Statement{Sid: "Role", Effect: allow, Action: []string{actionAssume}, Resource: texts{a.RoleARN}}, discovery)
}

// Advice lets the identity that buys read what AWS recommends. It is a policy of its
// own, because a policy may not be long and nothing is bought with it. Cost Explorer
// knows no resources.
func (a Access) Advice() Policy {
	return newPolicy(Statement{Sid: "Advice", Effect: allow, Action: adviceGrant.reads, Resource: texts{"*"}})
}

// Trust is who may assume the role: identities of the account whose own policy
// allows it, if they know the external id. Where the base credentials are of
// another account, that account belongs here.
func (a Access) Trust() Policy {
	s := Statement{
		Effect: allow, Action: []string{actionAssume},
		Principal: map[string]texts{"AWS": {fmt.Sprintf("arn:%s:iam::%s:root", Partition(a.Regions[0]), a.Account)}},
	}
	if a.ExternalID != "" {
		s.Condition = map[string]map[string]texts{"StringEquals": {"sts:ExternalId": {a.ExternalID}}}
	}
	return newPolicy(s)
}

// statements are those of one service. IAM limits a purchase to the regions; to ids
// where the buyer chooses them and reservations have an ARN, and its tags likewise;
// and where it is tagged with our id, to that tag (Service Authorization Reference;
// IAM User Guide, global condition keys). Regions are no part of the ARNs, because a
// policy may not be long.
func (a Access) statements(partition string, p product) []Statement {
	var name string
	for word := range strings.SplitSeq(string(p.service), "-") {
		name += strings.ToUpper(word[:1]) + word[1:]
	}
	buy, resources, where := texts{"*"}, texts{"*"}, map[string]map[string]texts{}
	if HasRegions(p.service) {
		key := "aws:RequestedRegion"
		if strings.HasPrefix(p.grant.spends[0], "ec2:") {
			key = "ec2:Region"
		}
		var regions texts
		for _, r := range a.Regions {
			regions = append(regions, string(r))
		}
		where["StringEquals"] = map[string]texts{key: regions}
	} else {
		resources = texts{fmt.Sprintf("arn:%s:%s::%s:%s*", partition, p.arn[0], a.Account, p.arn[1])}
	}
	if p.class == cloud.ClassName && p.arn[0] != "" {
		resources = texts{fmt.Sprintf("arn:%s:%s:*:%s:%s%s*", partition, p.arn[0], a.Account, p.arn[1], a.IDPrefix)}
		buy = resources
	}
	buyWhere := maps.Clone(where)
	if p.tagged {
		buyWhere["StringLike"] = map[string]texts{"aws:RequestTag/" + identityTag: {a.IDPrefix + "*"}}
	}
	list := []Statement{
		{Sid: name + "Read", Effect: allow, Action: p.grant.reads, Resource: texts{"*"}},
		{Sid: name + "Buy", Effect: allow, Action: p.grant.spends[:1], Resource: buy, Condition: buyWhere},
	}
	if tags := p.grant.spends[1:]; len(tags) > 0 {
		ours := maps.Clone(where)
		ours[forTagKeys] = a.tagKeys()
		list = append(list, Statement{Sid: name + "Tag", Effect: allow, Action: tags, Resource: resources, Condition: ours})
	}
	if len(p.grant.releases) > 0 {
		list = append(list, Statement{Sid: name + "Release", Effect: allow, Action: p.grant.releases, Resource: resources, Condition: where})
	}
	if len(p.grant.returns) > 0 {
		list = append(list, Statement{Sid: name + "Return", Effect: allow, Action: p.grant.returns, Resource: resources, Condition: where})
	}
	return list
}

// forTagKeys wants every key of a request to be one of tagKeys.
const forTagKeys = "ForAllValues:StringLike"

func (a Access) tagKeys() map[string]texts {
	return map[string]texts{"aws:TagKeys": append(texts{"bursar:*"}, a.TagKeys...)}
}

// productOf returns what is always true of a service.
func productOf(s cloud.Service) (product, error) {
	cfg := Config{Account: "000000000000", Region: globalRegion, Credentials: StaticKeys("-", "-")}
	if !HasRegions(s) {
		cfg.Region = Global
	}
	d, err := Open(s, cfg)
	if err != nil {
		return product{}, err
	}
	known, ok := d.(interface{ sold() product })
	if !ok {
		return product{}, fmt.Errorf("aws %s does not say what it needs to be allowed", s)
	}
	return known.sold(), nil
}

// sold is what the driver sells.
func (d *reserved) sold() product { return d.product }
