package sim

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// params are the members of a request by their wire name, such as
// "Tags.Tag.1.Key".
type params map[string]string

var listIndex = regexp.MustCompile(`\.[1-9][0-9]*(\.|$)`)

// check refuses members the operation does not have. A real service ignores
// most of them; a client that sends one has a mistake that must show.
func (p params) check(op *operation) *apiError {
	names := make([]string, 0, len(p))
	for name := range p {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		generic := listIndex.ReplaceAllString(name, ".N$1")
		if reason, ok := op.unserved[generic]; ok {
			return fail("InvalidParameterCombination", "%s: %s", name, reason)
		}
		if p[name] == "" && slices.ContainsFunc(op.members, func(m string) bool { return strings.HasPrefix(m, name+".") }) {
			continue // how the query protocol writes an empty list
		}
		if !slices.Contains(op.members, generic) {
			return fail("MalformedInput", "%s has no member %q", op.name, name)
		}
	}
	return nil
}

func (p params) required(name string) (string, *apiError) {
	v := p[name]
	if v == "" {
		return "", fail("MissingParameter", "The request must contain the parameter %s", name)
	}
	return v, nil
}

// integer returns a member as a number in [low, high], or otherwise if absent.
func (p params) integer(name string, otherwise, low, high int) (int, *apiError) {
	text, ok := p[name]
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, fail("InvalidParameterValue", "Invalid value %q for %s. Must be between %d and %d", text, name, low, high)
	}
	return n, nil
}

// list reads the members NAME.1, NAME.2 and so on.
func (p params) list(name string) ([]string, *apiError) {
	var values []string
	for {
		v, ok := p[name+"."+strconv.Itoa(len(values)+1)]
		if !ok {
			break
		}
		values = append(values, v)
	}
	given := 0
	for member := range p {
		if rest, ok := strings.CutPrefix(member, name+"."); ok && !strings.Contains(rest, ".") {
			given++
		}
	}
	if given != len(values) {
		return nil, fail("MalformedInput", "The list %s has a gap; its members are numbered from 1", name)
	}
	return values, nil
}

// tags reads the list NAME.Tag.1.Key, NAME.Tag.1.Value and so on.
func (p params) tags(prefix string) ([]Tag, *apiError) {
	var tags []Tag
	seen := map[string]bool{}
	for i := 1; ; i++ {
		at := prefix + "." + strconv.Itoa(i)
		key, ok := p[at+".Key"]
		value, hasValue := p[at+".Value"]
		if !ok && !hasValue {
			break
		}
		if err := checkTag(key, value); err != nil {
			return nil, err
		}
		if seen[key] {
			return nil, fail("InvalidParameterValue", "The tag key %q is given twice", key)
		}
		seen[key] = true
		tags = append(tags, Tag{Key: key, Value: value})
	}
	given := 0
	for name := range p {
		if len(name) > len(prefix) && name[:len(prefix)+1] == prefix+"." && name[len(name)-4:] == ".Key" {
			given++
		}
	}
	switch {
	case given != len(tags):
		return nil, fail("MalformedInput", "The list %s has a gap; its members are numbered from 1", prefix)
	case len(tags) > 50:
		return nil, fail("TagQuotaPerResourceExceeded", "%d tags; a resource has at most 50", len(tags))
	}
	return tags, nil
}

var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// checkTag applies the constraints of the RDS API reference, data type Tag.
func checkTag(key, value string) *apiError {
	switch {
	case key == "" || len([]rune(key)) > 128 || !tagText.MatchString(key):
		return fail("InvalidParameterValue", "Invalid tag key %q", key)
	case len([]rune(value)) > 256 || !tagText.MatchString(value):
		return fail("InvalidParameterValue", "Invalid tag value %q", value)
	}
	for _, s := range []string{key, value} {
		if len(s) >= 4 && (s[:4] == "aws:" || s[:4] == "rds:") {
			return fail("InvalidParameterValue", "Tag keys and values cannot start with aws: or rds:, as %q does", s)
		}
	}
	return nil
}
