package backup

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/store"
)

// Run does one task: the next step of the run in progress, or the beginning of one. An
// error may pass; the state machine calls again.
func (b *Backups) Run(ctx context.Context, t Task) (Result, error) {
	req, err := b.request(t)
	if err != nil {
		return Result{}, err
	}
	r := &reconcile{Backups: b, req: req, execution: t.Execution, id: runOf(t.Execution), now: b.Now()}
	if err := r.load(ctx); err != nil {
		return Result{}, err
	}
	if r.seen, err = b.observe(ctx, r.rec.Run); err != nil {
		return r.unobserved(ctx, err)
	}
	if req.Action == Status {
		return Result{State: Done, Report: r.report()}, nil
	}
	if result, decided, err := r.own(ctx); decided || err != nil {
		return result, err
	}
	return r.step(ctx, Plan(b.Config, r.rec.Run, r.seen, r.now))
}

// reconcile is one call of [Backups.Run].
type reconcile struct {
	*Backups
	req       Request
	execution string
	id        string // of the run that the execution begins
	now       time.Time
	item      store.Item[Record]
	rec       *Record
	seen      Observed
}

func (r *reconcile) load(ctx context.Context) error {
	found, err := r.Store.Get(ctx, r.key())
	if err != nil {
		return fmt.Errorf("read the record of %s: %w", r.Config.Instance, err)
	}
	r.item = found[r.key()]
	if r.item.Unreadable != nil {
		return refusal{r.item.Unreadable}
	}
	r.rec = &r.item.Value
	if r.rec.Since.IsZero() {
		r.rec.Since = r.now
	}
	return nil
}

// save writes the record. Another that has written it since drives the run now.
func (r *reconcile) save(ctx context.Context) error {
	conflicts, err := r.Store.Put(ctx, r.item)
	if err == nil && len(conflicts) > 0 {
		err = errors.New("another execution has written it")
	}
	if err != nil {
		return fmt.Errorf("write the record of %s: %w", r.Config.Instance, err)
	}
	r.item.Version++
	return nil
}

// own makes the execution the one that drives the run, unless another does, or there is
// nothing to drive.
func (r *reconcile) own(ctx context.Context) (result Result, decided bool, err error) {
	run := r.rec.Run
	if r.req.Action == Sweep && r.due() {
		r.req.Action = Prove
	}
	switch {
	case run == nil && r.rec.Last != nil && r.rec.Last.ID == r.id: // the answer was lost
		return r.rec.Last.result(), true, nil
	case run == nil && r.req.Action == Prove && r.early():
		r.measure()
		r.rec.Postponed = true
		return Result{State: Done, Text: fmt.Sprintf("there is no snapshot of %s yet: the sweep begins the proof when there is one", r.Config.Instance)}, true, r.save(ctx)
	case run == nil && r.req.Action != Sweep:
		result, err = r.begin(ctx)
		return result, true, err
	case run == nil:
		return Result{}, false, nil
	case run.Execution == r.execution:
	case run.ID == r.id:
		return Result{State: Failed, Text: "another execution has taken the run over"}, true, nil
	case r.now.Sub(run.Seen) > abandonLimit:
		run.Execution = r.execution
		if run.Failure == "" && !run.served() {
			run.Failure = run.because("its execution ended before it did")
		}
	case r.req.Action == Fill:
		return Result{}, true, refuse("a %s is in progress, since %s: start the fill again when it is over", run.Action, run.Started.UTC().Format(time.RFC3339))
	default:
		r.measure()
		return Result{State: Done, Text: fmt.Sprintf("a %s is in progress", run.Action)}, true, nil
	}
	run.Seen = r.now
	return Result{}, false, nil
}

// begin records a run before anything of it is made. A proof that cannot begin has failed;
// a fill is refused.
func (r *reconcile) begin(ctx context.Context) (Result, error) {
	run := &Run{ID: r.id, Action: r.req.Action, Execution: r.execution, Started: r.now, Seen: r.now}
	from := r.seen.Newest
	if run.Action == Fill {
		from = r.seen.Source
	}
	switch why := Blocked(r.Config, run.Action, r.seen); {
	case why != "" && run.Action == Fill:
		return Result{}, refuse("environment %s cannot be filled: %s", r.Config.Environment, why)
	case why != "":
		run.Failure = why
	default:
		run.Snapshot, run.Taken = from.ID, from.Taken
		if run.Action == Fill {
			run.Former = r.seen.Target.Resource
		}
	}
	r.rec.Run, r.rec.Postponed = run, r.rec.Postponed && run.Action != Prove
	r.Log.InfoContext(ctx, "run begun", "run", run.ID, "action", run.Action, "snapshot", run.Snapshot)
	return Result{State: Waiting, Wait: 1, Text: "begun"}, r.save(ctx)
}

// step carries out what is planned.
func (r *reconcile) step(ctx context.Context, s Step) (Result, error) {
	run := r.rec.Run
	switch {
	case run == nil && s.Fail != "":
		return r.stuck(ctx, s.Fail)
	case run == nil && s.End:
		r.measure()
		r.rec.Notified = ""
		return Result{State: Done, Text: "nothing is left behind"}, r.save(ctx)
	case s.End:
		return r.finish(ctx)
	case s.Fail != "":
		return r.failed(ctx, s.Fail)
	case s.Do == Nothing && r.overdue():
		return r.stuck(ctx, s.Wait)
	}
	if s.Do == Restore && run.Restored.IsZero() {
		run.Restored = r.now
	}
	if err := r.save(ctx); err != nil { // whoever may not write may not change anything
		return Result{}, err
	}
	if s.Do == Nothing {
		return Result{State: Waiting, Wait: seconds(interval), Text: s.Wait}, nil
	}
	if s.Do == Verify {
		return r.verified(ctx, s)
	}
	return r.applied(ctx, s, r.apply(ctx, s, run, r.seen))
}

// overdue reports whether what is left of the run, such as deletions, takes too long.
func (r *reconcile) overdue() bool {
	run := r.rec.Run
	return run != nil && (run.Failure != "" || run.served()) && r.now.Sub(run.Started) > runLimit+undoLimit && r.now.Sub(run.Changed) > undoLimit
}

// applied is what follows a change: time for it, or the end of the run.
func (r *reconcile) applied(ctx context.Context, s Step, err error) (Result, error) {
	text := string(s.Do) + " " + s.ID
	if s.Instance != nil {
		text = string(s.Do) + " " + s.Instance.ID
	}
	run, waiting := r.rec.Run, Result{State: Waiting, Wait: seconds(interval), Text: text}
	var e unfitError
	switch kind := fault.Of(err); {
	case err == nil:
		r.Log.InfoContext(ctx, "changed", "change", s.Do, "instance", text, "to", s.To)
		if run == nil {
			return waiting, nil
		}
		run.Settled, run.Changed, run.Trouble = run.Settled || s.Do == Settle, r.now, ""
		return waiting, r.save(ctx)
	case errors.As(err, &e), !fault.MayPass(err) && (kind != fault.NotFound || s.Do == Restore):
		return r.failed(ctx, reason(err))
	case kind != fault.Busy && kind != fault.Conflict && kind != fault.NotFound: // the state machine calls again, for a while
		return Result{}, errors.Join(err, r.troubled(ctx, err))
	case r.overdue():
		return r.stuck(ctx, reason(err))
	}
	// It is changing, or was made before.
	r.Log.InfoContext(ctx, "not yet", "change", s.Do, "instance", text, "error", err)
	return waiting, r.troubled(ctx, err)
}

// troubled records why a change cannot be made now: the reason, if the run fails of it.
func (r *reconcile) troubled(ctx context.Context, err error) error {
	run := r.rec.Run
	if run == nil || run.Trouble == reason(err) {
		return nil
	}
	run.Trouble = reason(err)
	return r.save(ctx)
}

// verified records what the checks have found.
func (r *reconcile) verified(ctx context.Context, s Step) (Result, error) {
	run := r.rec.Run
	results, err := r.verify(ctx, s.Instance, run.Taken, r.mayBeEmpty())
	now := r.Now()
	var e unfitError
	switch {
	case err == nil && s.Accept:
		run.Accepted, run.Silent = true, time.Time{}
	case err == nil:
		run.Passed, run.Seconds, run.Silent = results, seconds(now.Sub(run.Restored)), time.Time{}
	case errors.As(err, &e), refused(err), fault.Is(err, fault.Denied), fault.Is(err, fault.Invalid):
		return r.failed(ctx, reason(err))
	case run.Silent.IsZero():
		run.Silent = now
	case now.Sub(run.Silent) > answerLimit:
		return r.failed(ctx, fmt.Sprintf("the database does not answer for %s: %v", answerLimit, err))
	}
	if err != nil {
		r.Log.WarnContext(ctx, "database does not answer", "instance", s.Instance.ID, "error", err)
		return Result{State: Waiting, Wait: seconds(interval), Text: "the database does not answer yet"}, r.save(ctx)
	}
	return Result{State: Waiting, Wait: 1, Text: "checked " + s.Instance.ID}, r.save(ctx)
}

// failed has the run undone from now on. What fails while it is undone is for operators.
func (r *reconcile) failed(ctx context.Context, why string) (Result, error) {
	run := r.rec.Run
	if run == nil || run.Failure != "" || run.served() {
		return r.stuck(ctx, why)
	}
	r.Log.ErrorContext(ctx, "run failed", "run", run.ID, "action", run.Action, "reason", why)
	run.Failure = run.because(why)
	return Result{State: Waiting, Wait: 1, Text: why}, r.save(ctx)
}

// unobserved is what follows when RDS cannot be read.
func (r *reconcile) unobserved(ctx context.Context, err error) (Result, error) {
	if r.req.Action == Status || fault.MayPass(err) {
		return Result{}, err
	}
	return r.stuck(ctx, reason(err))
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// requestID is what differs between two errors of the same reason.
var requestID = regexp.MustCompile(`RequestID: [^,]*, `)

// reason is an error for operators: with what to allow, if that is it. The same reason is the
// same text.
func reason(err error) string {
	text := requestID.ReplaceAllString(err.Error(), "")
	if fault.Is(err, fault.Denied) {
		text += ". " + fault.AllowRemedy(err)
	}
	return text
}
