package drain

import (
	"sync"
	"time"
)

// pace holds the calls that a storm of drains makes to Auto Scaling below its
// rates: one bucket of tokens that all calls of an account and region share.
// AWS does not publish its size; a throttled call empties ours. It is kept by
// one execution environment, of which the queue's settings allow few.
type pace struct {
	guard  sync.Mutex
	tokens float64
	at     time.Time
}

// The share of the bucket that drains take, in calls and calls a second. What
// is left is for the account's other callers.
const (
	paceBurst = 80
	paceRate  = 8
)

// take takes a token if there is one.
func (p *pace) take(now time.Time) bool {
	p.guard.Lock()
	defer p.guard.Unlock()
	switch {
	case p.at.IsZero():
		p.tokens = paceBurst
	case now.After(p.at):
		p.tokens = min(paceBurst, p.tokens+paceRate*now.Sub(p.at).Seconds())
	}
	p.at = now
	if p.tokens < 1 {
		return false
	}
	p.tokens--
	return true
}

// throttled empties the bucket: AWS's is empty.
func (p *pace) throttled() {
	p.guard.Lock()
	defer p.guard.Unlock()
	p.tokens = 0
}
