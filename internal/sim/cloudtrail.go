package sim

import (
	"slices"
	"strconv"
	"time"
)

// The event history of AWS CloudTrail. Source of names, errors and limits:
// CloudTrail API reference 2013-11-01 and botocore 1.43.67, checked against the Go
// SDK (cloudtrail v1.56.0), which sends another X-Amz-Target than botocore. The
// history is of one account and region, of 90 days, two requests per second; an
// event is there after about five minutes, which nobody guarantees.
func init() {
	register(&service{
		name: "cloudtrail", regional: true, protocol: awsJSON,
		targets: []string{"CloudTrail_20131101", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101"},
		codes: jsonCodes(map[string]string{
			"InvalidParameterCombination": "UnsupportedOperationException",
			"InvalidParameterValue":       "InvalidMaxResultsException",
		}),
		operations: map[string]*operation{
			"LookupEvents": {
				pages:    &pager{token: "NextToken", size: "MaxResults", low: 1, high: 50, invalid: "InvalidNextTokenException", events: true},
				rate:     rate{2, 2},
				members:  []string{"LookupAttributes.N.AttributeKey", "LookupAttributes.N.AttributeValue", "StartTime", "EndTime", "MaxResults", "NextToken"},
				numbers:  []string{"StartTime", "EndTime", "MaxResults"},
				unserved: map[string]string{"EventCategory": "the simulator has no insight events"},
				run:      lookupEvents,
			},
		},
	})
}

const (
	historyKept       = 90 * 24 * time.Hour
	attributeValueMax = 2000
)

// lookupKeys are what an event can be looked up by.
var lookupKeys = map[string]func(*event) string{
	"AccessKeyId": func(e *event) string { return e.AccessKey },
	"EventId":     func(e *event) string { return e.ID },
	"EventName":   func(e *event) string { return e.Name },
	"EventSource": (*event).source,
	"ReadOnly":    func(e *event) string { return boolText(e.ReadOnly) },
	"Username":    (*event).user,
}

func lookupEvents(c *call) (node, *apiError) {
	look, value, err := c.lookupAttribute()
	if err != nil {
		return node{}, err
	}
	from, err := c.epoch("StartTime", c.now.Add(-historyKept))
	if err != nil {
		return node{}, err
	}
	to, err := c.epoch("EndTime", c.now)
	if err != nil {
		return node{}, err
	}
	if from.After(to) {
		return node{}, fail("InvalidTimeRangeException", "The start time is after the end time")
	}
	var found []*event
	for _, e := range slices.Backward(c.world.events) { // newest first: the clock never goes back
		// The time of an event has whole seconds.
		at := e.At.Truncate(time.Second)
		if e.Account == c.who.account && e.Region == c.region && !e.Lost && c.now.Sub(e.At) <= historyKept &&
			!at.Before(from.Truncate(time.Second)) && !at.After(to) && (look == nil || look(e) == value) {
			found = append(found, e)
		}
	}
	page, next, err := paginate(c, found, func(e *event) (time.Time, int) { return e.VisibleAt, e.seq })
	if err != nil {
		return node{}, err
	}
	events := list("Events")
	for _, e := range page {
		events.kids = append(events.kids, group("",
			leaf("EventId", e.ID),
			leaf("EventName", e.Name),
			leaf("ReadOnly", boolText(e.ReadOnly)),
			leaf("AccessKeyId", e.AccessKey),
			number("EventTime", strconv.FormatInt(e.At.Unix(), 10)),
			leaf("EventSource", e.source()),
			leaf("Username", e.user()),
			list("Resources"),
			leaf("CloudTrailEvent", e.document()),
		))
	}
	return node{kids: []node{events}}.maybe("NextToken", next), nil
}

// lookupAttribute is the one attribute that the request selects by; nil if none.
func (c *call) lookupAttribute() (func(*event) string, string, *apiError) {
	const first = "LookupAttributes.1.Attribute"
	key, hasKey := c.in[first+"Key"]
	value, hasValue := c.in[first+"Value"]
	_, second := c.in["LookupAttributes.2.AttributeKey"]
	look := lookupKeys[key]
	switch {
	case second:
		return nil, "", fail("InvalidLookupAttributesException", "You can specify only one lookup attribute")
	case !hasKey && !hasValue:
		return nil, "", nil
	case key == "ResourceName" || key == "ResourceType":
		return nil, "", fail("UnsupportedOperationException", "The simulator's events name no resources")
	case look == nil || value == "" || len(value) > attributeValueMax:
		return nil, "", fail("InvalidLookupAttributesException", "Invalid lookup attribute %q", key)
	}
	return look, value, nil
}

// epoch reads a time in seconds.
func (c *call) epoch(name string, otherwise time.Time) (time.Time, *apiError) {
	text, ok := c.in[name]
	if !ok {
		return otherwise, nil
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || seconds < 0 || seconds > 1e11 {
		return otherwise, fail("InvalidTimeRangeException", "Invalid %s %s", name, text)
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC(), nil
}
