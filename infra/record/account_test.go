package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// account is a served region, with a stand-in for what the region does not have: rules of
// EventBridge, the queue behind one, and CloudTrail.
type account struct {
	region *region.Region
	served http.Handler
	fails  string // the call that fails
	before func(call string)
	trail  []string

	mu     sync.Mutex
	exists map[string]bool // rule, target, queue
	calls  []string
	events []string // in the queue
}

func newAccount() *account {
	a := &account{region: region.New(region.Options{}), exists: map[string]bool{}}
	a.region.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 2})
	a.region.OnEvent(func(payload []byte) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.exists["target"] {
			a.events = append(a.events, string(payload))
		}
	})
	a.served = wire.New(wire.ServicesOf(a.region)...)
	return a
}

func (a *account) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	_, operation, _ := strings.Cut(target, ".")
	if !strings.HasPrefix(target, "AmazonSQS.") && !strings.HasPrefix(target, "AWSEvents.") && !strings.Contains(target, "CloudTrail") {
		a.served.ServeHTTP(w, r)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls = append(a.calls, operation)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if a.before != nil {
		a.before(operation)
	}
	if operation == a.fails {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"AccessDeniedException","message":"not authorized"}`)
		return
	}
	var request struct{ WaitTimeSeconds int }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		panic(err) // the SDK's
	}
	if operation == "ReceiveMessage" && request.WaitTimeSeconds == 0 { // none of the few servers that are asked has any
		fmt.Fprint(w, "{}")
		return
	}
	if err := json.NewEncoder(w).Encode(a.answer(operation)); err != nil {
		panic(err) // the test's own values
	}
}

func (a *account) answer(operation string) any {
	made := map[string]string{"PutRule": "rule", "PutTargets": "target", "CreateQueue": "queue"}
	removed := map[string]string{"DeleteRule": "rule", "RemoveTargets": "target", "DeleteQueue": "queue"}
	if what := made[operation]; what != "" {
		a.exists[what] = true
	}
	delete(a.exists, removed[operation])
	switch operation {
	case "PutRule":
		return map[string]any{"RuleArn": "arn:aws:events:eu-west-1:" + region.Account + ":rule/temporary"}
	case "CreateQueue":
		return map[string]any{"QueueUrl": "https://sqs/temporary"}
	case "ReceiveMessage":
		var messages []any
		for _, event := range a.events[:min(10, len(a.events))] {
			messages = append(messages, map[string]any{"Body": event, "ReceiptHandle": "r"})
		}
		a.events = a.events[len(messages):]
		return map[string]any{"Messages": messages}
	case "LookupEvents":
		var events []any
		if len(a.trail) > 0 { // of the first service that is looked up
			events = append(events,
				map[string]any{"EventName": "CreateAutoScalingGroup", "ReadOnly": "false", "EventTime": a.region.Now().Unix(), "CloudTrailEvent": a.trail[0]},
				map[string]any{"EventName": "DescribeTags", "ReadOnly": "true", "EventTime": a.region.Now().Unix(), "CloudTrailEvent": "{}"})
			a.trail = nil
		}
		return map[string]any{"Events": events}
	}
	return map[string]any{}
}

// recorder records a release in the account, whose time passes while the recorder waits,
// until the release has succeeded, or the context ends.
func (a *account) recorder(t *testing.T, interrupt context.CancelFunc) (*recorder, *strings.Builder) {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	var out strings.Builder
	o := options{application: "shop", deploymentGroup: "web", folder: filepath.Join(t.TempDir(), "recording"), every: 3 * time.Second, most: time.Hour, trail: 15 * time.Minute}
	r := newRecorder(aws.Config{
		Region: region.Name, BaseEndpoint: &server.URL, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider(region.Account, "s", ""),
	}, o, &out)
	r.now = a.region.Now
	deployment := ""
	r.wait = func(ctx context.Context, d time.Duration) error {
		if deployment == "" {
			deployment = a.region.Deploy(region.Service{Application: "shop", DeploymentGroup: "web"}, region.Deployment{})
		}
		a.region.Advance(d)
		if a.region.Deployed(deployment) {
			interrupt()
		}
		return ctx.Err()
	}
	r.again = func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) }
	return r, &out
}
