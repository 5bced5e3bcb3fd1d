package drain

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"deployhooks/pkg/fault"
)

// sendLimit is how many instances SendCommand takes (AWS Systems Manager API
// Reference).
const sendLimit = 50

// minDelivery is the shortest time that SendCommand lets a command wait for its
// instance, in seconds (AWS Systems Manager API Reference).
const minDelivery = 30

// commandComment begins the comments of all commands that drains send, of whichever
// installation.
const commandComment = "deployhooks drain "

// batch is one command for several instances.
type batch struct {
	shutdown Shutdown
	timeout  time.Duration
	key      string
	work     []*work
}

// batchesOf puts commands that are alike together.
func batchesOf(all []work, now time.Time) (batches []batch) {
	type kind struct {
		Shutdown
		timeout time.Duration
	}
	alike := map[kind][]*work{}
	for i := range all {
		if s := all[i].step; s.Send != (Shutdown{}) {
			k := kind{s.Send, s.Timeout}
			alike[k] = append(alike[k], &all[i])
		}
	}
	for k, work := range alike {
		for chunk := range slices.Chunk(work, sendLimit) {
			batches = append(batches, batch{k.Shutdown, k.timeout, commandKey(chunk, now), chunk})
		}
	}
	return batches
}

// commandKey marks a command in its comment, which is how it is found again.
func commandKey(work []*work, now time.Time) string {
	hash := sha256.New()
	for _, w := range work {
		fmt.Fprintln(hash, w.drain.Instance, w.item.Version, now.UnixNano())
	}
	return commandComment + hex.EncodeToString(hash.Sum(nil)[:16])
}

// send sends the shutdown commands that were reserved.
func (r *applying) send(ctx context.Context, batches []batch) {
	each(ctx, batches, func(ctx context.Context, b batch) {
		b.work = slices.DeleteFunc(b.work, func(w *work) bool { return w.lost || w.unsaved })
		if len(b.work) > 0 {
			r.sendBatch(ctx, b)
		}
	})
}

// sendBatch sends one command to several instances. SSM refuses all of them for one
// that it does not know, so then each half is tried apart.
func (r *applying) sendBatch(ctx context.Context, b batch) {
	seconds := int32(b.timeout / time.Second)
	in := &ssm.SendCommandInput{
		DocumentName: &b.shutdown.Document, Comment: &b.key, TimeoutSeconds: aws.Int32(max(minDelivery, seconds)),
	}
	if b.shutdown.Commands != "" {
		in.Parameters = map[string][]string{
			"commands": strings.Split(b.shutdown.Commands, "\n"), "executionTimeout": {strconv.Itoa(int(seconds))},
		}
	}
	for _, w := range b.work {
		in.InstanceIds = append(in.InstanceIds, w.drain.Instance)
	}
	// Without the SDK's retries: SSM takes no token that would tell the second
	// request of a command from a second command.
	out, err := r.clients.Commands.SendCommand(ctx, in, func(o *ssm.Options) { o.Retryer = aws.NopRetryer{} })
	var unknown *ssmtypes.InvalidInstanceId
	if errors.As(err, &unknown) && len(b.work) > 1 {
		half := len(b.work) / 2
		first, second := b, b
		first.work, second.work = b.work[:half], b.work[half:]
		r.sendBatch(ctx, first)
		r.sendBatch(ctx, second)
		return
	}
	for _, w := range b.work {
		r.note(w, func(d *did) {
			switch {
			case err == nil:
				d.command.ID = aws.ToString(out.Command.CommandId)
			case errors.As(err, &unknown):
				d.command.Over, d.command.Status, d.command.Output = true, "InvalidInstanceId", fault.Message(err)
			case fault.Is(err, fault.Denied), fault.Is(err, fault.Invalid):
				d.command.Over, d.command.Status, d.errs = true, notSent, append(d.errs, err)
				d.command.Output = fault.Message(err)
			case fault.Is(err, fault.Throttled):
				*d.command = Command{} // it was not sent; the next tick does
			default:
				// It may have been sent all the same; the next tick finds out.
				d.errs = append(d.errs, err)
			}
		})
	}
}

// sentSince lists the drain commands that SSM has since an instant, by instance.
func (r *Drainer) sentSince(ctx context.Context, since time.Time) (map[string][]SentCommand, error) {
	found := map[string][]SentCommand{}
	pages := ssm.NewListCommandsPaginator(r.clients.Commands, &ssm.ListCommandsInput{
		Filters:    []ssmtypes.CommandFilter{{Key: ssmtypes.CommandFilterKeyInvokedAfter, Value: aws.String(since.Add(-time.Minute).UTC().Format(time.RFC3339))}},
		MaxResults: aws.Int32(50),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list commands: %w", err)
		}
		for _, c := range page.Commands {
			key := aws.ToString(c.Comment)
			if !strings.HasPrefix(key, commandComment) {
				continue
			}
			for _, instance := range c.InstanceIds {
				found[instance] = append(found[instance], SentCommand{aws.ToString(c.CommandId), key, aws.ToTime(c.RequestedDateTime)})
			}
		}
	}
	return found, nil
}

// askResults reads how the commands stand that were sent.
func (q *questions) askResults(ctx context.Context, drains []Drain) {
	sent := map[string]bool{}
	for _, d := range drains {
		if c := d.Command; c.ID != "" && !c.Over {
			sent[c.ID] = true
		}
	}
	each(ctx, slices.Collect(maps.Keys(sent)), func(ctx context.Context, id string) {
		results, err := q.r.results(ctx, id)
		keep(q, aboutCommand, id, err, q.o.Commands, results)
	})
}

// results reads how a command stands on all its instances.
func (r *Drainer) results(ctx context.Context, id string) (map[string]Result, error) {
	found := map[string]Result{}
	pages := ssm.NewListCommandInvocationsPaginator(r.clients.Commands, &ssm.ListCommandInvocationsInput{CommandId: &id, Details: true, MaxResults: aws.Int32(50)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list invocations of command %s: %w", id, err)
		}
		for _, i := range page.CommandInvocations {
			found[aws.ToString(i.InstanceId)] = resultFrom(i)
		}
	}
	return found, nil
}

// under are the statuses of a command that is not over ("Understanding command
// statuses", AWS Systems Manager User Guide).
var under = []ssmtypes.CommandInvocationStatus{
	ssmtypes.CommandInvocationStatusPending, ssmtypes.CommandInvocationStatusInProgress,
	ssmtypes.CommandInvocationStatusDelayed, ssmtypes.CommandInvocationStatusCancelling,
}

// outputLimit is how much of a command's output is kept, in bytes.
const outputLimit = 1000

func resultFrom(i ssmtypes.CommandInvocation) Result {
	var output strings.Builder
	for _, p := range i.CommandPlugins {
		output.WriteString(aws.ToString(p.Output))
	}
	return Result{
		// The details tell "DeliveryTimedOut" from "ExecutionTimedOut".
		Status: cmp.Or(aws.ToString(i.StatusDetails), string(i.Status)),
		Over:   !slices.Contains(under, i.Status),
		Output: strings.ToValidUTF8(output.String()[:min(output.Len(), outputLimit)], ""),
	}
}

// askSent lists the drain commands that SSM has, where a drain may be about to send
// one, or does not know whether it has: another installation, or a function that
// died, may have sent it.
func (q *questions) askSent(ctx context.Context, drains []Drain) {
	since := time.Time{}
	for _, d := range drains {
		if d.mayCommand(q.r.cfg, q.o) && (since.IsZero() || d.Since.Before(since)) {
			since = d.Since
		}
	}
	if since.IsZero() {
		return
	}
	sent, err := q.r.sentSince(ctx, since)
	q.note(aboutSent, "", err, func(o *Observation) { o.Sent = sent })
}
