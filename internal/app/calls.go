package app

import (
	"sync"

	"bursar/internal/cloud"
	"bursar/internal/server"
)

// calls counts the requests of this process to the clouds.
type calls struct {
	mu sync.Mutex
	n  map[server.Calls]uint64 // by what is counted, with N 0
}

func (c *calls) all() []server.Calls {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := make([]server.Calls, 0, len(c.n))
	for k, n := range c.n {
		k.N = n
		list = append(list, k)
	}
	return list
}

// of counts the requests of the driver of a service.
func (c *calls) of(p cloud.Provider, service cloud.Service) func(result string) {
	return func(result string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.n[server.Calls{Provider: string(p), Service: string(service), Result: result}]++
	}
}
