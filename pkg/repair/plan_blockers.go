package repair

import (
	"fmt"
	"slices"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
	"deployhooks/pkg/repair/setting"
)

// Blocker is something that keeps the group from what it should have, or that
// operators should know of.
type Blocker struct {
	// Matter identifies what blocks. It holds no figures that change while it does.
	Matter string    `json:"matter"`
	Reason string    `json:"reason"`
	Remedy string    `json:"remedy,omitempty"`
	Since  time.Time `json:"since"`
	// ActionRequired means that it does not end unless an operator does something.
	ActionRequired bool `json:"actionRequired,omitempty"`

	// notify is how long it may last before operators are notified; never, if it
	// is negative.
	notify time.Duration
	// passes means that it may end without anybody doing anything, so that the
	// group is reconciled again soon.
	passes bool
	// aside means that the group is settled all the same.
	aside bool
}

// evidenceNew is the matter of evidence that has not stood long enough.
const evidenceNew = "evidence new"

// notifyAfter is how long something may block before operators are notified, unless
// they have to do something: those notifications go out at once.
const notifyAfter = 10 * time.Minute

// notifyOfRelease is the same for a group that is not attached because of a release
// in progress: that it serves may be seen later than it began to.
const notifyOfRelease = notifyAfter - idleRequeue - time.Minute

// never is for what operators need not be notified of.
const never = -1

// gracePeriod is how long what is slow may only be slow: unhealthy instances to come
// round after a release, a traffic source to come into service.
const gracePeriod = 10 * time.Minute

// block adds a blocker and says since when it blocks.
func (p *Plan) block(o *Observation, b Blocker) {
	b.Since = o.Record.since(b.Matter, o.Now)
	if i := slices.IndexFunc(p.Blockers, func(other Blocker) bool { return other.Matter == b.Matter }); i >= 0 {
		if other := &p.Blockers[i]; other.Reason != b.Reason {
			other.Reason += "; " + b.Reason
		}
		return
	}
	p.Blockers = append(p.Blockers, b)
}

// blockedFor is how long something has blocked.
func (o *Observation) blockedFor(matter string) time.Duration {
	return o.Now.Sub(o.Record.since(matter, o.Now))
}

// names are traffic sources in words.
func names(sources []fleet.TrafficSource) string {
	var all []string
	for _, s := range sources {
		all = append(all, s.String())
	}
	return setting.Join(all)
}

// fail adds what AWS answered a question with.
func (p *Plan) fail(o *Observation, err error) {
	p.failed = true
	action := fault.Action(err)
	b := Blocker{Matter: "failed " + action + " " + fault.Code(err), notify: notifyAfter, passes: true,
		Reason: setting.Plain(fault.Message(err)), Remedy: "Nothing, if it passes: the function tries again."}
	if action != "" {
		b.Reason = fmt.Sprintf("%s failed: %s", action, b.Reason)
	}
	switch fault.Of(err) {
	case fault.Denied:
		b.ActionRequired, b.Remedy = true, allowRemedy(err)
	case fault.Invalid:
		b.ActionRequired, b.Remedy = true, "AWS will never accept this call. Correct what it names, in the deployment group's settings or the Auto Scaling group's."
	case fault.Conflict:
		b.notify = never
	}
	p.block(o, b)
}

// unreadable reports a record that cannot be read.
func (p *Plan) unreadable(o *Observation) {
	if o.Unreadable != nil {
		p.block(o, Blocker{Matter: "record unreadable", ActionRequired: true, aside: true,
			Reason: fmt.Sprintf("the record cannot be read: %v. It is left as it is; what only its baseline knew is not restored", o.Unreadable),
			Remedy: "Deploy the version of the function that wrote it, or drop it: invoke the function with the action forget."})
	}
}
