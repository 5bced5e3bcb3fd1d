package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// recorder records one release.
type recorder struct {
	options
	groups      *autoscaling.Client
	deployments *codedeploy.Client
	balancers   *elbv2.Client
	trail       *cloudtrail.Client
	buses       *eventbridge.Client
	queues      *sqs.Client

	out   io.Writer
	now   func() time.Time
	wait  func(context.Context, time.Duration) error
	again func() (context.Context, context.CancelFunc) // a context for what comes after an interrupt

	name      string // of the temporary queue and rule
	begin     time.Time
	last      map[string]string // what was answered last, by call and subject
	timeline  []entry
	redact    *redactor
	seen      seen
	unreached map[string]bool // calls whose failure is on the terminal already
}

// entry is one line of the timeline, with what was recorded.
type entry struct {
	at   time.Time
	file string // without number and extension
	text string
	body []byte // JSON as AWS has it
}

func newRecorder(cfg aws.Config, o options, out io.Writer) *recorder {
	return &recorder{
		options: o,
		groups:  autoscaling.NewFromConfig(cfg), deployments: codedeploy.NewFromConfig(cfg), balancers: elbv2.NewFromConfig(cfg),
		trail: cloudtrail.NewFromConfig(cfg), buses: eventbridge.NewFromConfig(cfg), queues: sqs.NewFromConfig(cfg),
		out: out, now: time.Now, wait: wait,
		again: func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) },
		name:  "deployhooks-record-" + strings.ToLower(rand.Text()[:8]),
		last:  map[string]string{}, redact: newRedactor(o.words), unreached: map[string]bool{},
	}
}

// cleanUpTime bounds the making, and the removal, of the queue and the rule, which an
// interrupt must not cut off.
const cleanUpTime = time.Minute

// record records until ctx ends or the time is up, and writes what there is.
func (r *recorder) record(ctx context.Context) (err error) {
	r.begin = r.now()
	if err := r.poll(ctx); err != nil { // before anything is made: names may be wrong
		return err
	}
	if err := os.MkdirAll(r.folder, 0o700); err != nil { // hours later it would be too late
		return err
	}
	// An interrupt must not leave a queue whose name did not arrive.
	making, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	queue, err := r.subscribe(making)
	if err == nil {
		r.say("Recording %s/%s every %v. Start the release; press Ctrl-C when it is over and the blue instances are gone.", r.application, r.deploymentGroup, r.every)
		err = r.watch(ctx, queue)
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	err = errors.Join(err, r.unsubscribe(clean, queue))
	if r.options.trail > 0 && err == nil {
		r.lookUp()
	}
	if len(r.timeline) == 0 {
		return err
	}
	files, writeErr := r.write()
	if writeErr == nil {
		r.say("%d recordings are in %s. Read them before you pass them on.", files, filepath.Clean(r.folder))
	}
	return errors.Join(err, writeErr)
}

// watch asks AWS again and again until it is over.
func (r *recorder) watch(ctx context.Context, queue string) error {
	for r.now().Sub(r.begin) < r.most {
		if r.wait(ctx, r.every) != nil {
			break // an interrupt is how a recording ends
		}
		if err := errors.Join(r.poll(ctx), r.receive(ctx, queue)); err != nil && ctx.Err() == nil {
			r.unreachable(err)
		}
	}
	// What was sent until now is still to be received.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	return r.receive(last, queue)
}

// requestID differs each time.
var requestID = regexp.MustCompile(`RequestID: [^,]*`)

// unreachable says once what fails; the next poll may succeed.
func (r *recorder) unreachable(err error) {
	if text := requestID.ReplaceAllString(err.Error(), ""); !r.unreached[text] {
		r.unreached[text] = true
		r.say("  failed, and tried again: %v", err)
	}
}

// note keeps what was recorded.
func (r *recorder) note(at time.Time, file, text string, body []byte) {
	r.timeline = append(r.timeline, entry{at, file, text, body})
	r.say("  %s  %s", r.since(at), text)
}

// answer keeps an answer, unless it is the one before.
func (r *recorder) answer(service, operation, subject string, out any) error {
	body, err := json.Marshal(out)
	if err != nil {
		return fmt.Errorf("keep the answer of %s: %w", operation, err)
	}
	call := service + "-answer-" + kebab(operation)
	if key := call + " " + subject; r.last[key] != string(body) {
		r.last[key] = string(body)
		r.note(r.now(), call, operation+" "+subject, body)
	}
	return nil
}

// since is how long after the beginning something was.
func (r *recorder) since(at time.Time) string {
	d := at.Sub(r.begin).Round(time.Second)
	sign := "+"
	if d < 0 {
		sign, d = "-", -d
	}
	return fmt.Sprintf("%s%02d:%02d:%02d", sign, int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60)
}

func (r *recorder) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

// kebab is a name of AWS's in small letters with hyphens.
func kebab(name string) string {
	var b strings.Builder
	for i, c := range name {
		upper := c >= 'A' && c <= 'Z'
		switch {
		case upper && i > 0:
			b.WriteByte('-')
			fallthrough
		case upper:
			b.WriteRune(c + 'a' - 'A')
		case c == ' ' || c == '_' || c == '/':
			b.WriteByte('-')
		default:
			b.WriteRune(c)
		}
	}
	return strings.ReplaceAll(b.String(), "--", "-")
}
