package drain

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
)

// Clock is one more item of the table. It says which tick was taken last, so that
// one reconcile at a time handles all open drains, and when the call budget was
// granted last, so that execution environments share it.
type Clock struct {
	Tick    time.Time `json:"tick"` // the last one taken
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
	mine     bool // its tick is its own to reconcile
	overdue  bool // no tick was taken lately, or none in step with this clock
	sweeping bool // another sweep than the invocation's is under way
	clock    int  // the version of the clock after the claim, 0 where it was not written
	budget   Budget
}

// claim grants an invocation its budget, at most what it wants of what has accrued,
// and its tick, unless that is zero or no newer than the last one taken: whose tick
// is its own gets everything. One sweep is under way at a time: a new one waits for the
// end of a long one. Where the clock cannot be reached, each environment goes on by
// itself: there are two at most.
func (r *Drainer) claim(ctx context.Context, tick time.Time, want Budget, sweep *sweepWork) claim {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	for range 3 { // again where another environment was at the clock
		c, won, err := r.tryClaim(ctx, tick, want, sweep)
		if err != nil {
			r.log.ErrorContext(ctx, "clock out of reach", "error", err)
			r.notifyDenied(ctx, err)
			half, _ := Budget{}.grant(r.cfg, tickInterval/2, everything)
			return claim{mine: !tick.IsZero(), overdue: true, budget: half}
		}
		if won {
			return c
		}
	}
	return claim{budget: least}
}

func (r *Drainer) tryClaim(ctx context.Context, tick time.Time, want Budget, sweep *sweepWork) (c claim, won bool, err error) {
	item, known := r.known.clock.get("", time.Time{})
	if !known {
		items, err := r.clock.Get(ctx, clockKey)
		if err != nil {
			return c, false, err
		}
		item = items[clockKey]
	}
	clock, now := &item.Value, r.now()
	since := now.Sub(clock.Tick)
	c = claim{clock: item.Version + 1, overdue: since < -tickSoon || since > tickInterval+tickSoon}
	switch {
	case tick.After(clock.Tick):
		c.mine, clock.Tick = true, tick
	case !tick.IsZero() && c.overdue: // delivered again, because no other could be sent
		c.mine, clock.Tick = true, now
	case want == (Budget{}):
		return claim{}, true, nil
	}
	if c.mine {
		want = everything
	}
	c.budget, clock.Left = clock.Left.grant(r.cfg, now.Sub(clock.Granted), want)
	clock.Granted = now
	switch {
	case sweep == nil:
	case *sweep != (sweepWork{}):
		clock.Swept = now
	default:
		c.sweeping = now.Sub(clock.Swept) < sweepPause
	}
	conflicts, err := r.clock.Put(ctx, item)
	r.known.clock.forget()
	if err != nil || len(conflicts) > 0 {
		return c, false, err
	}
	item.Version++
	r.known.clock.put("", item, now)
	return c, true, nil
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
	// Unsaved are drains that the table did not take: the queue keeps them instead.
	Unsaved []Drain `json:"unsaved,omitempty"`
}

// unsavedLimit is how many drains, of a few KB, go into a message of at most 1 MiB
// (SendMessage, Amazon SQS API Reference).
const unsavedLimit = 50

// requeue sends the function a tick. Everything depends on it, so it is tried twice.
func (r *Drainer) requeue(ctx context.Context, at time.Time, unsaved ...Drain) (failed error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueTime)
	defer cancel()
	for first := true; first || len(unsaved) > 0; first = false {
		n := min(len(unsaved), unsavedLimit)
		work := continuation{Tick: &tick{at.Unix(), unsaved[:n]}}
		err := r.queue.Continue(ctx, work, at.Sub(r.now()))
		if fault.MayPass(err) {
			err = r.queue.Continue(ctx, work, at.Sub(r.now()))
		}
		failed, unsaved = errors.Join(failed, err), unsaved[n:]
	}
	return failed
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
