package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"deployhooks/events"
	"deployhooks/pkg/event"
)

// FuzzParse feeds [event.Parse] with everything. Its seeds are all payloads a
// function can receive, whole and cut off.
func FuzzParse(f *testing.F) {
	for _, name := range events.Names() {
		payload := read(f, name)
		for _, length := range []int{len(payload), len(payload) / 3, len(payload) * 2 / 3, len(payload) - 3} {
			f.Add(payload[:length])
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) { checkInvariants(t, payload) })
}

// TestParseHoldsAgainstDamage is a short run of the same in every ordinary
// test: payloads damaged in ways that a seed decides.
func TestParseHoldsAgainstDamage(t *testing.T) {
	const runs = 6000
	random := rand.New(rand.NewPCG(2026, 3))
	var payloads [][]byte
	for _, name := range events.Names() {
		payloads = append(payloads, read(t, name))
	}
	for run := range runs {
		payload := bytes.Clone(payloads[random.IntN(len(payloads))])
		for range 1 + random.IntN(4) {
			payload = damage(random, payload)
		}
		checkInvariants(t, payload)
		if t.Failed() {
			t.Fatalf("run %d, payload:\n%s", run, payload)
		}
	}
}

// damage does one thing to a payload that networks, operators or tools may do.
func damage(random *rand.Rand, payload []byte) []byte {
	if len(payload) < 2 {
		return []byte(`{"Records":[{"body":"{}"}]}`)
	}
	at := random.IntN(len(payload) - 1)
	end := at + random.IntN(min(40, len(payload)-at))
	switch random.IntN(8) {
	case 0: // cut off
		return payload[:at]
	case 1: // a piece lost
		return append(payload[:at:at], payload[end:]...)
	case 2: // a piece twice
		return append(payload[:end:end], payload[at:]...)
	case 3: // a bit turned
		payload[at] ^= 1 << random.IntN(8)
		return payload
	case 4: // another letter case
		piece := bytes.ToUpper(payload[at:end])
		return append(append(payload[:at:at], piece...), payload[end:]...)
	case 5: // a value of another type
		values := []string{`7`, `-1e9`, `null`, `true`, `[]`, `{}`, `""`, `[[{}]]`, `"\ud800"`, `{"action":1}`}
		return replaceValue(random, payload, values[random.IntN(len(values))])
	case 6: // a field renamed to another
		names := []string{"action", "Records", "body", "Sns", "Message", "TopicArn", "Type", "detail", "detail-type", "deploymentId", "instanceStatus", "rollbackInformation", "continue", "LifecycleHookName", "tenant", "operation", "spec", "ResponseURL", "RequestType"}
		return replaceValue(random, payload, `"x","`+names[random.IntN(len(names))]+`":"x"`)
	default: // wrapped once more
		return []byte(queued(string(payload)))
	}
}

// replaceValue replaces one of the strings that are values.
func replaceValue(random *rand.Rand, payload []byte, value string) []byte {
	const mark = `": "`
	places := bytes.Count(payload, []byte(mark))
	if places == 0 {
		return payload
	}
	rest, at := payload, 0
	for range 1 + random.IntN(places) {
		next := bytes.Index(rest, []byte(mark)) + len(mark)
		at += next
		rest = rest[next:]
	}
	length := bytes.IndexByte(rest, '"')
	if length < 0 {
		return payload
	}
	return append(append(payload[:at-1:at-1], value...), rest[length+1:]...)
}

// checkInvariants holds what is true of every payload whatsoever.
func checkInvariants(t *testing.T, payload []byte) {
	t.Helper()
	before := bytes.Clone(payload)
	batch, err := event.Parse(payload)
	if !bytes.Equal(payload, before) {
		t.Error("Parse changes its input, so that it cannot be logged or kept")
	}
	again, errAgain := event.Parse(payload)
	if !reflect.DeepEqual(batch, again) || fmt.Sprint(err) != fmt.Sprint(errAgain) {
		t.Error("Parse says something else the second time")
	}
	if err != nil {
		checkError(t, err)
		if batch.Messages != nil || batch.Queued {
			t.Error("Parse gives messages together with an error")
		}
		return
	}
	for i, message := range batch.Messages {
		if (message.Event == nil) == (message.Err == nil) {
			t.Errorf("message %d has an event %v and an error %v, want one of them", i, message.Event, message.Err)
		}
		if batch.Queued != (message.ID != "") && !mixed(batch) {
			t.Errorf("message %d has the ID %q in a batch with Queued = %t", i, message.ID, batch.Queued)
		}
		if message.Err != nil {
			checkError(t, message.Err)
			continue
		}
		checkEvent(t, message.Event)
	}
}

// mixed reports a batch of records of several services, which only a fuzzer
// sends.
func mixed(batch event.Batch) bool {
	for _, message := range batch.Messages {
		if (message.ID != "") != (batch.Messages[0].ID != "") {
			return true
		}
	}
	return false
}

// checkError holds that an error is bounded and has only words of this
// package, and so nothing of the payload.
func checkError(t *testing.T, err error) {
	t.Helper()
	var malformed *event.MalformedError
	if !errors.As(err, &malformed) || len(malformed.Faults) == 0 {
		t.Errorf("got %#v, want a MalformedError with its faults", err)
	}
	if length := len(err.Error()); length > 3000 {
		t.Errorf("the error has %d bytes, too many for a log line", length)
	}
	for _, word := range strings.FieldsFunc(err.Error(), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if !vocabulary[word] {
			t.Errorf("the error says %q, which may be the payload's word: %v", word, err)
		}
	}
}

// vocabulary is every word that an error of Parse may have: the names of the
// fields it looks for, and its own English.
var vocabulary = func() map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(`
		Records body messageId attributes Sns Message Type TopicArn action continue
		source detail type application deploymentGroup deploymentId state instance id
		applicationName deploymentGroupName status stateMachineArn name
		RequestId StackId LogicalResourceId PhysicalResourceId ResponseURL RequestType ResourceProperties OldResourceProperties
		AutoScalingGroupName LifecycleHookName EC InstanceId LifecycleTransition
		malformed event the payload is missing empty not an a object array string number boolean null JSON from byte on
		appears it cut off after bytes UTF has more than that AWS delivers characters allowed holds character no name
		there once wrapped times elements Lambda hands over one of three`) {
		words[word] = true
	}
	return words
}()

// checkEvent holds that an event has the names without which nothing can be
// done about it.
func checkEvent(t *testing.T, e event.Event) {
	t.Helper()
	var names []string
	switch e := e.(type) {
	case event.Deployment:
		names = []string{e.Application, e.DeploymentGroup, e.ID, string(e.State)}
	case event.LifecycleAction:
		names = []string{e.AutoScalingGroup, e.Hook, e.Instance, string(e.Transition)}
	case event.SpotInterruption:
		names = []string{e.Instance}
	case event.RebalanceRecommendation:
		names = []string{e.Instance}
	case event.Maintenance:
		names = append(e.Instances, strings.Join(e.Instances, "")) // at least one
		if n := utf8.RuneCountInString(e.Text); n > 1001 {         // with the dots
			t.Errorf("a text of %d characters is kept", n)
		}
	case event.Test:
		names = []string{e.Service}
	case event.Request:
		names = []string{e.Action, string(e.Body)}
		checkDecode(t, e)
	case event.Continuation:
		names = []string{string(e.Body)}
		if e.Body[0] != '{' {
			t.Errorf("a continuation of %s", e.Body)
		}
	case event.StateChange:
		names = []string{e.Instance, e.State}
	case event.Execution:
		names = []string{e.Machine, e.Name, e.Status}
	case event.TenantRequest:
		if len(e.Faults) == 0 {
			names = []string{e.Tenant, e.Operation}
		}
		if text := (&event.MalformedError{Faults: e.Faults}).Error(); len(e.Faults) > 12 || len(text) > 4000 || len(e.ID) > 600 {
			t.Errorf("%d faults of %d bytes, and an ID of %d, are kept", len(e.Faults), len(text), len(e.ID))
		}
		if e.Spec != nil && (e.Spec[0] != '{' || !json.Valid(e.Spec)) {
			t.Errorf("a spec of %s", e.Spec)
		}
	case event.CustomResource:
		names = []string{string(e.Type), e.ID, e.Stack, e.LogicalID, string(e.ResponseURL)}
		if e.Type != event.Create {
			names = append(names, e.PhysicalID)
		}
		if e.Properties != nil && (e.Properties[0] != '{' || !json.Valid(e.Properties)) {
			t.Errorf("properties of %s", e.Properties)
		}
		if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, "http") && strings.Contains(text, string(e.ResponseURL)) {
			t.Errorf("the response URL is printed: %s", text)
		}
	case event.Unknown:
	default:
		t.Errorf("got an event of type %T", e)
	}
	for i, name := range names {
		if name == "" {
			t.Errorf("%#v lacks its name number %d", e, i)
		}
	}
}

// checkDecode holds that a request can be decoded, or that the error says why not.
func checkDecode(t *testing.T, r event.Request) {
	t.Helper()
	var req struct {
		Action, Application, DeploymentGroup string
	}
	err := r.Decode(&req)
	if err == nil && req.Action != r.Action {
		t.Errorf("a request for %q is decoded as %q", r.Action, req.Action)
	}
	var malformed *event.MalformedError
	if err != nil && !errors.As(err, &malformed) {
		t.Errorf("Decode says %v, want a MalformedError", err)
	}
}
