package region

import (
	"slices"
	"time"
)

// flight is a request in flight.
type flight struct {
	target *target
	stream *Stream
	node   string // the zone of the load balancer's node
	sent   time.Time
	until  time.Time
}

// dropInFlight fails everything that is in flight to an instance.
func (r *Region) dropInFlight(i *instance) {
	for _, f := range i.inFlight {
		if f.until.After(r.clock.now) {
			f.stream.fail("died-in-flight", i, "the instance, or the application on it, ended while the request was in flight")
		}
	}
	i.inFlight = nil
}

// cutOffAll fails everything that is in flight to an instance that Auto
// Scaling, or EC2 on AWS's behalf, takes away.
func (r *Region) cutOffAll(i *instance) {
	for _, f := range i.inFlight {
		r.cut(f)
	}
	i.inFlight = nil
}

// cut fails a request that is still in flight, and counts it by whether a
// deregistration in time could have saved it.
func (r *Region) cut(f flight) {
	now := r.clock.now
	if !f.until.After(now) {
		return
	}
	second := f.stream.second(now)
	last := f.target.leaves
	if last.IsZero() { // nobody has deregistered it
		last = now.Add(f.target.group.delay)
	}
	late := f.until.After(last)
	// A Spot Instance: what was sent before its warning, or before the
	// deregistration, could not outlive the notice.
	if since := f.target.instance.interrupted; !since.IsZero() && (!f.target.leaves.IsZero() || !f.sent.After(since)) {
		late = late || f.until.After(since.Add(spotNotice))
	}
	cause, why := "cut-early", "the request was in flight when its instance left, or the deregistration delay was over"
	if f.target.leaves.IsZero() {
		why = "the request was in flight when its instance left; nobody had deregistered the target"
	}
	if late {
		second.CutLate++
		cause, why = "cut-late", "the request took longer than the deregistration delay, or than the notice of a Spot Instance, allows"
	} else {
		second.CutEarly++
	}
	f.stream.fail(cause, f.target.instance, why)
}

// cutOff fails what is still in flight to a target when its deregistration
// delay is over.
func (r *Region) cutOff(t *target) {
	if t.instance == nil {
		return
	}
	t.instance.inFlight = slices.DeleteFunc(t.instance.inFlight, func(f flight) bool {
		if f.target != t {
			return false
		}
		r.cut(f)
		return true
	})
}

// lastInFlight is how long the last request in flight to a target still takes.
func (r *Region) lastInFlight(t *target) time.Duration {
	var last time.Duration
	if t.instance == nil {
		return 0
	}
	for _, f := range t.instance.inFlight {
		if f.target == t {
			last = max(last, f.until.Sub(r.clock.now))
		}
	}
	return last
}
