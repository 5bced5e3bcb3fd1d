package drain

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/notice"
)

// notify sends what the drains' ledgers hold, what is alike in one message. It comes
// last: no instance waits for a notification. What the table did not take may be in it
// all the same, and is sent if the queue has kept it since.
func (r *Drainer) notify(ctx context.Context, all []work) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyTime)
	defer cancel()
	var mail letters
	for i, w := range all {
		if w.lost || w.dropped || w.unsaved && !w.queued {
			continue // whoever wrote the drain sends it, or the next reconcile does
		}
		for _, e := range w.drain.Ledger.Due(r.now()) {
			mail.add(e.Matter, e.Notice, i)
		}
	}
	var changed []*work
	for _, l := range mail {
		err := r.deliver(ctx, *l)
		for _, i := range l.from {
			w := &all[i]
			if w.drain.Ledger = attempted(w.drain.Ledger, l.matter, err, r.now()); !slices.Contains(changed, w) {
				changed = append(changed, w)
			}
		}
	}
	r.write(ctx, changed)
}

// attempted is the ledger after an attempt to send. What can never be sent is not
// tried again.
func attempted(l notice.Ledger[Report], matter string, err error, now time.Time) notice.Ledger[Report] {
	if err == nil || fault.Is(err, fault.Denied) || fault.Is(err, fault.NotFound) {
		return l.Delivered(matter)
	}
	return l.Failed(matter, now)
}

// announce notifies operators of announcements. A message whose announcement cannot
// be sent is delivered again.
func (r *Drainer) announce(ctx context.Context, all []announcement, errs []error) {
	ctx, cancel := context.WithTimeout(ctx, notifyTime)
	defer cancel()
	var mail letters
	for _, a := range all {
		mail.add("", Report{Outcome: Announced, Reason: a.text, Instances: []Instance{{ID: a.instance}}}, a.message)
	}
	for _, l := range mail {
		if err := r.publish(ctx, l.report); err != nil {
			for _, m := range l.from {
				errs[m] = cmp.Or(errs[m], err)
			}
		}
	}
}

// letters are messages to send, in order.
type letters []*digest

// add adds a report to the letter that says the same, or to a new one; the same of one
// instance once.
func (all *letters) add(matter string, report Report, from int) {
	alike := func(l *digest) bool {
		return l.matter == matter && l.report.Group == report.Group && l.report.Outcome == report.Outcome && l.report.Reason == report.Reason
	}
	i := slices.IndexFunc(*all, alike)
	if i < 0 {
		i = len(*all)
		*all = append(*all, &digest{matter: matter, report: Report{Group: report.Group, Outcome: report.Outcome, Reason: report.Reason, Remedy: report.Remedy}})
	}
	l := (*all)[i]
	if l.from = append(l.from, from); slices.Contains(l.report.Instances, report.Instances[0]) {
		return
	}
	if l.report.Count++; l.report.Count <= reportLimit {
		l.report.Instances = append(l.report.Instances, report.Instances[0])
	}
}

// digest is one message about several drains.
type digest struct {
	matter string
	report Report
	from   []int
}

// deliver sends a message, unless this environment has sent the same action-required
// one within the hour.
func (r *Drainer) deliver(ctx context.Context, l digest) error {
	key := l.report.Group + "\x00" + l.matter
	if _, sent := r.known.notified.get(key, r.now().Add(-renotifyAfter)); sent && l.report.Outcome == ActionRequired {
		return nil
	}
	if err := r.publish(ctx, l.report); err != nil {
		r.log.ErrorContext(ctx, "notification not sent", "asg", l.report.Group, "outcome", string(l.report.Outcome), "error", err)
		return err
	}
	r.known.notified.put(key, true, r.now())
	return nil
}

// renotifyAfter is how long operators are not notified again of what concerns all
// drains.
const renotifyAfter = time.Hour

// notifyDenied notifies operators that a call is denied that all drains need. There may
// be no table to remember it in, so each execution environment does so by itself.
func (r *Drainer) notifyDenied(ctx context.Context, err error) {
	for _, e := range unjoined(err) {
		if fault.Is(e, fault.Denied) {
			r.notifyHourly(ctx, fault.Action(e), reportFault(e))
		}
	}
}

// unjoined are the errors that one joins.
func unjoined(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

// logFailed logs the calls that failed in a reconcile: how many, and which one and how
// in most of them.
func (r *Drainer) logFailed(ctx context.Context, all []work, o *Observation) {
	failed := slices.Collect(maps.Values(o.Failed))
	for _, w := range all {
		failed = append(failed, w.did.errs...)
		for _, a := range w.did.actions {
			failed = append(failed, a.err)
		}
	}
	type failure struct{ api, code string }
	count := map[failure]int{}
	var most failure
	total := 0
	for _, err := range unjoined(errors.Join(failed...)) {
		if f := (failure{fault.Action(err), fault.Code(err)}); !errors.Is(err, errThrottled) {
			total++
			if count[f]++; count[f] > count[most] {
				most = f
			}
		}
	}
	if total > 0 {
		r.log.WarnContext(ctx, "calls failed", "api", most.api, "code", most.code, "count", total)
	}
}

func (r *Drainer) notifyHourly(ctx context.Context, matter string, report Report) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyTime)
	defer cancel()
	report.Instances = []Instance{}
	_ = r.deliver(ctx, digest{matter: matter, report: report}) // logged, and tried again at the next occasion
}

func (r *Drainer) publish(ctx context.Context, report Report) error {
	detail, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode notification: %w", err)
	}
	err = r.notices.Publish(ctx, notice.Notice{
		ActionRequired: report.Outcome == ActionRequired, Subject: report.subject(), Text: report.text(), Detail: detail,
	})
	if err == nil && (report.Outcome == ActionRequired || report.Outcome == Announced) {
		r.notices.Count(string(report.Outcome)) // the others are counted as drains end
	}
	return err
}
