package intake

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/registry"
)

// Report is what an operation's notification says to machines.
type Report struct {
	Tenant    string                  `json:"tenant"`
	Operation string                  `json:"operation"`
	Kind      registry.OperationKind  `json:"kind"`
	Outcome   registry.OperationState `json:"outcome"`
	// Request is the ID by which its sender knows it.
	Request string `json:"request,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	// Reason is a sentence; Faults are those of a rejected request, and Failed the steps that failed.
	Reason string           `json:"reason,omitempty"`
	Faults []registry.Fault `json:"faults,omitempty"`
	Failed []FailedStep     `json:"failed,omitempty"`
	// NotBefore is when a delayed removal begins.
	NotBefore time.Time `json:"notBefore,omitzero"`
	// Hosts are the tenant's, and Seconds is how long the operation took.
	Hosts   []string `json:"hosts,omitempty"`
	Seconds int      `json:"seconds,omitempty"`
}

// FailedStep is a step that failed, and why.
type FailedStep struct {
	Step   string `json:"step"`
	Error  string `json:"error"`
	Remedy string `json:"remedy,omitempty"`
}

// notify sends what is due of an operation's notifications. What cannot be sent stays in the ledger,
// which keeps the operation open for the sweep.
func (i *Intake) notify(ctx context.Context, op registry.Operation) {
	for _, due := range op.Ledger.Due(i.now()) {
		err := i.publish(ctx, op, due)
		if err != nil {
			i.log.ErrorContext(ctx, "notification not sent", "tenant", op.Tenant, "operation", op.ID, "matter", due.Matter, "error", err)
		}
		err = i.Registry.Update(ctx, op.Tenant, func(tx *registry.Tx) error {
			now, readErr := tx.Operation(op.ID)
			if readErr != nil || now.ID == "" {
				return readErr
			}
			if err == nil {
				now.Ledger = now.Ledger.Delivered(due.Matter)
			} else { // of whatever kind: somebody may allow it, or make the topic anew
				now.Ledger = now.Ledger.Failed(due.Matter, tx.Now())
			}
			return tx.Put(now)
		})
		if err != nil {
			i.log.ErrorContext(ctx, "notification not recorded", "tenant", op.Tenant, "operation", op.ID, "matter", due.Matter, "error", err)
		}
	}
}

func (i *Intake) publish(ctx context.Context, op registry.Operation, due notice.Entry[registry.Matter]) error {
	report := Report{
		Tenant: op.Tenant, Operation: op.ID, Kind: op.Kind, Outcome: due.Notice.State, Request: op.Request, Attempt: due.Notice.Attempt,
		Faults: op.Faults, Hosts: op.Hosts,
	}
	if report.Outcome == op.State { // else the operation is further than its notification
		report.Reason = op.Reason
	}
	if report.Outcome == registry.Delayed {
		report.NotBefore = op.NotBefore
	}
	if !op.Started.IsZero() {
		report.Seconds = int(due.Notice.At.Sub(op.Started) / time.Second)
	}
	if report.Outcome == registry.Held {
		v, err := i.Registry.View(ctx, op.Tenant)
		if err != nil {
			return err
		}
		report.Failed = failed(v, op.ID)
	}
	if due.Tries == 0 {
		i.Notices.Count(report.outcome())
		i.log.InfoContext(ctx, "operation changed", "tenant", op.Tenant, "operation", op.ID, "state", string(report.Outcome), "seconds", report.Seconds)
	}
	detail, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encode notification: %w", err)
	}
	return i.Notices.Publish(ctx, notice.Notice{
		ActionRequired: report.Outcome == registry.Held, Subject: report.subject(), Text: report.text(), Detail: detail, Tries: due.Tries,
	})
}

// failed are the steps that failed in an operation.
func failed(v registry.View, operation string) (all []FailedStep) {
	for _, s := range v.Steps {
		if s.State != registry.StepFailed || s.Operation != operation {
			continue
		}
		f := FailedStep{Step: s.Name}
		if s.Error != nil {
			f.Error, f.Remedy = s.Error.Text, s.Error.Remedy
		}
		all = append(all, f)
	}
	return all
}

// outcome is the metric's dimension, such as "launch-succeeded".
func (r Report) outcome() string {
	if r.Kind == "" {
		return string(r.Outcome)
	}
	return string(r.Kind) + "-" + string(r.Outcome)
}

func (r Report) subject() string {
	kind := r.Kind
	if kind == "" {
		kind = "request"
	}
	return fmt.Sprintf("%s of tenant %s: %s", kind, r.Tenant, r.Outcome)
}

func (r Report) text() string {
	var b strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&b, format+"\n", arguments...) }
	line("%s (operation %s).", r.subject(), r.Operation)
	if r.Reason != "" {
		line("Reason: %s.", strings.TrimSuffix(r.Reason, "."))
	}
	for _, f := range r.Failed {
		line("Step %s failed: %s. %s", f.Step, f.Error, f.Remedy)
	}
	switch r.Outcome {
	case registry.Rejected:
		line("Request %s was not accepted. Nothing was changed. Send it again under another ID, corrected or when the cause is gone:", r.Request)
		for _, f := range r.Faults {
			line("  %s %s", f.Path, f.Fault)
		}
	case registry.Delayed:
		line("It begins at %s. Until then it can be cancelled:\n  %s", r.NotBefore.UTC().Format(time.RFC3339), invocation("cancel", r.Tenant))
	case registry.Held:
		line("What is done stays. When the cause is gone, run the rest:\n  %s", invocation("retry", r.Tenant))
		if r.Kind != registry.Remove {
			line("Or end the operation:\n  %s", invocation("abandon", r.Tenant))
		}
	case registry.Succeeded:
		line("It took %d seconds.", r.Seconds)
		if len(r.Hosts) > 0 && r.Kind != registry.Remove {
			line("Hosts: %s", strings.Join(r.Hosts, ", "))
		}
	}
	return b.String()
}

// invocation is the payload of an operator's direct invocation.
func invocation(action, tenant string) string {
	return fmt.Sprintf(`{"action":%q,"tenant":%q}`, action, tenant)
}
