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
	// Left is what was left of the budget then.
	Left Budget `json:"left,omitzero"`
	// Swept is when a sweep last continued.
	Swept time.Time `json:"swept,omitzero"`
}

// clockKey is a key that no instance has.
var clockKey = store.Key{Partition: "clock"}

// claim is what an invocation may do.
type claim struct {
	// mine means that the invocation's tick is its own to reconcile.
	mine bool
	// last is the last tick that was taken before.
	last time.Time
	// sweeping means that another sweep than the invocation's is under way.
	sweeping bool
	// clock is the version of the clock after the claim, 0 where it was not written.
	clock  int
	budget Budget
}

// claim grants an invocation its budget, at most what it wants of what has accrued,
// and its tick, unless that is zero: a tick that another message has taken, or that
// is older than the last one taken, is not its own. A message delivered again keeps
// its tick. Whose tick is its own gets everything. One sweep is under way at a time:
// a new one waits for the end of a long one.
func (r *Drainer) claim(ctx context.Context, at time.Time, message string, want Budget, sweep *sweepWork) (c claim, err error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	for range 3 { // again where another environment was at the clock
		item, known := r.known.clock.get("", time.Time{})
		if !known {
			items, err := r.clock.Get(ctx, clockKey)
			if err != nil {
				return claim{last: c.last, budget: least}, fmt.Errorf("claim the tick of %s: %w", at.Format(time.TimeOnly), err)
			}
			item = items[clockKey]
		}
		clock := &item.Value
		c = claim{last: clock.Tick, clock: item.Version + 1}
		c.mine = at.After(clock.Tick) || !at.IsZero() && at.Equal(clock.Tick) && message == clock.Message
		if c.mine {
			want = everything
		} else if want == (Budget{}) {
			return claim{last: c.last}, nil
		}
		c.budget, clock.Left = clock.Left.grant(r.cfg, r.now().Sub(clock.Granted), want)
		if c.mine {
			clock.Tick, clock.Message = at, message
		}
		clock.Granted = r.now()
		if sweep != nil {
			if *sweep != (sweepWork{}) {
				clock.Swept = clock.Granted
			} else {
				c.sweeping = r.now().Sub(clock.Swept) < sweepPause
			}
		}
		conflicts, err := r.clock.Put(ctx, item)
		if r.known.clock.forget(); err != nil {
			return claim{last: c.last, budget: least}, fmt.Errorf("claim the tick of %s: %w", at.Format(time.TimeOnly), err)
		}
		if len(conflicts) == 0 {
			item.Version++
			r.known.clock.put("", item, r.now())
			return c, nil
		}
	}
	return claim{last: c.last, budget: least}, nil
}

// Ticks happen at full multiples of these intervals, so that those that several
// reconciles send meet, and continue as one. A new drain is reconciled more often:
// with nothing in flight it is over at once.
const (
	tickNew      = 2 * time.Second
	tickSoon     = 5 * time.Second
	tickInterval = 10 * time.Second
	// newFor and youngFor are how old drains are at most that are reconciled at once and
	// soon again.
	newFor   = 5 * time.Second
	youngFor = 20 * time.Second
)

// interval is how soon drains of that age are reconciled again.
func interval(age time.Duration, urgent bool) time.Duration {
	switch {
	case age < newFor:
		return tickNew
	case age < youngFor || urgent:
		return tickSoon
	}
	return tickInterval
}

// nextTick is the instant of the next tick. Installations in one region tick at
// different seconds, so that each sees the commands that another has sent.
func (r *Drainer) nextTick(interval time.Duration) time.Time {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.cfg.QueueURL))
	phase := time.Duration(h.Sum32()%uint32(tickSoon/time.Second)) * time.Second
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueTime)
	defer cancel()
	work := map[string]any{"tick": tick{at.Unix()}}
	err := r.queue.Continue(ctx, work, at.Sub(r.now()))
	if fault.MayPass(err) {
		err = r.queue.Continue(ctx, work, at.Sub(r.now()))
	}
	return err
}

// Budget is how many calls a reconcile may make of each API, for everything that
// it reads and changes. All execution environments share it: a reconcile gets what
// has accrued since the one before, whoever did that (clock.go).
type Budget struct {
	AutoScaling int `json:"autoScaling"` // every call
	Balancing   int `json:"balancing"`   // every call, DeregisterTargets included
	Deregister  int `json:"deregister"`  // DeregisterTargets
}

// The share of AWS's token buckets that drains take: burst, and calls a second. The
// rest is for the account's other callers. Elastic Load Balancing documents 40 and
// 10 over all actions, and 20 and 4 for DeregisterTargets ("API throttling", Elastic
// Load Balancing User Guide); Auto Scaling documents no figures.
const (
	defaultReleases  = 8
	releaseBurst     = 10 // seconds' worth
	balancingBurst   = 30
	balancingRate    = 8
	deregisterBurst  = 15
	deregisterRate   = 3
	describeFraction = 3 // at most two of three balancing calls describe
)

// least is what a reconcile may use that has accrued nothing, so that an
// interrupted Spot instance waits for no tick.
var least = Budget{AutoScaling: 3, Balancing: 6, Deregister: 2}

// everything is what a tick wants: it is about all drains.
var everything = Budget{AutoScaling: 1000, Balancing: 1000, Deregister: 1000}

// grant adds what accrues in an interval, and divides it into what is wanted and what
// is left. At least [least] is granted.
func (b Budget) grant(cfg Config, since time.Duration, want Budget) (granted, left Budget) {
	rate := cfg.ReleasesPerSecond
	if rate == 0 {
		rate = defaultReleases
	}
	share := func(had, burst, rate, want, least int) (granted, left int) {
		accrued := int(min(float64(burst), float64(had)+float64(rate)*max(0, since.Seconds())))
		granted = min(accrued, want)
		return max(granted, least), accrued - granted
	}
	granted.AutoScaling, left.AutoScaling = share(b.AutoScaling, releaseBurst*rate, rate, want.AutoScaling, least.AutoScaling)
	granted.Balancing, left.Balancing = share(b.Balancing, balancingBurst, balancingRate, want.Balancing, least.Balancing)
	granted.Deregister, left.Deregister = share(b.Deregister, deregisterBurst, deregisterRate, want.Deregister, least.Deregister)
	return granted, left
}

// take takes a call from a budget if there is one.
func take(n *int) bool {
	if *n < 1 {
		return false
	}
	*n--
	return true
}
