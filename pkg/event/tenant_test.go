package event_test

import (
	"strings"
	"testing"

	"deployhooks/pkg/event"
)

// TestTenantRequestsAtFault holds that a request at fault is understood as one, with
// all its faults, so that its sender gets an answer.
func TestTenantRequestsAtFault(t *testing.T) {
	for name, c := range map[string]struct {
		request string
		want    string
	}{
		"a field too many":          {`{"tenant":"acme","operation":"launch","spec":{},"spek":1}`, "spek is not a field of a tenant request"},
		"no tenant":                 {`{"operation":"launch","spec":{}}`, "tenant is missing"},
		"no operation":              {`{"tenant":"acme"}`, "operation is missing"},
		"nothing but a spec":        {`{"spec":{}}`, "tenant is missing; operation is missing"},
		"wrong types":               {`{"tenant":7,"operation":["launch"],"id":{},"spec":"{}"}`, "tenant is a number, not a string; operation is an array, not a string; id is an object, not a string; spec is a string, not an object"},
		"a field twice":             {`{"tenant":"acme","Tenant":"beta","operation":"remove"}`, "tenant appears more than once"},
		"a field of the spec twice": {`{"tenant":"acme","operation":"launch","spec":{"mail":{"from":"a","From":"b"}}}`, "spec.mail.From appears more than once"},
		"a spec too deep":           {`{"tenant":"acme","operation":"launch","spec":` + strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40) + `}`, "is nested more than 32 deep"},
		"a name too long":           {`{"tenant":"` + strings.Repeat("a", 65) + `","operation":"remove"}`, "tenant has 65 characters, more than the 64 allowed"},
		"an ID too long":            {`{"tenant":"acme","operation":"remove","id":"` + strings.Repeat("a", 129) + `"}`, "id has 129 characters, more than the 128 allowed"},
		"control characters":        {`{"tenant":"ac\u0000me","operation":"remove"}`, "tenant holds a character that no name has"},
		"no faults":                 {`{"tenant":"acme","operation":"remove","id":null,"spec":null}`, ""},
	} {
		for how, payload := range map[string]string{"raw": queued(c.request), "by the topic": queued(published(c.request)), "directly": c.request} {
			batch, err := event.Parse([]byte(payload))
			if err != nil {
				t.Fatalf("%s %s: %v: it ends in the dead-letter queue, and its sender waits", name, how, err)
			}
			r, ok := batch.Messages[0].Event.(event.TenantRequest)
			var faults []string
			for _, f := range r.Faults {
				faults = append(faults, f.String())
			}
			got := strings.Join(faults, "; ")
			if !ok || got != c.want && !(len(c.want) > 0 && c.want[0] == 'i' && strings.HasSuffix(got, c.want)) {
				t.Errorf("%s %s: %#v has the faults %q, want %q", name, how, batch.Messages[0].Event, got, c.want)
			}
		}
	}
}

// TestTenantRequestIDs holds that a message delivered twice is one request, in whatever envelope.
func TestTenantRequestIDs(t *testing.T) {
	plain, own := `{"tenant":"acme","operation":"remove"}`, `{"tenant":"acme","operation":"remove","id":"mine"}`
	notification := func(m string) string {
		return strings.Replace(published(m), `{`, `{"MessageId":"of-sns",`, 1)
	}
	for name, c := range map[string]struct{ payload, want string }{
		"through SNS and SQS":                 {queued(notification(plain)), "of-sns"},
		"straight to the queue":               {queued(plain), "of-sqs"},
		"directly":                            {plain, ""},
		"through SNS with the sender's own":   {queued(notification(own)), "mine"},
		"straight to the queue with the same": {queued(own), "mine"},
	} {
		payload := strings.Replace(c.payload, `"messageId":"`, `"messageId":"of-sqs","was":"`, 1)
		batch, err := event.Parse([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := batch.Messages[0].Event.(event.TenantRequest); !ok || r.ID != c.want {
			t.Errorf("%s: %#v", name, batch.Messages[0].Event)
		}
	}
}
