package repair

import (
	"slices"
	"time"
)

// answered is the requests of the last second that a group has answered.
func (f *fixture) answered(group string) int {
	seconds := f.users.Seconds()
	return seconds[len(seconds)-1].ByGroup[group]
}

// mustNotAnswer fails if a group has answered a request since an instant.
func (f *fixture) mustNotAnswer(group string, since time.Time, harm string) {
	f.t.Helper()
	n := 0
	for _, s := range f.users.Seconds() {
		if s.At.After(since) {
			n += s.ByGroup[group]
		}
	}
	if n > 0 {
		f.t.Errorf("%s: %d requests were answered by %s\nnotified: %q", harm, n, group, f.Subjects())
	}
}

// mustServe fails unless the service's current group has all of its sources
// attached, and nobody saw an instance before its time.
func (f *fixture) mustServe(sources ...string) {
	f.t.Helper()
	f.mustBeAttached(sources...)
	f.mustNotBeEarly()
	f.mustLeaveNoDeadLetters()
}

// mustBeAttached fails unless the service's current group has the sources
// attached, all target groups of the service unless some are named.
func (f *fixture) mustBeAttached(sources ...string) {
	f.t.Helper()
	if len(sources) == 0 {
		for _, name := range f.svc.TargetGroups {
			sources = append(sources, f.TargetGroupARN(name))
		}
	}
	green := f.GroupOf(f.svc)
	for _, s := range sources {
		if !contains(f.Attached(green), s) {
			f.t.Errorf("%s is not attached to %s: scale-in cuts requests off, scale-out serves nobody\nattached: %v\nnotified: %v", green, s, f.Attached(green), f.Subjects())
		}
	}
}

func (f *fixture) mustLeaveNoDeadLetters() {
	f.t.Helper()
	if dead := f.Queue.DeadLetters(); len(dead) > 0 {
		f.t.Errorf("%d messages were moved to the dead-letter queue, the first: %s", len(dead), dead[0].Body)
	}
}

func (f *fixture) mustNotBeEarly() {
	f.t.Helper()
	if f.users != nil {
		if early := f.users.Total().Early; early > 0 {
			f.t.Errorf("%d requests reached a replacement group before its deployment's reroute", early)
		}
	}
}

// mustNotFail fails if a request has failed so far.
func (f *fixture) mustNotFail(harm string) {
	f.t.Helper()
	if total := f.users.Total(); total.Failed > 0 {
		f.t.Errorf("%s: %d of %d requests failed\nnotified: %q", harm, total.Failed, total.Requests, f.Subjects())
	}
}

// mustRegisterAll fails unless each in-service instance of a group is registered
// with each target group of the service.
func (f *fixture) mustRegisterAll(group, harm string) {
	f.t.Helper()
	for _, name := range f.svc.TargetGroups {
		if missing := f.unregistered(group, name); len(missing) > 0 {
			f.t.Errorf("%s: %d of %d instances of %s are not registered with %s\nnotified: %q",
				harm, len(missing), len(f.InService(group)), group, name, f.Subjects())
		}
	}
}

// mustHoldNone fails if an in-service instance of a group is registered.
func (f *fixture) mustHoldNone(targetGroup, group, harm string) {
	f.t.Helper()
	if n := len(f.InService(group)) - len(f.unregistered(group, targetGroup)); n > 0 {
		f.t.Errorf("%s: %d instances of %s are registered with %s\nnotified: %q", harm, n, group, targetGroup, f.Subjects())
	}
}

// mustTakeNone fails if instances were put on standby or marked unhealthy.
func (f *fixture) mustTakeNone() {
	f.t.Helper()
	for _, operation := range []string{"EnterStandby", "SetInstanceHealth"} {
		if n := f.Made(operation); n > 0 {
			f.t.Errorf("%s was called %d times: instances with the revision are taken from the users", operation, n)
		}
	}
}

// unregistered are the in-service instances of a group that a target group does
// not hold.
func (f *fixture) unregistered(group, targetGroup string) (missing []string) {
	health := f.Health(targetGroup)
	for _, i := range f.InService(group) {
		if !serves(health[i]) {
			missing = append(missing, i)
		}
	}
	return missing
}

func contains(all []string, s string) bool { return slices.Contains(all, s) }
