package recommend

import (
	"regexp"
	"strconv"

	"bursar/internal/cloud"
)

var share = regexp.MustCompile(`^([0-9]{1,2})(?:\.([0-9]{1,2}))?%?$`)

// AttributeKeys lists the attributes of a line of a service, and none of an unknown one.
func AttributeKeys(p cloud.Provider, name cloud.Service) []string {
	for _, s := range services {
		if s.provider == p && s.name == name {
			return s.keys()
		}
	}
	return nil
}

// Percentage reads a percentage below 100% with at most two decimals, such as "28.5%" or
// "28.5", as hundredths of a per cent.
func Percentage(text string) (int, error) {
	m := share.FindStringSubmatch(text)
	if m == nil {
		return 0, problemf("%s is not a percentage below 100%% with at most two decimals, such as 28.5%%", show(text))
	}
	return strconv.Atoi(m[1] + (m[2] + "00")[:2])
}
