package drain

import (
	"context"
	"time"

	"deployhooks/pkg/fault"
)

// Looks happen at full multiples of these intervals, so that those that several
// events ask for meet, and go on as one. A young drain is looked at more often:
// with nothing in flight it is over at once. A drained instance waits for its
// release no longer than [often], the queue's delivery and the look itself.
const (
	soon  = 5 * time.Second
	often = 10 * time.Second
	// young is how old a drain is at most that is looked at soon again.
	young = 20 * time.Second
)

// nextLook is the instant of the next look at drains that are still open.
func nextLook(now time.Time, hurry bool) time.Time {
	interval := often
	if hurry {
		interval = soon
	}
	next := now.Truncate(interval).Add(interval)
	if next.Sub(now) < time.Second {
		next = next.Add(interval)
	}
	return next
}

// tick sends the function a message to look again at that instant.
func (r *Drainer) tick(ctx context.Context, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, tickTime)
	defer cancel()
	again := request{Action: "tick", Slot: at.Unix()}
	err := r.own.Send(ctx, again, at.Sub(r.now()))
	if err != nil && fault.Of(err) == fault.Passing { // everything hangs on it
		err = r.own.Send(ctx, again, at.Sub(r.now()))
	}
	return err
}
