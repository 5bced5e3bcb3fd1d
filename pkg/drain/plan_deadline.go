package drain

import (
	"slices"
	"time"

	"deployhooks/pkg/fleet"
)

// timesOut is when the action ends by itself, unless a heartbeat is accepted
// before. A timeout that is not known is taken for the shortest. An action of
// unknown beginning may have begun a whole timeout before it was seen.
func (a Action) timesOut(seen time.Time) time.Time {
	timeout := minHeartbeat
	if a.Timeout > 0 {
		timeout = time.Duration(a.Timeout) * time.Second
	}
	switch {
	case !a.Heartbeat.IsZero():
		return a.Heartbeat.Add(timeout)
	case !a.Began.IsZero():
		return a.Began.Add(timeout)
	}
	return seen
}

// timesOut is when the first of the actions that are there ends by itself, zero
// without any.
func (d Drain) timesOut() (first time.Time) {
	for _, a := range d.Actions {
		if at := a.timesOut(d.Since); a.Absent.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// heartbeatDue reports whether the actions need a heartbeat. It is due early enough
// that every service may be out of reach for half the hook's timeout, and the first
// to reconcile then be the next sweep. It is sent at the tick that follows.
func (d Drain) heartbeatDue(now time.Time, sweepInterval time.Duration) bool {
	return slices.ContainsFunc(d.Actions, func(a Action) bool {
		timeout := max(minHeartbeat, time.Duration(a.Timeout)*time.Second)
		ahead := max(minAhead, timeout*3/5, min(timeout*3/4, timeout/2+sweepInterval+tickInterval+tickSoon))
		return a.Absent.IsZero() && !now.Add(ahead).Before(a.timesOut(d.Since))
	})
}

// minAhead lets a heartbeat be two ticks late.
const minAhead = 20 * time.Second

// deadline is when the instance is released whatever is in flight: after the
// deregistration delays and the command's time, with a margin for services that do
// not answer. What is learned or left late, after an outage, has its time from then
// on; a target group that somebody registers the instance in again and again has
// not. It is earlier where the configuration, the end of an action or of the instance
// say so.
func (d Drain) deadline(s Settings) time.Time {
	delay, late := fleet.MaxDeregistrationDelay, d.Since
	if !d.DelaySince.IsZero() {
		delay, late = time.Duration(d.Delay)*time.Second, d.DelaySince
	}
	for _, left := range d.Balancers {
		if left.Times <= registeredAgain && left.At.After(late) {
			late = left.At
		}
	}
	takes := delay + s.CommandTimeout
	end := d.Since.Add(takes + outageMargin)
	if again := late.Add(takes + completeMargin); again.After(end) {
		end = again
	}
	if last := d.Since.Add(s.Deadline); s.Deadline > 0 && last.Before(end) {
		end = last
	}
	if !d.EC2EndsAt.IsZero() && d.EC2EndsAt.Before(end) {
		end = d.EC2EndsAt
	}
	for _, a := range d.Actions {
		if last := a.last(d.Since); a.Global > 0 && last.Before(end) {
			end = last
		}
	}
	return end
}

// last is the last instant at which the action is sure to be there, less a margin
// to complete it in.
func (a Action) last(seen time.Time) time.Time {
	began := a.Began
	if began.IsZero() {
		began = seen.Add(-time.Duration(a.Timeout) * time.Second)
	}
	return began.Add(time.Duration(a.Global)*time.Second - completeMargin)
}

const (
	// completeMargin is what the end of an action leaves for retries.
	completeMargin = 2 * time.Minute
	// outageMargin is how long an instance is kept because a service does not say
	// whether requests are in flight.
	outageMargin = 15 * time.Minute
)

// timedOut reports whether an action that is there no more ended by its timeout.
// One whose completion may have had its effect did not.
func (d Drain) timedOut(o *Observation) bool {
	known := o.Groups[d.Group] != nil
	return slices.ContainsFunc(d.Actions, func(a Action) bool {
		seen := o.Now
		if !a.Absent.IsZero() {
			seen = a.Absent
			if a.Began.IsZero() && a.Heartbeat.IsZero() {
				return false // it may never have been there
			}
		}
		if a.Timeout == 0 && !known {
			return false // the group was deleted, and its hooks with it
		}
		return a.Tried.IsZero() && !seen.Before(a.timesOut(d.Since))
	})
}
