package drain

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/fault"
)

// sendLimit is how many instances SendCommand takes (AWS Systems Manager API
// Reference).
const sendLimit = 50

// minDelivery is the shortest time that SendCommand lets a command wait for its
// instance, in seconds (AWS Systems Manager API Reference).
const minDelivery = 30

// send sends the shutdown command to the instances of these drains. That it is
// about to be sent is written first, so that of several who would send it one
// does: whoever fails to write it lets it be. The error is that it could not be
// written.
func (r *Drainer) send(ctx context.Context, drains []*Drain, o *Observed) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	alike := map[shutdown][]*Drain{}
	for _, d := range drains {
		command := r.cfg.shutdown(o.tags(*d))
		alike[command] = append(alike[command], d)
	}
	var round errgroup.Group
	round.SetLimit(concurrency)
	for command, drains := range alike {
		for chunk := range slices.Chunk(drains, sendLimit) {
			round.Go(func() error {
				key := commandKey(chunk, o.Now)
				won, err := r.reserve(ctx, key, chunk, o.Now)
				r.sendTo(ctx, command, key, won)
				return err
			})
		}
	}
	return round.Wait()
}

// reserve writes that the command with this key is about to be sent to these
// drains' instances, and returns those of which that is certain. With an error it
// is of none: it may have been written, so the command must not be sent.
func (r *Drainer) reserve(ctx context.Context, key string, drains []*Drain, now time.Time) (won []*Drain, err error) {
	for _, d := range drains {
		d.Command = Command{Key: key, Asked: now}
	}
	lost, err := r.drains.save(ctx, drains)
	if err != nil {
		lost = drains
	}
	for _, d := range lost {
		d.changed, d.lost = false, true
	}
	return slices.DeleteFunc(slices.Clone(drains), func(d *Drain) bool { return d.lost }), err
}

// sendTo sends one command to several instances. SSM refuses all of them for
// one that it does not know, so then each half is tried apart.
func (r *Drainer) sendTo(ctx context.Context, command shutdown, key string, drains []*Drain) {
	if len(drains) == 0 {
		return
	}
	in := &ssm.SendCommandInput{
		DocumentName:   &command.Document,
		Comment:        aws.String(key),
		TimeoutSeconds: aws.Int32(max(minDelivery, int32(r.cfg.CommandTimeout/time.Second))),
	}
	if command.Lines != "" {
		in.Parameters = map[string][]string{
			"commands":         strings.Split(command.Lines, "\n"),
			"executionTimeout": {strconv.Itoa(int(r.cfg.CommandTimeout / time.Second))},
		}
	}
	for _, d := range drains {
		in.InstanceIds = append(in.InstanceIds, d.Instance)
	}
	// Without the SDK's retries: SSM takes no token that would tell the second
	// request of a command from a second command.
	out, err := r.clients.Commands.SendCommand(ctx, in, func(o *ssm.Options) { o.Retryer = aws.NopRetryer{} })
	var unknown *ssmtypes.InvalidInstanceId
	switch {
	case err == nil:
		for _, d := range drains {
			d.Command.ID, d.changed = aws.ToString(out.Command.CommandId), true
		}
	case errors.As(err, &unknown) && len(drains) > 1:
		half := len(drains) / 2
		r.sendTo(ctx, command, key, drains[:half])
		r.sendTo(ctx, command, key, drains[half:])
	case fault.Of(err) == fault.Denied, fault.Of(err) == fault.Invalid:
		for _, d := range drains {
			d.Command.Over, d.Command.Status, d.changed = true, "not sent: "+fault.Message(err), true
			d.trouble = err
		}
	case fault.Throttled(err):
		for _, d := range drains { // it was not sent; the next look does
			d.Command, d.changed, d.trouble = Command{}, true, err
		}
	default:
		// It may have been sent all the same; the next look finds out.
		for _, d := range drains {
			d.trouble = err
		}
	}
}

// commandKey marks a command in its Comment, which is how it is found again. It
// is the same for the same drains at the same look.
func commandKey(drains []*Drain, now time.Time) string {
	hash := sha256.New()
	for _, d := range drains {
		fmt.Fprintln(hash, d.Instance, d.Version, now.UnixNano())
	}
	return "deployhooks drain " + hex.EncodeToString(hash.Sum(nil)[:16])
}

// sentSince finds the commands that SSM has from this function since an
// instant: by key and instance, the command's ID.
func (r *Drainer) sentSince(ctx context.Context, since time.Time) (map[string]map[string]string, error) {
	found := map[string]map[string]string{}
	in := &ssm.ListCommandsInput{
		Filters:    []ssmtypes.CommandFilter{{Key: ssmtypes.CommandFilterKeyInvokedAfter, Value: aws.String(since.Add(-time.Minute).UTC().Format(time.RFC3339))}},
		MaxResults: aws.Int32(50),
	}
	for more := true; more; more = aws.ToString(in.NextToken) != "" {
		out, err := r.clients.Commands.ListCommands(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, c := range out.Commands {
			key := aws.ToString(c.Comment)
			if found[key] == nil {
				found[key] = map[string]string{}
			}
			for _, instance := range c.InstanceIds {
				found[key][instance] = aws.ToString(c.CommandId)
			}
		}
		in.NextToken = out.NextToken
	}
	return found, nil
}

// results reads how a command stands on all its instances.
func (r *Drainer) results(ctx context.Context, id string) (map[string]Result, error) {
	found := map[string]Result{}
	in := &ssm.ListCommandInvocationsInput{CommandId: &id, Details: true, MaxResults: aws.Int32(50)}
	for more := true; more; more = aws.ToString(in.NextToken) != "" {
		out, err := r.clients.Commands.ListCommandInvocations(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, i := range out.CommandInvocations {
			found[aws.ToString(i.InstanceId)] = resultFrom(i)
		}
		in.NextToken = out.NextToken
	}
	return found, nil
}

// under are the statuses of a command that is not over ("Understanding command
// statuses", AWS Systems Manager User Guide).
var under = map[ssmtypes.CommandInvocationStatus]bool{
	ssmtypes.CommandInvocationStatusPending: true, ssmtypes.CommandInvocationStatusInProgress: true,
	ssmtypes.CommandInvocationStatusDelayed: true, ssmtypes.CommandInvocationStatusCancelling: true,
}

// outputLimit is how much of a command's output is kept, in bytes.
const outputLimit = 1000

func resultFrom(i ssmtypes.CommandInvocation) Result {
	var output strings.Builder
	for _, p := range i.CommandPlugins {
		output.WriteString(aws.ToString(p.Output))
	}
	text := strings.ToValidUTF8(output.String()[:min(output.Len(), outputLimit)], "")
	return Result{
		// The details tell "DeliveryTimedOut" from "ExecutionTimedOut".
		Status: cmp.Or(aws.ToString(i.StatusDetails), string(i.Status)),
		Over:   !under[i.Status],
		Output: text,
	}
}
