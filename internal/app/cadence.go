package app

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"bursar/internal/engine"
)

// Schedules is how often each task is run. A task that is not named has its
// default.
type Schedules struct {
	Resolve   cadence `yaml:"resolve"`
	Audit     cadence `yaml:"audit"`
	Inventory cadence `yaml:"inventory"`
	Expire    cadence `yaml:"expire"`
	Outbox    cadence `yaml:"outbox"`

	Recommendations cadence `yaml:"recommendations"`
}

// cadence is a duration as a configuration names it, or off.
type cadence struct {
	named bool
	every time.Duration // 0: off
	text  string
	line  int
}

const soonest = time.Second // no task is run more often

// UnmarshalYAML only takes the text: what is wrong with it is told with the name of
// its key.
func (c *cadence) UnmarshalYAML(n *yaml.Node) error {
	*c = cadence{named: true, text: n.Value, line: n.Line}
	return nil
}

// every are the cadences of all tasks, 0 for those that are off.
func (s Schedules) every() map[string]time.Duration {
	all := map[string]time.Duration{}
	for task, c := range s.named() {
		all[string(task)] = engine.Cadences[task]
		if c.named {
			all[string(task)] = c.every
		}
	}
	return all
}

func (s *Schedules) named() map[engine.Task]*cadence {
	return map[engine.Task]*cadence{
		engine.TaskResolve: &s.Resolve, engine.TaskAudit: &s.Audit, engine.TaskInventory: &s.Inventory, engine.TaskExpire: &s.Expire,
		engine.TaskOutbox: &s.Outbox, engine.TaskRecommendations: &s.Recommendations,
	}
}

// parse reads the texts.
func (s *Schedules) parse() error {
	for _, task := range engine.Tasks {
		c := s.named()[task]
		if c == nil || !c.named {
			continue
		}
		if err := c.parse("schedules: "+string(task), engine.Cadences[task]); err != nil {
			return err
		}
	}
	return nil
}

// parse reads the text; where stands in messages, with the default.
func (c *cadence) parse(where string, usual time.Duration) error {
	var why string
	every, err := time.ParseDuration(c.text)
	switch {
	case c.text == "off":
	case err != nil:
		why = "is not a duration"
	case every == 0:
		why = "would run it without a pause"
	case every < 0:
		why = "is negative"
	case every < soonest:
		why = fmt.Sprintf("is less than %s", soonest)
	}
	if why != "" {
		return fmt.Errorf("line %d: %s: %q %s: use a duration such as %s, which is the default, or off", c.line, where, c.text, why, shortly(usual))
	}
	c.every = every
	return nil
}

// shortly writes a duration without the parts that are zero: 30s, 5m, 6h.
func shortly(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
