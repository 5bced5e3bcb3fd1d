package invoke_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"deployhooks/events"
	"deployhooks/pkg/event"
	"deployhooks/pkg/fault"
	"deployhooks/pkg/invoke"
)

// domain records what reaches it and answers as configured.
type domain struct {
	handled  []event.Message
	calls    int
	fail     map[string]error // by the deployment's or instance's ID
	results  func([]event.Message) []error
	answer   any
	err      error
	requests []string
}

func (d *domain) Handle(_ context.Context, messages []event.Message) []error {
	d.calls++
	d.handled = append(d.handled, messages...)
	if d.results != nil {
		return d.results(messages)
	}
	errs := make([]error, len(messages))
	for i, m := range messages {
		errs[i] = d.fail[subject(m.Event)]
	}
	return errs
}

func (d *domain) Answer(_ context.Context, req event.Request) (any, error) {
	d.requests = append(d.requests, req.Action)
	return d.answer, d.err
}

// subject names what a message is about.
func subject(e event.Event) string {
	switch e := e.(type) {
	case event.Deployment:
		return e.ID
	case event.SpotInterruption:
		return e.Instance
	case event.LifecycleAction:
		return e.Instance
	case event.Continuation:
		return string(e.Body)
	}
	return fmt.Sprintf("%T", e)
}

func subjects(messages []event.Message) (all []string) {
	for _, m := range messages {
		all = append(all, subject(m.Event))
	}
	return all
}

var home = invoke.Home{Account: "123456789012", Region: "eu-west-1"}

func run(d *domain, h invoke.Home, payload string) (answer, log string, err error) {
	var lines bytes.Buffer
	handler := invoke.Handler{Domain: d, Home: h, Log: slog.New(slog.NewTextHandler(&lines, nil))}
	out, err := handler.Invoke(context.Background(), []byte(payload))
	return string(out), lines.String(), err
}

// batch is an invocation with messages of a queue, whose IDs are m-0, m-1, …
func batch(bodies ...string) string {
	var records []string
	for i, body := range bodies {
		records = append(records, fmt.Sprintf(`{"eventSource":"aws:sqs","messageId":"m-%d","body":%s}`, i, strconv.Quote(body)))
	}
	return `{"Records":[` + strings.Join(records, ",") + `]}`
}

func spot(instance, account, region string) string {
	return fmt.Sprintf(`{"source":"aws.ec2","detail-type":"EC2 Spot Instance Interruption Warning","account":%q,"region":%q,"detail":{"instance-id":%q}}`, account, region, instance)
}

func here(instance string) string { return spot(instance, home.Account, home.Region) }

func published(message string) string {
	return `{"Type":"Notification","TopicArn":"arn:aws:sns:eu-west-1:123456789012:t","Message":` + strconv.Quote(message) + `}`
}

// failures are the message IDs that SQS is to deliver again.
func failures(t *testing.T, answer string) []string {
	t.Helper()
	var response map[string][]struct{ ItemIdentifier string }
	if err := json.Unmarshal([]byte(answer), &response); err != nil || response["batchItemFailures"] == nil {
		t.Fatalf("Lambda reads %q as a failure of the whole batch: %v", answer, err)
	}
	ids := []string{}
	for _, f := range response["batchItemFailures"] {
		ids = append(ids, f.ItemIdentifier)
	}
	return ids
}

func TestBatches(t *testing.T) {
	for name, c := range map[string]struct {
		bodies  []string
		fail    []string
		handled []string
		failed  []string
		harm    string
	}{
		"all succeed": {bodies: []string{here("i-1"), here("i-2")}, handled: []string{"i-1", "i-2"}, harm: "work is done twice"},
		"one fails": {bodies: []string{here("i-1"), here("i-2"), here("i-3")}, fail: []string{"i-2"}, handled: []string{"i-1", "i-2", "i-3"}, failed: []string{"m-1"},
			harm: "another message is delivered again, or what failed is lost"},
		"one fails among those out of scope": {bodies: []string{`{}`, here("i-1"), spot("i-9", "999999999999", home.Region), here("i-2")}, fail: []string{"i-2"},
			handled: []string{"i-1", "i-2"}, failed: []string{"m-3"}, harm: "another message is delivered again, or what failed is lost"},
		"one is malformed":  {bodies: []string{here("i-1"), `{"detail`, here("i-2")}, handled: []string{"i-1", "i-2"}, failed: []string{"m-1"}, harm: "one bad message stops the others, or is deleted unread"},
		"all are malformed": {bodies: []string{``, `7`}, failed: []string{"m-0", "m-1"}, harm: "a bad message is deleted unread"},
		"none is in scope":  {bodies: []string{`{}`, spot("i-9", "999999999999", home.Region)}, harm: "events of others fill the dead-letter queue"},
		"a test of AWS":     {bodies: []string{published(`{"Event":"autoscaling:TEST_NOTIFICATION"}`)}, harm: "the test of a new hook ends in the dead-letter queue"},
		"a continuation":    {bodies: []string{`{"continue":{"sweep":{}}}`}, handled: []string{`{"sweep":{}}`}, harm: "no sweep ever runs"},
		"a request":         {bodies: []string{`{"action":"repair"}`, here("i-1")}, handled: []string{"i-1"}, failed: []string{"m-0"}, harm: "whoever may send to a queue makes an operator's requests"},
		"a wrapped request": {bodies: []string{published(`{"action":"repair"}`)}, failed: []string{"m-0"}, harm: "whoever may publish to a topic makes an operator's requests"},
		"a published continuation": {bodies: []string{published(`{"continue":{"sweep":{}}}`)}, failed: []string{"m-0"},
			harm: "whoever may publish to a topic starts the function's own work"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &domain{fail: map[string]error{}}
			for _, id := range c.fail {
				d.fail[id] = errors.New("boom " + id)
			}
			answer, log, err := run(d, home, batch(c.bodies...))
			if err != nil {
				t.Fatalf("%v: the whole batch is delivered again: %s", err, c.harm)
			}
			if got := failures(t, answer); !slices.Equal(got, append([]string{}, c.failed...)) {
				t.Errorf("%v are delivered again, want %v: %s", got, c.failed, c.harm)
			}
			if got := subjects(d.handled); !slices.Equal(got, c.handled) || d.calls > 1 {
				t.Errorf("in %d calls, %v are handled, want %v: %s", d.calls, got, c.handled, c.harm)
			}
			for _, id := range c.failed {
				if !strings.Contains(log, "message="+id) {
					t.Errorf("the log does not say why %s failed: %q", id, log)
				}
			}
		})
	}
}

// TestResultsOfADomain holds that a message counts as handled only where the domain
// says so.
func TestResultsOfADomain(t *testing.T) {
	for name, results := range map[string]func([]event.Message) []error{
		"too few":  func(m []event.Message) []error { return make([]error, len(m)-1) },
		"too many": func(m []event.Message) []error { return make([]error, len(m)+1) },
		"none":     func([]event.Message) []error { return nil },
	} {
		answer, _, err := run(&domain{results: results}, home, batch(here("i-1"), `{}`, here("i-2")))
		if err != nil {
			t.Fatal(err)
		}
		if got := failures(t, answer); !slices.Equal(got, []string{"m-0", "m-2"}) {
			t.Errorf("%s results: %v are delivered again: a message is deleted that nobody has handled", name, got)
		}
	}
}

func TestDirectInvocations(t *testing.T) {
	fails := map[string]error{"i-1": errors.New("boom")}
	for name, c := range map[string]struct {
		payload  string
		domain   domain
		answer   string
		fault    string // in the error
		handled  []string
		requests []string
		harm     string
	}{
		"a request":                      {payload: `{"action":"plan","x":1}`, domain: domain{answer: map[string]int{"a": 1}}, answer: "{\n  \"a\": 1\n}", requests: []string{"plan"}, harm: "an operator gets no answer"},
		"a request without an answer":    {payload: `{"action":"forget"}`, answer: "null", requests: []string{"forget"}, harm: "an operator's tool fails to read the answer"},
		"a request that fails":           {payload: `{"action":"plan"}`, domain: domain{err: errors.New("no such group")}, fault: "no such group", requests: []string{"plan"}, harm: "an operator takes a failure for a success"},
		"an answer that is no JSON":      {payload: `{"action":"plan"}`, domain: domain{answer: math.NaN()}, fault: `answer to "plan"`, requests: []string{"plan"}, harm: "an operator takes a failure for a success"},
		"a malformed request":            {payload: `{"action":7}`, fault: "action is a number", harm: "an operator takes a failure for a success"},
		"a request through a bus":        {payload: `{"source":"x","detail-type":"y","action":"repair"}`, harm: "whoever may put events makes an operator's requests"},
		"a request through a topic":      {payload: `{"Records":[{"Sns":{"Message":"{\"action\":\"repair\"}"}}]}`, fault: "direct invocation only", harm: "whoever may publish makes an operator's requests"},
		"a wrapped request":              {payload: published(`{"action":"repair"}`), fault: "direct invocation only", harm: "whoever may publish makes an operator's requests"},
		"a continuation":                 {payload: `{"continue":{"sweep":{}}}`, fault: "own queue only", harm: "an operator's request carries the function's own state"},
		"an event":                       {payload: here("i-2"), domain: domain{fail: fails}, handled: []string{"i-2"}, harm: "events from EventBridge are ignored"},
		"an event that fails":            {payload: here("i-1"), domain: domain{fail: fails}, fault: "boom", handled: []string{"i-1"}, harm: "what failed is not delivered again"},
		"several notifications, one bad": {payload: `{"Records":[{"Sns":{"Message":"{"}},{"Sns":{"Message":` + strconv.Quote(here("i-2")) + `}}]}`, fault: "cut off", handled: []string{"i-2"}, harm: "one bad notification stops another"},
		"an event out of scope":          {payload: `{}`, harm: "events of others are delivered again and again"},
	} {
		t.Run(name, func(t *testing.T) {
			d := c.domain
			answer, log, err := run(&d, home, c.payload)
			if (err != nil) != (c.fault != "") || err != nil && (!strings.Contains(err.Error(), c.fault) || answer != "") {
				t.Errorf("answers %q, %v: %s", answer, err, c.harm)
			}
			if answer != c.answer || !slices.Equal(subjects(d.handled), c.handled) || !slices.Equal(d.requests, c.requests) {
				t.Errorf("answers %q to %v, handles %v: %s", answer, d.requests, subjects(d.handled), c.harm)
			}
			if c.fault != "" && !strings.Contains(name, "no JSON") && !strings.Contains(log, "level=ERROR") {
				t.Errorf("the failure is not logged: %q", log)
			}
		})
	}
}

func TestHome(t *testing.T) {
	flat := `{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING","LifecycleHookName":"h","AutoScalingGroupName":"g","EC2InstanceId":"i-1","AccountId":"%s"}`
	elsewhere := invoke.Home{Account: home.Account, Region: home.Region, AcceptEventsFrom: []string{"222222222222/us-east-1", "333333333333/eu-west-1"}}
	for name, c := range map[string]struct {
		home invoke.Home
		body string
		want bool
	}{
		"its own":                              {home, spot("i-1", "123456789012", "eu-west-1"), true},
		"another account":                      {home, spot("i-1", "222222222222", "eu-west-1"), false},
		"another region":                       {home, spot("i-1", "123456789012", "us-east-1"), false},
		"no account":                           {home, spot("i-1", "", "eu-west-1"), true},
		"no region":                            {home, spot("i-1", "123456789012", ""), true},
		"neither":                              {home, spot("i-1", "", ""), true},
		"straight to the queue":                {home, fmt.Sprintf(flat, "123456789012"), true},
		"another's, straight to the queue":     {home, fmt.Sprintf(flat, "222222222222"), false},
		"accepted":                             {elsewhere, spot("i-1", "222222222222", "us-east-1"), true},
		"accepted, straight to the queue":      {elsewhere, fmt.Sprintf(flat, "333333333333"), true},
		"an accepted account, another region":  {elsewhere, spot("i-1", "222222222222", "eu-west-1"), false},
		"its own beside those that it accepts": {elsewhere, spot("i-1", "123456789012", "eu-west-1"), true},
		"its account in an accepted region":    {elsewhere, spot("i-1", "123456789012", "us-east-1"), false},
		"neither accepted":                     {elsewhere, spot("i-1", "999999999999", "us-east-1"), false},
		"a home that is not known":             {invoke.Home{}, spot("i-1", "222222222222", "us-east-1"), true},
	} {
		d := &domain{}
		if _, _, err := run(d, c.home, batch(c.body)); err != nil {
			t.Fatal(err)
		}
		if got := len(d.handled) == 1; got != c.want {
			t.Errorf("an event of %s is handled: %t: a function changes what is not its own, or ignores its fleet", name, got)
		}
	}
}

// TestPayloads holds that no payload that a function can receive makes it panic, and
// that a batch is always answered.
func TestPayloads(t *testing.T) {
	for _, name := range events.Names() {
		payload, err := events.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		answer, _, err := run(&domain{}, home, string(payload))
		if strings.Contains(name, "sqs") && strings.Contains(string(payload), `"aws:sqs"`) {
			failures(t, answer)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type queue struct {
	sent []*sqs.SendMessageInput
	err  error
}

func (q *queue) SendMessage(_ context.Context, in *sqs.SendMessageInput, _ ...func(*sqs.Options)) (*sqs.SendMessageOutput, error) {
	q.sent = append(q.sent, in)
	return &sqs.SendMessageOutput{}, q.err
}

func TestContinue(t *testing.T) {
	type tick struct{ After string }
	for delay, want := range map[time.Duration]int32{
		0: 0, -time.Hour: 0, time.Nanosecond: 1, time.Second: 1, 1500 * time.Millisecond: 2, 15 * time.Minute: 900, time.Hour: 900,
	} {
		q := &queue{}
		if err := (invoke.Queue{URL: "https://queue", Client: q}).Continue(t.Context(), map[string]tick{"tick": {"i-1"}}, delay); err != nil {
			t.Fatal(err)
		}
		in := q.sent[0]
		if in.DelaySeconds != want || *in.QueueUrl != "https://queue" {
			t.Errorf("after %s, it continues after %d s: SQS refuses the delay, or work begins early", delay, in.DelaySeconds)
		}
		d := &domain{}
		if _, _, err := run(d, home, batch(*in.MessageBody)); err != nil || len(d.handled) != 1 {
			t.Fatalf("the function does not take its own message %s: %v", *in.MessageBody, err)
		}
		var work map[string]tick
		if err := d.handled[0].Event.(event.Continuation).Decode(&work); err != nil || work["tick"].After != "i-1" {
			t.Errorf("it continues with %+v, %v", work, err)
		}
	}
}

func TestContinueFails(t *testing.T) {
	q := invoke.Queue{Client: &queue{err: errors.New("connection reset")}}
	if err := q.Continue(t.Context(), map[string]int{"tick": 1}, 0); !fault.IsOwn(err) || !fault.Is(err, fault.Transient) {
		t.Errorf("a queue that is down says %v: operators search their fleet for it", err)
	}
	if err := q.Continue(t.Context(), math.NaN(), 0); !fault.IsOwn(err) {
		t.Error("work that cannot be sent counts as sent")
	}
}
