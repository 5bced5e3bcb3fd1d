package region

import (
	"container/heap"
	"time"
)

// clock is virtual time and everything that is still to happen in it.
type clock struct {
	now    time.Time
	due    timers
	seq    int
	outbox []func() // to be run without the region's lock, in order
}

// timer is something that happens at an instant. Of two timers for the same
// instant the one that was set first fires first.
type timer struct {
	at   time.Time
	seq  int
	fire func()
}

type timers []*timer

func (t timers) Len() int      { return len(t) }
func (t timers) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t timers) Less(i, j int) bool {
	if order := t[i].at.Compare(t[j].at); order != 0 {
		return order < 0
	}
	return t[i].seq < t[j].seq
}
func (t *timers) Push(x any) { *t = append(*t, x.(*timer)) }
func (t *timers) Pop() any {
	old := *t
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	return last
}

// after lets something happen when d has passed. It is called and fires with
// the region's lock held.
func (r *Region) after(d time.Duration, fire func()) {
	r.set(&timer{fire: fire}, r.clock.now.Add(d))
}

// set has a timer that is not set fire at an instant, or at once if that has
// passed. What recurs often sets one timer again and again.
func (r *Region) set(t *timer, at time.Time) {
	if at.Before(r.clock.now) {
		at = r.clock.now
	}
	r.clock.seq++
	t.at, t.seq = at, r.clock.seq
	heap.Push(&r.clock.due, t)
}

// at lets something happen at an instant, or at once if that has passed.
func (r *Region) at(t time.Time, fire func()) { r.set(&timer{fire: fire}, t) }

// outside lets code that is not the region's run without the lock, as soon as
// the timer that asked for it is done, so that such code may call the region.
func (r *Region) outside(f func()) { r.clock.outbox = append(r.clock.outbox, f) }

// After has f called when d has passed, by whoever advances the clock: it is
// how a test or a scenario does something at its time. f may call the region.
func (r *Region) After(d time.Duration, f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.after(d, func() { r.outside(f) })
}

// Now is the virtual time.
func (r *Region) Now() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock.now
}

// Start is the instant at which the region began.
func (r *Region) Start() time.Time { return r.options.Start }

// Advance lets d pass and everything happen that falls due meanwhile, in
// order: boots, health checks, drainings, the steps of deployments, and the
// deliveries to subscribers and to the functions that queues serve. Those may
// call the region, and may even advance it.
func (r *Region) Advance(d time.Duration) {
	r.mu.Lock()
	until := r.clock.now.Add(d)
	r.mu.Unlock()
	for r.step(until) {
	}
}

// step fires the next timer that is due by until. Without one it sets the
// clock to until and returns false.
func (r *Region) step(until time.Time) bool {
	r.mu.Lock()
	var fired bool
	if len(r.clock.due) > 0 && !r.clock.due[0].at.After(until) {
		next := heap.Pop(&r.clock.due).(*timer)
		// A nested Advance may have gone past this timer's instant.
		if next.at.After(r.clock.now) {
			r.clock.now = next.at
		}
		next.fire()
		fired = true
	} else if until.After(r.clock.now) {
		r.clock.now = until
	}
	outbox := r.clock.outbox
	r.clock.outbox = nil
	r.mu.Unlock()
	for _, f := range outbox {
		f()
	}
	return fired || len(outbox) > 0
}

// RunUntil lets time pass until the condition holds, checking after each thing
// that happens and at least once a second, but not longer than limit. It says
// whether the condition came to hold. The condition is called without the
// region's lock and may ask the region anything.
func (r *Region) RunUntil(condition func() bool, limit time.Duration) bool {
	end := r.Now().Add(limit)
	for !condition() {
		now := r.Now()
		if !now.Before(end) {
			return false
		}
		until := now.Add(time.Second)
		if until.After(end) {
			until = end
		}
		r.step(until)
	}
	return true
}
