package backup

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/notice"
)

// Names of the metrics, whose one dimension is Environment; ages are in hours.
const (
	AgeOfProof   = "AgeOfProof"
	ProofSeconds = "ProofSeconds"
	BackupAge    = "BackupAgeHours"
	// Counts, 1 for each.
	ProofFailed = "ProofFailed"
	FillFailed  = "FillFailed"
	Stuck       = "BackupsStuck"
)

func one(metric string) notice.Value { return notice.Value{Name: metric, Unit: "Count", Value: 1} }

// measure counts ages, which grow without any run.
func (r *reconcile) measure(more ...notice.Value) {
	values := append(more, notice.Value{Name: AgeOfProof, Value: r.rec.ageOfProof(r.now).Hours()})
	switch newest, t := r.seen.Newest, r.seen.Target; {
	case newest != nil:
		values = append(values, notice.Value{Name: BackupAge, Value: r.now.Sub(newest.Taken).Hours()})
	case t != nil: // as if it were of the moment when the instance was created
		values = append(values, notice.Value{Name: BackupAge, Value: r.now.Sub(t.Created).Hours()})
	}
	r.Notices.Measure(r.Config.Environment, values...)
}

// finish ends a run of which nothing is left behind: it measures and notifies, and then
// records it. A function that ends in between does it again.
func (r *reconcile) finish(ctx context.Context) (Result, error) {
	run := r.rec.Run
	end := &End{ID: run.ID, Action: run.Action, At: r.now, Failure: run.Failure}
	outcome := string(run.Action) + "-failed"
	switch {
	case run.Failure != "" && r.seen.Target != nil && r.seen.Target.Run == run.ID: // see planUndo
		end.Text = fmt.Sprintf("The %s of environment %s has failed: %s.\n\nThe former instance does not exist any more; %s has what the snapshot %s held, and perhaps the master password that it had then.",
			run.Action, r.Config.Environment, run.Failure, r.Config.Instance, run.Snapshot)
		r.measure(one(FillFailed))
	case run.Failure != "":
		end.Text = fmt.Sprintf("The %s of environment %s has failed: %s.\n\nNothing of it is left behind.", run.Action, r.Config.Environment, run.Failure)
		failed := ProofFailed
		if run.Action == Fill {
			failed = FillFailed
		}
		r.measure(one(failed))
	case run.Action == Fill:
		outcome = "filled"
		end.Text = fmt.Sprintf("Environment %s has the data of the snapshot %s of %s, taken %s. The former instance is deleted; its automated backups are retained for their retention period.",
			r.Config.Environment, run.Snapshot, r.Config.FillFrom, run.Taken.UTC().Format(time.RFC3339))
		r.measure()
	default:
		outcome = "proven"
		r.rec.Proof = &Proof{At: r.now, Snapshot: run.Snapshot, Taken: run.Taken, Seconds: run.Seconds, Checks: run.Passed}
		end.Text = fmt.Sprintf("The snapshot %s of environment %s was restored and has passed its checks within %d s.", run.Snapshot, r.Config.Environment, run.Seconds)
		if r.rec.Proof.empty() {
			end.Text += " It has no table yet: from a week after the instance was created, a proof fails of that."
		}
		r.measure(notice.Value{Name: ProofSeconds, Unit: "Seconds", Value: float64(run.Seconds)})
	}
	if run.Failure != "" || run.Action == Fill {
		if err := r.publish(ctx, outcome, end.Text, run.Failure != ""); err != nil {
			return Result{}, err
		}
	}
	r.Notices.Count(outcome)
	r.rec.Run, r.rec.Last, r.rec.Notified = nil, end, ""
	result := end.result()
	if end.ID != r.id { // the execution's own task is yet to be done
		result = Result{State: Waiting, Wait: 1, Text: end.Text}
	}
	return result, r.save(ctx)
}

// stuck notifies operators, once, of what cannot be put right without them. The sweep tries
// again.
func (r *reconcile) stuck(ctx context.Context, why string) (Result, error) {
	if r.rec.Notified != why {
		text := fmt.Sprintf("The backups of environment %s need an operator: %s.\n\nThe function tries again with each sweep. Invoke it with {\"action\":\"status\"} to see what is there.", r.Config.Environment, why)
		if err := r.publish(ctx, "stuck", text, true); err != nil {
			return Result{}, err
		}
		r.Notices.Count("stuck")
	}
	r.measure(one(Stuck))
	r.rec.Notified = why
	if r.rec.Run != nil {
		r.rec.Run.Seen = time.Time{} // whoever comes next may take it over
	}
	return Result{State: Failed, Text: why}, r.save(ctx)
}

func (r *reconcile) publish(ctx context.Context, outcome, text string, action bool) error {
	detail, err := json.Marshal(map[string]any{"environment": r.Config.Environment, "instance": r.Config.Instance, "outcome": outcome, "run": r.rec.Run})
	if err != nil {
		return err
	}
	err = r.Notices.Publish(ctx, notice.Notice{ActionRequired: action, Subject: fmt.Sprintf("Backups of %s: %s", r.Config.Environment, outcome), Text: text, Detail: detail})
	if err != nil && !fault.MayPass(err) { // those who can be reached were notified of it
		r.Log.ErrorContext(ctx, "notification failed", "error", err)
		return nil
	}
	return err
}

// result is the answer of the execution whose run it was.
func (e End) result() Result {
	if e.Failure != "" {
		return Result{State: Failed, Text: e.Text}
	}
	return Result{State: Done, Text: e.Text}
}

// Report is the answer to [Status].
type Report struct {
	Environment string `json:"environment"`
	Instance    string `json:"instance"`
	// Status is the instance's; empty if there is none.
	Status       string    `json:"status"`
	NewestBackup string    `json:"newestBackup,omitempty"`
	Taken        time.Time `json:"taken,omitzero"`
	// AgeOfProof is in hours.
	AgeOfProof float64 `json:"ageOfProof"`
	Proof      *Proof  `json:"proof,omitempty"`
	Run        *Run    `json:"run,omitempty"`
	Last       *End    `json:"last,omitempty"`
	// Instances are the restored and former ones that exist.
	Instances []string `json:"instances"`
	// Next is what the next reconcile would do.
	Next string `json:"next"`
}

func (r *reconcile) report() *Report {
	p := &Report{
		Environment: r.Config.Environment, Instance: r.Config.Instance, AgeOfProof: r.rec.ageOfProof(r.now).Hours(),
		Proof: r.rec.Proof, Run: r.rec.Run, Last: r.rec.Last, Instances: []string{},
	}
	if r.seen.Target != nil {
		p.Status = r.seen.Target.Status
	}
	if n := r.seen.Newest; n != nil {
		p.NewestBackup, p.Taken = n.ID, n.Taken
	}
	for _, i := range []*Instance{r.seen.Proof, r.seen.Fill, r.seen.Former} {
		if i != nil {
			p.Instances = append(p.Instances, i.ID+" "+i.Status)
		}
	}
	if r.due() {
		p.Next = string(Prove)
		return p
	}
	s := Plan(r.Config, r.rec.Run, r.seen, r.now)
	p.Next = cmp.Or(s.Fail, s.Wait, string(s.Do), "nothing")
	return p
}
