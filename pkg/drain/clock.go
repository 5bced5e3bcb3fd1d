package drain

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
)

// Clock is one more item of the table. It says which tick was taken last, so that
// one reconcile at a time handles all open drains, and when the call budget was
// granted last, so that execution environments share it.
type Clock struct {
	// Tick is the last tick taken and Message what brought it.
	Tick    time.Time `json:"tick"`
	Message string    `json:"message,omitempty"`
	Granted time.Time `json:"granted"`
}

// clockKey is a key that no instance has.
var clockKey = store.Key{Partition: "clock"}

// claim grants a reconcile its budget and reports whether the tick, unless it is
// zero, is its own: a tick that another message has taken, or that is older than
// the last one taken, is not. A message delivered again keeps its tick.
func (r *Drainer) claim(ctx context.Context, tick time.Time, message string) (mine bool, last time.Time, b Budget, err error) {
	ctx, cancel := within(ctx, storeTime)
	defer cancel()
	for range 2 { // once more where another environment was at the clock
		items, err := r.clock.Get(ctx, clockKey)
		if err != nil {
			return false, last, least, fmt.Errorf("claim the tick of %s: %w", tick.Format(time.TimeOnly), err)
		}
		item := items[clockKey]
		c := item.Value
		mine = tick.After(c.Tick) || !tick.IsZero() && tick.Equal(c.Tick) && message == c.Message
		if !tick.IsZero() && !mine {
			return false, c.Tick, Budget{}, nil
		}
		since := r.now().Sub(c.Granted)
		last, b = c.Tick, grant(r.cfg, since)
		if mine {
			c.Tick, c.Message = tick, message
		}
		c.Granted = r.now()
		item.Value = c
		conflicts, err := r.clock.Put(ctx, item)
		if err != nil {
			return false, last, least, fmt.Errorf("claim the tick of %s: %w", tick.Format(time.TimeOnly), err)
		}
		if len(conflicts) == 0 {
			return mine, last, b, nil
		}
	}
	return false, last, least, nil
}

// Ticks happen at full multiples of these intervals, so that those that several
// reconciles send meet, and continue as one. A new drain is looked after more often:
// with nothing in flight it is over at once.
const (
	soon  = 5 * time.Second
	often = 10 * time.Second
	// young is how old a drain is at most that is reconciled soon again.
	young = 20 * time.Second
)

// nextTick is the instant of the next tick. Installations in one region tick at
// different seconds, so that each sees the commands that another has sent.
func (r *Drainer) nextTick(hurry bool) time.Time {
	interval := often
	if hurry {
		interval = soon
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.cfg.QueueURL))
	phase := time.Duration(h.Sum32()%uint32(soon/time.Second)) * time.Second
	now := r.now()
	next := now.Add(-phase).Truncate(interval).Add(interval + phase)
	if next.Sub(now) < time.Second {
		next = next.Add(interval)
	}
	return next
}

// tick is a message to reconcile all open drains at an instant.
type tick struct {
	Slot int64 `json:"slot"` // seconds since 1970
}

// requeue sends the function a tick. Everything depends on it, so it is tried twice.
func (r *Drainer) requeue(ctx context.Context, at time.Time) error {
	ctx, cancel := within(context.WithoutCancel(ctx), queueTime)
	defer cancel()
	work := map[string]any{"tick": tick{at.Unix()}}
	err := r.queue.Continue(ctx, work, at.Sub(r.now()))
	if fault.MayPass(err) {
		err = r.queue.Continue(ctx, work, at.Sub(r.now()))
	}
	return err
}
