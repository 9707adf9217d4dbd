package dst

import (
	"iter"
	"time"
)

// scheduler runs one thing at a time, in the order of simulated time. Processes
// are coroutines: they run until they wait, and may be killed while they do.
type scheduler struct {
	now   time.Duration // since the beginning of the history
	queue []event       // a binary heap by time, then order
	count int64
	// processes are all that were ever started; the end of a history ends them.
	processes  []*process
	coroutines *coroutines
}

// event is a function to run, or a process to wake in the turn it waits in.
type event struct {
	at    time.Duration
	order int64
	run   func()
	wake  *process
	turn  int
}

func (e event) before(f event) bool {
	return e.at < f.at || e.at == f.at && e.order < f.order
}

// after schedules fn; it runs when nothing else does.
func (s *scheduler) after(d time.Duration, fn func()) { s.push(event{at: s.now + d, run: fn}) }

func (s *scheduler) push(e event) {
	s.count++
	e.order = s.count
	s.queue = append(s.queue, e)
	for i := len(s.queue) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.queue[i].before(s.queue[parent]) {
			break
		}
		s.queue[i], s.queue[parent] = s.queue[parent], s.queue[i]
		i = parent
	}
}

// step runs the next event. It reports whether there was one.
func (s *scheduler) step() bool {
	if len(s.queue) == 0 {
		return false
	}
	e := s.queue[0]
	last := len(s.queue) - 1
	s.queue[0] = s.queue[last]
	s.queue[last] = event{}
	s.queue = s.queue[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if s.queue[child].before(s.queue[least]) {
				least = child
			}
		}
		if least == i {
			break
		}
		s.queue[i], s.queue[least] = s.queue[least], s.queue[i]
		i = least
	}
	s.now = e.at
	if e.wake != nil {
		e.wake.awake(e.turn)
	} else {
		e.run()
	}
	return true
}

// process is a coroutine with a memory of its own: what it knows dies with it.
type process struct {
	s *scheduler
	c *coroutine
	// turn counts the waits; a wake-up for an earlier wait is late and ignored.
	turn   int
	dead   bool
	killed bool // it dies when it is next resumed
	idle   bool // nothing is due
	name   string
}

// killed unwinds a process that is killed.
type killed struct{}

// spawn starts body as a process.
func (s *scheduler) spawn(body func(p *process)) *process {
	p := &process{s: s, c: s.coroutines.get()}
	p.c.body = func() {
		defer func() { p.dead = true }()
		body(p)
	}
	s.processes = append(s.processes, p)
	s.push(event{at: s.now, wake: p})
	return p
}

// resume lets the process run until it waits or ends.
func (p *process) resume() {
	if p.dead {
		return
	}
	p.c.next()
	if p.dead {
		p.s.coroutines.put(p.c)
		p.c = nil
	}
}

// end kills every process where it waits.
func (s *scheduler) end() {
	for _, p := range s.processes {
		p.killed = true
		p.resume()
	}
}

// wait suspends the process until somebody wakes this turn.
func (p *process) wait() {
	p.c.yield(struct{}{})
	if p.killed {
		panic(killed{})
	}
}

// wakeAfter resumes the process if it still waits in the given turn.
func (p *process) wakeAfter(d time.Duration, turn int) {
	p.s.push(event{at: p.s.now + d, wake: p, turn: turn})
}

// awake resumes the process if it still waits in the given turn.
func (p *process) awake(turn int) {
	if p.turn == turn {
		p.turn++
		p.resume()
	}
}

// sleep suspends the process for a time.
func (p *process) sleep(d time.Duration) {
	p.wakeAfter(d, p.turn)
	p.wait()
}

// coroutine runs one body after another. Its stack, once grown, serves them all.
type coroutine struct {
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	body  func()
}

// coroutines are those that wait for a body.
type coroutines struct{ free []*coroutine }

func (cs *coroutines) get() *coroutine {
	if n := len(cs.free); n > 0 {
		c := cs.free[n-1]
		cs.free = cs.free[:n-1]
		return c
	}
	c := &coroutine{}
	c.next, c.stop = iter.Pull(func(yield func(struct{}) bool) {
		c.yield = yield
		for {
			c.run()
			if !yield(struct{}{}) {
				return
			}
		}
	})
	return c
}

func (cs *coroutines) put(c *coroutine) { cs.free = append(cs.free, c) }

func (cs *coroutines) close() {
	for _, c := range cs.free {
		c.stop()
	}
	cs.free = nil
}

func (c *coroutine) run() {
	defer func() {
		if r := recover(); r != nil && r != any(killed{}) {
			panic(r)
		}
	}()
	c.body()
}
