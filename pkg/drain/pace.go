package drain

import (
	"sync"
	"time"
)

// pace holds the calls that a storm of drains makes to Auto Scaling below its
// rates: one bucket of tokens that all calls of an account and region share. AWS
// does not publish its size; a throttled call empties ours.
//
// Execution environments, of which the queue's settings allow two, share it by
// the ticks: the look that has taken one may use what has come in since the tick
// before, whoever took that. Looks without one, at an event or a sweep, use a
// little that each environment has of its own.
type pace struct {
	guard   sync.Mutex
	granted float64
	own     float64
	at      time.Time
}

// The share of the bucket that drains take, in calls and calls a second, by
// ticks and without. What is left is for the account's other callers.
const (
	tickBurst = 80
	tickRate  = 8
	ownBurst  = 5
	ownRate   = 0.5
)

// grant begins a look that has taken a tick so long after the one before; 0
// begins one that has none.
func (p *pace) grant(since time.Duration) {
	p.guard.Lock()
	defer p.guard.Unlock()
	p.granted = min(tickBurst, tickRate*since.Seconds())
}

// take takes a token if there is one.
func (p *pace) take(now time.Time) bool {
	p.guard.Lock()
	defer p.guard.Unlock()
	switch {
	case p.at.IsZero():
		p.own = ownBurst
	case now.After(p.at):
		p.own = min(ownBurst, p.own+ownRate*now.Sub(p.at).Seconds())
	}
	p.at = now
	for _, tokens := range []*float64{&p.granted, &p.own} {
		if *tokens >= 1 {
			*tokens--
			return true
		}
	}
	return false
}

// throttled empties the bucket: AWS's is empty.
func (p *pace) throttled() {
	p.guard.Lock()
	defer p.guard.Unlock()
	p.granted, p.own = 0, 0
}
