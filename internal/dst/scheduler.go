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
	processes []*process
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
	s     *scheduler
	next  func() (struct{}, bool)
	stop  func()
	yield func(struct{}) bool
	// turn counts the waits; a wake-up for an earlier wait is late and ignored.
	turn int
	dead bool
	name string
}

// killed unwinds a coroutine that is killed while it waits.
type killed struct{}

// spawn starts body as a process.
func (s *scheduler) spawn(body func(p *process)) *process {
	p := &process{s: s}
	seq := func(yield func(struct{}) bool) {
		p.yield = yield
		defer func() {
			p.dead = true
			if r := recover(); r != nil {
				if _, ok := r.(killed); !ok {
					panic(r)
				}
			}
		}()
		body(p)
	}
	p.next, p.stop = iter.Pull(iter.Seq[struct{}](seq))
	s.processes = append(s.processes, p)
	s.after(0, p.resume)
	return p
}

func (p *process) resume() {
	if !p.dead {
		p.next()
	}
}

// end stops every process where it waits.
func (s *scheduler) end() {
	for _, p := range s.processes {
		p.stop()
	}
}

// wait suspends the process until somebody wakes this turn.
func (p *process) wait() {
	if !p.yield(struct{}{}) {
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
