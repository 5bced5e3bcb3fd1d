package deploymentgroup

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"deployhooks/pkg/event"
	"deployhooks/pkg/fault"
	"deployhooks/pkg/invoke"
)

// Outcome is what came of a request for now.
type Outcome struct {
	// Status is the answer to CloudFormation, [invoke.Success] or [invoke.Failed]; empty for
	// none yet, or none any more.
	Status string
	// Reason is what is in the way, and what to do.
	Reason string
	// Again is after how long the request is to be reconciled again, 0 for never.
	Again time.Duration
}

// Reconcile carries out a request as far as it is possible now.
func (m *Manager) Reconcile(ctx context.Context, r Request) Outcome {
	o, err := m.observe(ctx, r)
	if err != nil {
		return r.unfinished(nil, err, m.now())
	}
	p := NewPlan(r, o)
	switch {
	case p.Superseded:
		m.log.InfoContext(ctx, "request superseded", "stack", r.Stack, "resource", r.LogicalID, "request", r.ID)
		return Outcome{}
	case p.Fault != "":
		return r.unfinished(nil, refused(p.Fault), m.now())
	case r.overdue(m.now()) && (len(p.Changes) > 0 || r.Answered):
		return r.unfinished(append(p.Waits, "the deadline passed before everything was changed"), nil, m.now())
	}
	if err := m.apply(ctx, r, p.Changes); err != nil || len(p.Waits) > 0 {
		return r.unfinished(p.Waits, err, m.now())
	}
	done := Outcome{Status: invoke.Success}
	if len(p.Follow) > 0 || len(p.Changes) > 0 { // a release may have begun meanwhile
		done.Again = followUp
	}
	return done
}

// refused is a fault of the request itself.
type refused string

func (f refused) Error() string { return string(f) }

// overdue reports whether nothing may be changed any more: CloudFormation may be about to
// give up, and to request something else; or the release to follow must be over.
func (r Request) overdue(now time.Time) bool {
	if r.Answered {
		return !now.Before(r.Time.Add(followUpAtMost))
	}
	return !now.Before(r.Time.Add(Deadline))
}

// unfinished is the outcome of a request that waits for something, or whose calls failed.
func (r Request) unfinished(waits []string, err error, now time.Time) Outcome {
	if refusal, ok := errors.AsType[refused](err); ok {
		return Outcome{Status: invoke.Failed, Reason: string(refusal)}
	}
	if err != nil {
		waits = append(waits, reasonOf(err))
	}
	reason := strings.Join(waits, "; ")
	spreading := now.Before(r.Time.Add(grace)) && (fault.Is(err, fault.Denied) || fault.Code(err) == "InvalidRoleException")
	vanished := fault.Is(err, fault.NotFound) // since it was observed, as groups do in releases
	if err == nil || fault.MayPass(err) || vanished || spreading {
		if !r.overdue(now) {
			return Outcome{Again: again, Reason: reason}
		}
		reason = "Not done after " + Deadline.String() + ": " + cmp.Or(r.Last, reason)
	}
	return Outcome{Status: invoke.Failed, Reason: reason + remedy(r, err)}
}

// reasonOf is what failed, in AWS's words, without the call's IDs.
func reasonOf(err error) string {
	text := err.Error()
	if fault.Code(err) == "" {
		return text
	}
	if what, _, cut := strings.Cut(text, ": operation error"); cut {
		text = what + ": " + fault.Message(err)
	}
	return text
}

// remedy is what to do about a request that failed.
func remedy(r Request, err error) string {
	switch {
	case fault.Is(err, fault.Denied):
		return ". " + fault.AllowRemedy(err)
	case fault.Is(err, fault.Invalid):
		return ". Correct the property that it names, then deploy again"
	case r.Type == event.Delete:
		return ". Remove what is in the way, then delete the stack again; what is deleted already stays so"
	}
	return ". Remove what is in the way, then deploy again"
}
