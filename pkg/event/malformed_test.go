package event_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"deployhooks/events"
	"deployhooks/pkg/event"
)

// queued wraps a body in SQS's envelope.
func queued(body string) string {
	return `{"Records":[{"eventSource":"aws:sqs","messageId":"m-1","body":` + strconv.Quote(body) + `}]}`
}

// published wraps a message in SNS's notification.
func published(message string) string {
	return `{"Type":"Notification","TopicArn":"arn:aws:sns:eu-west-1:123456789012:t","Message":` + strconv.Quote(message) + `}`
}

// bridged is an EventBridge event about a deployment with one part replaced.
func bridged(old, new string) string {
	whole := `{"source":"aws.codedeploy","detail-type":"CodeDeploy Deployment State-change Notification","detail":{"application":"shop","deploymentGroup":"web","deploymentId":"d-1","state":"START"}}`
	return strings.Replace(whole, old, new, 1)
}

func TestMalformed(t *testing.T) {
	tests := map[string]struct {
		payload string
		want    []string
	}{
		"nothing":                   {``, []string{"the payload is empty"}},
		"no JSON":                   {`hello`, []string{"the payload is not JSON from byte 1 on"}},
		"two payloads":              {`{} {}`, []string{"the payload is not JSON from byte 4 on"}},
		"cut off":                   {`{"action":"swe`, []string{"the payload is not JSON: it is cut off after 14 bytes"}},
		"cut off in the middle":     {`{"Records":[`, []string{"the payload is not JSON: it is cut off after 12 bytes"}},
		"not UTF-8":                 {"{\"action\":\"\xff\"}", []string{"the payload is not UTF-8"}},
		"an array":                  {` [1,2]`, []string{"the payload is an array, not an object"}},
		"a string":                  {`"sweep"`, []string{"the payload is a string, not an object"}},
		"a number":                  {`42`, []string{"the payload is a number, not an object"}},
		"true":                      {`true`, []string{"the payload is a boolean, not an object"}},
		"null":                      {`null`, []string{"the payload is null, not an object"}},
		"over-long":                 {`{"action":"` + strings.Repeat("x", event.MaxPayload) + `"}`, []string{"the payload has 6291469 bytes, more than the 6291456 that AWS delivers"}},
		"deeper than any JSON":      {strings.Repeat(`{"a":`, 20000), []string{"the payload is not JSON from byte 50001 on"}},
		"records that are none":     {`{"Records":{}}`, []string{"Records is an object, not an array"}},
		"a record that is none":     {`{"Records":[{},7]}`, []string{"Records[1] is a number, not an object"}},
		"records twice":             {`{"Records":[],"records":[]}`, []string{"Records appears more than once"}},
		"more records than come":    {`{"Records":[` + strings.Repeat("{},", 10000) + `{}]}`, []string{"Records has 10001 elements, more than the 10000 that Lambda hands over"}},
		"a queued message, no ID":   {`{"Records":[{"eventSource":"aws:sqs","body":"{}"}]}`, []string{"Records[0].messageId is missing"}},
		"a queued message, no body": {`{"Records":[{"eventSource":"aws:sqs","messageId":"m"}]}`, []string{"Records[0].body is missing"}},
		"a body of another type":    {`{"Records":[{"messageId":"m","body":{}}]}`, []string{"Records[0].body is an object, not a string"}},
		"an empty body":             {queued(``), []string{"Records[0].body is empty"}},
		"a body of plain words":     {queued(`please repair`), []string{"Records[0].body is not JSON from byte 1 on"}},
		"a body cut off":            {queued(`{"action":`), []string{"Records[0].body is not JSON: it is cut off after 10 bytes"}},
		"an over-long body":         {queued(`{"action":"` + strings.Repeat("x", event.MaxMessage) + `"}`), []string{"Records[0].body has 1048589 bytes, more than the 1048576 that AWS delivers"}},
		"a notification of another": {`{"Records":[{"Sns":"x"}]}`, []string{"Records[0].Sns is a string, not an object"}},
		"a notification, no text":   {`{"Records":[{"Sns":{"Type":"Notification"}}]}`, []string{"Records[0].Sns.Message is missing"}},
		"a text cut off":            {`{"Records":[{"Sns":{"Message":"{"}}]}`, []string{"Records[0].Sns.Message is not JSON: it is cut off after 1 bytes"}},
		"a wrapped event, no ID":    {queued(published(bridged(`"deploymentId":"d-1",`, ``))), []string{"Records[0].body.Message.detail.deploymentId is missing"}},
		"wrapped for ever":          {published(published(published(published(published(`{}`))))), []string{"Message.Message.Message.Message.Message is wrapped more than 4 times"}},

		"an event without a source":   {`{"detail-type":"x"}`, []string{"source is missing"}},
		"an event without a detail":   {bridged(`"detail":`, `"details":`), []string{"detail is missing"}},
		"a detail of another type":    {bridged(`"detail":{`, `"detail":[],"x":{`), []string{"detail is an array, not an object"}},
		"an over-long source":         {bridged(`aws.codedeploy`, strings.Repeat("s", 257)), []string{"source has 257 characters, more than the 256 allowed"}},
		"a number for a name":         {bridged(`"shop"`, `7`), []string{"detail.application is a number, not a string"}},
		"a list for a name":           {bridged(`"web"`, `["web"]`), []string{"detail.deploymentGroup is an array, not a string"}},
		"null for a name":             {bridged(`"web"`, `null`), []string{"detail.deploymentGroup is missing"}},
		"an empty name":               {bridged(`"web"`, `""`), []string{"detail.deploymentGroup is empty"}},
		"a name too long for AWS":     {bridged(`shop`, strings.Repeat("é", 101)), []string{"detail.application has 101 characters, more than the 100 allowed"}},
		"a name with a NUL":           {bridged(`shop`, `sh\u0000p`), []string{"detail.application holds a character that no name has"}},
		"a name with half a pair":     {bridged(`shop`, `sh\ud800p`), []string{"detail.application holds a character that no name has"}},
		"a name twice":                {bridged(`"state"`, `"DeploymentID":"d-2","state"`), []string{"detail.deploymentId appears more than once"}},
		"a deployment without names":  {`{"source":"aws.codedeploy","detail-type":"CodeDeploy Deployment State-change Notification","detail":{}}`, []string{"detail.application is missing", "detail.deploymentGroup is missing", "detail.deploymentId is missing", "detail.state is missing"}},
		"an action without names":     {`{"source":"aws.autoscaling","detail-type":"EC2 Instance-terminate Lifecycle Action","detail":{"AutoScalingGroupName":"g"}}`, []string{"detail.LifecycleHookName is missing", "detail.EC2InstanceId is missing", "detail.LifecycleTransition is missing"}},
		"an interruption of nothing":  {`{"source":"aws.ec2","detail-type":"EC2 Spot Instance Interruption Warning","detail":{}}`, []string{"detail.instance-id is missing"}},
		"a recommendation of nothing": {`{"source":"aws.ec2","detail-type":"EC2 Instance Rebalance Recommendation","detail":{"instance-id":1}}`, []string{"detail.instance-id is a number, not a string"}},

		"a trigger without names":          {`{"eventTriggerName":"t"}`, []string{"applicationName is missing", "deploymentGroupName is missing", "deploymentId is missing", "status is missing"}},
		"an action straight, no names":     {`{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING"}`, []string{"AutoScalingGroupName is missing", "LifecycleHookName is missing", "EC2InstanceId is missing"}},
		"an instance ID too long":          {`{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING","LifecycleHookName":"h","AutoScalingGroupName":"g","EC2InstanceId":"i-0a1b2c3d4e5f607189"}`, []string{"EC2InstanceId has 20 characters, more than the 19 allowed"}},
		"a request of another type":        {`{"action":["sweep"]}`, []string{"action is an array, not a string"}},
		"a request without an action":      {`{"action":""}`, []string{"action is empty"}},
		"a request that is too long":       {`{"action":"` + strings.Repeat("x", 65) + `"}`, []string{"action has 65 characters, more than the 64 allowed"}},
		"a continuation of nothing":        {queued(`{"continue":7}`), []string{"Records[0].body.continue is a number, not an object"}},
		"two continuations":                {queued(`{"continue":{},"Continue":{}}`), []string{"Records[0].body.continue appears more than once"}},
		"a state change of nothing":        {`{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{}}`, []string{"detail.instance-id is missing", "detail.state is missing"}},
		"a request with two actions":       {`{"action":"plan","Action":"repair"}`, []string{"action appears more than once"}},
		"a queued request of another type": {queued(`{"action":{}}`), []string{"Records[0].body.action is an object, not a string"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wantFaults(t, faultOf(t, test.payload), test.want...)
		})
	}
}

// faultOf returns the error of a payload with at most one message.
func faultOf(t *testing.T, payload string) error {
	t.Helper()
	batch, err := event.Parse([]byte(payload))
	if err != nil {
		if batch.Queued || batch.Messages != nil {
			t.Errorf("an unreadable payload gives messages all the same: %+v", batch)
		}
		return err
	}
	if len(batch.Messages) != 1 {
		t.Fatalf("got %d messages", len(batch.Messages))
	}
	if batch.Messages[0].Err == nil {
		t.Fatalf("taken for %#v: a malformed message would be acted upon", batch.Messages[0].Event)
	}
	return batch.Messages[0].Err
}

func wantFaults(t *testing.T, err error, want ...string) {
	t.Helper()
	var malformed *event.MalformedError
	if !errors.As(err, &malformed) {
		t.Fatalf("got %v, want a MalformedError", err)
	}
	if got, want := err.Error(), "malformed event: "+strings.Join(want, "; "); got != want {
		t.Errorf("says\n%s\nwant\n%s", got, want)
	}
}

// TestCutOffAnywhere cuts every payload short. What is left is never mistaken
// for a whole.
func TestCutOffAnywhere(t *testing.T) {
	for _, name := range events.Names() {
		whole := strings.TrimSpace(string(read(t, name)))
		for length := 0; length < len(whole); length += 3 {
			if batch, err := event.Parse([]byte(whole[:length])); err == nil {
				t.Fatalf("%s cut off after %d bytes is taken for %+v", name, length, batch)
			}
		}
	}
}

// TestErrorsDoNotQuote holds that no error carries what the payload says: it
// ends in logs, notifications and alarms.
func TestErrorsDoNotQuote(t *testing.T) {
	const secret = "hunter2"
	payloads := []string{
		secret,
		`{"` + secret,
		`{"action":{"` + secret + `":"` + secret + `"}}`,
		`{"action":"` + strings.Repeat(secret, 20) + `"}`,
		queued(secret),
		queued(published(secret)),
		queued(published(bridged(`"shop"`, `{"`+secret+`":1}`))),
	}
	for _, payload := range payloads {
		if err := faultOf(t, payload); strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats the payload: %v", err)
		}
	}
}

func TestRequestDecode(t *testing.T) {
	type query struct {
		Action      string `json:"action"`
		Application string `json:"application"`
		Depth       int    `json:"depth"`
		Within      struct {
			Seconds int `json:"seconds"`
		} `json:"within"`
	}
	tests := map[string]struct {
		body string
		want string // the fault, or "" for none
	}{
		"all that it knows":           {`{"action":"plan","application":"shop","depth":2,"within":{"seconds":5}}`, ""},
		"less than it knows":          {`{"action":"plan"}`, ""},
		"a misspelt field":            {`{"action":"plan","aplication":"shop"}`, "aplication is not a field of this request"},
		"a misspelt field further in": {`{"action":"plan","within":{"minutes":5}}`, "minutes is not a field of this request"},
		"an endless field":            {`{"action":"plan","` + strings.Repeat("x", 1000) + `":1}`, strings.Repeat("x", 64) + "… is not a field of this request"},
		"a number for a name":         {`{"action":"plan","application":7}`, "application is of type number, which does not fit string"},
		"a fraction":                  {`{"action":"plan","depth":1.5}`, "depth is of type number, which does not fit int"},
		"a word further in":           {`{"action":"plan","within":{"seconds":"5"}}`, "within.seconds is of type string, which does not fit int"},
		"a field twice":               {`{"action":"plan","action":"repair"}`, "action appears more than once"},
		"a field in two cases":        {`{"action":"plan","application":"a","Application":"b"}`, "Application appears more than once"},
		"a field with a long s":       {`{"action":"plan","within":{"seconds":1,"ſecondſ":2}}`, "within.ſecondſ appears more than once"},
		"twice within an array":       {`{"action":"plan","list":[0,{"a":1,"a":2}]}`, "list[1].a appears more than once"},
		"nested beyond any purpose":   {`{"action":"plan","list":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "list" + strings.Repeat("[0]", 32) + " is nested more than 32 deep"},
		"no request at all":           {``, "the payload is empty"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got query
			err := event.Request{Body: json.RawMessage(test.body)}.Decode(&got)
			if test.want != "" {
				wantFaults(t, err, test.want)
				return
			}
			if err != nil {
				t.Fatalf("a good request is refused: %v", err)
			}
			if got.Action != "plan" {
				t.Errorf("decoded %+v", got)
			}
		})
	}
}

// picky refuses everything with an error that quotes it.
type picky struct{}

func (*picky) UnmarshalJSON(text []byte) error { return fmt.Errorf("no such time: %s", text) }

func TestRequestDecodeDoesNotQuote(t *testing.T) {
	var req struct {
		Action string `json:"action"`
		Until  picky  `json:"until"`
	}
	err := event.Request{Body: json.RawMessage(`{"action":"plan","until":"hunter2"}`)}.Decode(&req)
	wantFaults(t, err, "the payload does not fit what the action takes")
}

func TestErrorsAreBounded(t *testing.T) {
	body := `{"action":"plan"` + strings.Repeat(`,"`+strings.Repeat("x", 500)+`":{"a":1,"a":2}`, 100) + `}`
	err := event.Request{Body: json.RawMessage(body)}.Decode(&struct{}{})
	if length := len(err.Error()); length > 2000 {
		t.Errorf("the error has %d bytes, too many for a log line", length)
	}
}

func TestRequestDecodeIntoNothing(t *testing.T) {
	err := event.Request{Body: json.RawMessage(`{"action":"plan"}`)}.Decode(nil)
	var wrongTarget *json.InvalidUnmarshalError
	if !errors.As(err, &wrongTarget) {
		t.Errorf("got %v: a mistake of the program is blamed on the request", err)
	}
}
