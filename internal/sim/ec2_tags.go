package sim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Tags of reserved instances. Source: EC2 API reference 2016-11-15, CreateTags and
// DescribeTags; error codes of the EC2 developer guide; limits of the user guide
// ("Tag your Amazon EC2 resources"). Which of the two codes for an unknown id a
// reservation gets is not published.

const (
	tagMost     = 50   // per resource
	tagIDMost   = 1000 // resources of one CreateTags
	ec2Reserved = "reserved-instances"
)

var (
	ec2CreateTagsOp = &operation{
		changes: true,
		rate:    rate{100, 10},
		members: []string{"DryRun", "ResourceId.N", "Tag.N.Key", "Tag.N.Value"},
		resources: func(c *call) []string {
			ids, err := c.in.list("ResourceId")
			if err != nil || len(ids) == 0 {
				return []string{c.resource("*")}
			}
			var arns []string
			for _, id := range ids {
				arns = append(arns, c.resource(id))
			}
			return arns
		},
		run: ec2CreateTags,
	}
	ec2DescribeTagsOp = &operation{
		rate:    rate{100, 20},
		pages:   &pager{token: "NextToken", size: "MaxResults", low: 5, high: 1000, invalid: "InvalidPaginationToken", answer: "nextToken"},
		members: []string{"DryRun", "Filter.N.Name", "Filter.N.Value.N", "NextToken", "MaxResults"},
		run:     ec2DescribeTags,
	}
)

// ec2CreateTags adds tags to all resources or to none; a key that is there gets the
// new value.
func ec2CreateTags(c *call) (node, *apiError) {
	if err := c.dryRun(); err != nil {
		return node{}, err
	}
	ids, err := c.in.list("ResourceId")
	if err != nil {
		return node{}, err
	}
	tags, err := c.in.tags("Tag")
	if err != nil {
		return node{}, err
	}
	switch {
	case len(ids) == 0:
		return node{}, fail("MissingParameter", "The request must contain the parameter ResourceId")
	case len(ids) > tagIDMost:
		return node{}, fail("InvalidParameterValue", "%d ids; a request has at most %d", len(ids), tagIDMost)
	case len(tags) == 0:
		return node{}, fail("MissingParameter", "The request must contain the parameter Tag")
	}
	for _, id := range ids {
		r := c.world.byKey[c.world.key(c.scope(), id)]
		if r == nil || r.VisibleAt.After(c.now) {
			return node{}, fail("InvalidID", "The ID '%s' is not valid", id)
		}
		all := slices.Clone(r.Tags)
		for _, t := range tags {
			all = append(slices.DeleteFunc(all, func(old Tag) bool { return old.Key == t.Key }), t)
		}
		if len(all) > tagMost {
			return node{}, fail("TagLimitExceeded", "%d tags; a resource has at most %d", len(all), tagMost)
		}
		c.out.Tagged = append(c.out.Tagged, tagged{r.ref(), all})
	}
	return node{kids: []node{number("return", "true")}}, nil
}

// tagOf is a tag with what it is on.
type tagOf struct {
	id string
	Tag
}

func ec2DescribeTags(c *call) (node, *apiError) {
	if err := c.dryRun(); err != nil {
		return node{}, err
	}
	keep, err := c.tagFilter()
	if err != nil {
		return node{}, err
	}
	var found []tagOf
	for _, r := range c.world.byScope[c.scope()] {
		for _, t := range r.Tags {
			if found = append(found, tagOf{r.ID, t}); r.VisibleAt.After(c.asOf()) || !keep(found[len(found)-1]) {
				found = found[:len(found)-1]
			}
		}
	}
	page, next, err := paginate(c, found, func(tagOf) (time.Time, int) { return time.Time{}, 0 })
	if err != nil {
		return node{}, err
	}
	items := list("tagSet")
	for _, t := range page {
		items.kids = append(items.kids, group("item",
			leaf("resourceId", t.id), leaf("resourceType", ec2Reserved), leaf("key", t.Key), leaf("value", t.Value)))
	}
	out := node{}.maybe(c.op.pages.out(), next)
	out.kids = append(out.kids, items)
	return out, nil
}

// tagFilter reads the filters of DescribeTags: any value of each, with wildcards.
func (c *call) tagFilter() (func(tagOf) bool, *apiError) {
	var tests []func(tagOf) bool
	for i := 1; ; i++ {
		prefix := "Filter." + strconv.Itoa(i)
		name, ok := c.in[prefix+".Name"]
		if !ok {
			break
		}
		values, err := c.in.list(prefix + ".Value")
		if err != nil {
			return nil, err
		}
		key, byTag := strings.CutPrefix(name, "tag:")
		look := map[string]func(tagOf) string{
			"key":           func(t tagOf) string { return t.Key },
			"value":         func(t tagOf) string { return t.Value },
			"resource-id":   func(t tagOf) string { return t.id },
			"resource-type": func(tagOf) string { return ec2Reserved },
		}[name]
		switch {
		case byTag:
			tests = append(tests, func(t tagOf) bool { return t.Key == key && anyMatch(values, t.Value) })
		case look == nil || len(values) == 0:
			return nil, fail("InvalidParameterValue", "The filter '%s' is invalid", name)
		default:
			tests = append(tests, func(t tagOf) bool { return anyMatch(values, look(t)) })
		}
	}
	return func(t tagOf) bool {
		return !slices.ContainsFunc(tests, func(test func(tagOf) bool) bool { return !test(t) })
	}, nil
}
