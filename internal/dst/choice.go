package dst

// choices is where every random decision of a history comes from. It draws from
// a seed and keeps what it drew, or replays a list. In every decision 0 is the
// benign outcome, and a list that is too short goes on with zeros, so that a
// shorter or calmer list is a calmer history.
type choices struct {
	state  uint64
	list   []uint16
	at     int
	replay bool
}

// next is splitmix64.
func (c *choices) next() uint64 {
	c.state += 0x9e3779b97f4a7c15
	z := c.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// pick returns 0 to n-1, all alike.
func (c *choices) pick(n int) int {
	if c.replay {
		return c.read() % n
	}
	return c.keep(int(c.next() >> 33 % uint64(n)))
}

// chance returns whether something of the given probability happens.
func (c *choices) chance(permille int) bool {
	if c.replay {
		return c.read() != 0 && permille > 0
	}
	hit := 0
	if int(c.next()>>33%1000) < permille {
		hit = 1
	}
	return c.keep(hit) != 0
}

func (c *choices) keep(v int) int {
	c.list = append(c.list, uint16(v))
	c.at++
	return v
}

func (c *choices) read() int {
	v := 0
	if c.at < len(c.list) {
		v = int(c.list[c.at])
	}
	c.at++
	return v
}
