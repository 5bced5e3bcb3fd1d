package event_test

import (
	"strings"
	"testing"

	"deployhooks/pkg/event"
)

// TestEnveloped holds that a request or a continuation that somebody sent through a
// topic or a bus can be distinguished from one that came without an envelope.
func TestEnveloped(t *testing.T) {
	bus := `{"source":"com.example","detail-type":"x","detail":{},"action":"sweep","continue":{}}`
	for name, c := range map[string]struct {
		payload string
		want    bool
	}{
		"an operator's request":               {`{"action":"sweep"}`, false},
		"a request in a topic's message":      {published(`{"action":"sweep"}`), true},
		"a request from a topic to Lambda":    {`{"Records":[{"Sns":{"Message":"{\"action\":\"sweep\"}"}}]}`, true},
		"a request from a topic to the queue": {queued(published(`{"action":"sweep"}`)), true},
		"a continuation":                      {queued(`{"continue":{}}`), false},
		"a continuation through a topic":      {queued(published(`{"continue":{}}`)), true},
		"an event on a bus":                   {bus, true},
		"an event on a bus to the queue":      {queued(bus), true},
		"a lifecycle action to the queue":     {string(read(t, "autoscaling-sqs-terminate")), false},
		"plain text through a topic":          {string(read(t, "codedeploy-sns-test")), true},
	} {
		batch, err := event.Parse([]byte(c.payload))
		if err != nil {
			t.Fatal(err)
		}
		m := batch.Messages[0]
		if m.Enveloped != c.want {
			t.Errorf("%s: Enveloped = %t: a publisher is taken for the function or an operator, or the reverse", name, m.Enveloped)
		}
		if _, request := m.Event.(event.Request); request != strings.Contains(name, "request") {
			t.Errorf("%s: parsed to %#v", name, m.Event)
		}
	}
}
