package event_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"deployhooks/pkg/event"
)

// damages are what may be wrong with the value of a field. The last one is the field
// a second time.
var damages = []string{`null`, `5`, `true`, `{"x":1}`, `[7]`, `""`, `"half a pair \ud800"`, `"` + strings.Repeat("x", 2000) + `"`, again}

const again = "there twice"

// TestDamagedOptionalFields damages each field that an event can do without, one at a
// time and in every way. What is used counts as absent then, and what is not used
// changes nothing.
func TestDamagedOptionalFields(t *testing.T) {
	release, back := deployment(event.Succeeded), rolledBack(event.Succeeded)
	action, flat := replacingRootVolume(), straight(replacingRootVolume())
	for payload, fields := range map[string]map[string]event.Event{
		"codedeploy-eventbridge-success": {
			"account":                with(release, func(d *event.Deployment) { d.Account = "" }),
			"region":                 with(release, func(d *event.Deployment) { d.Region = "" }),
			"version":                release,
			"id":                     release,
			"time":                   release,
			"resources":              release,
			"detail.region":          release,
			"detail.instanceGroupId": release,
		},
		"codedeploy-message-rollback-succeeded": {
			"accountId":           with(back, func(d *event.Deployment) { d.Account = "" }),
			"region":              with(back, func(d *event.Deployment) { d.Region = "" }),
			"rollbackInformation": back,
			"errorInformation":    back,
			"deploymentOverview":  back,
			"createTime":          back,
			"completeTime":        back,
			"eventTriggerName":    back,
		},
		"autoscaling-eventbridge-terminate-replace-root-volume": {
			"account":                     with(action, func(a *event.LifecycleAction) { a.Account = "" }),
			"region":                      with(action, func(a *event.LifecycleAction) { a.Region = "" }),
			"time":                        with(action, func(a *event.LifecycleAction) { a.Began = never }),
			"detail.LifecycleActionToken": with(action, func(a *event.LifecycleAction) { a.Token = "" }),
			"detail.Action":               with(action, func(a *event.LifecycleAction) { a.Action = "" }),
			"detail.Origin":               with(action, func(a *event.LifecycleAction) { a.Origin = "" }),
			"detail.Destination":          with(action, func(a *event.LifecycleAction) { a.Destination = "" }),
			"detail.NotificationMetadata": action,
		},
		"autoscaling-message-terminate-replace-root-volume": {
			"AccountId":            with(flat, func(a *event.LifecycleAction) { a.Account = "" }),
			"Time":                 with(flat, func(a *event.LifecycleAction) { a.Began = never }),
			"LifecycleActionToken": with(flat, func(a *event.LifecycleAction) { a.Token = "" }),
			"Action":               with(flat, func(a *event.LifecycleAction) { a.Action = "" }),
			"Origin":               with(flat, func(a *event.LifecycleAction) { a.Origin = "" }),
			"Destination":          with(flat, func(a *event.LifecycleAction) { a.Destination = "" }),
			"NotificationMetadata": flat,
			"RequestId":            flat,
			"Service":              flat,
		},
		"ec2-eventbridge-spot-interruption": {
			"account":                event.SpotInterruption{Region: region, Instance: instance, Time: warned},
			"region":                 event.SpotInterruption{Account: account, Instance: instance, Time: warned},
			"time":                   event.SpotInterruption{Account: account, Region: region, Instance: instance},
			"detail.instance-action": event.SpotInterruption{Account: account, Region: region, Instance: instance, Time: warned},
		},
		"ec2-eventbridge-rebalance-recommendation": {
			"account": event.RebalanceRecommendation{Region: region, Instance: instance},
			"region":  event.RebalanceRecommendation{Account: account, Instance: instance},
		},
		"ec2-eventbridge-instance-stopping": {
			"account": event.StateChange{Region: region, Instance: instance, State: "stopping"},
			"region":  event.StateChange{Account: account, Instance: instance, State: "stopping"},
		},
		"health-eventbridge-scheduled-change": {
			"account":                 with(retirement(), func(m *event.Maintenance) { m.Account = "" }),
			"region":                  with(retirement(), func(m *event.Maintenance) { m.Region = "" }),
			"detail.eventTypeCode":    with(retirement(), func(m *event.Maintenance) { m.Code = "" }),
			"detail.eventDescription": with(retirement(), func(m *event.Maintenance) { m.Text = "" }),
			"detail.statusCode":       retirement(),
			"detail.startTime":        retirement(),
		},
	} {
		for field, want := range fields {
			t.Run(payload+"/"+field, func(t *testing.T) {
				for _, value := range damages {
					text := damaged(t, payload, field, value)
					batch, err := event.Parse(text)
					if err != nil {
						t.Errorf("%.40s: a good message ends in the dead-letter queue: %v", value, err)
					} else if got := batch.Messages[0].Event; !reflect.DeepEqual(got, want) {
						t.Errorf("%.40s: parsed to\n%+v\nwant\n%+v", value, got, want)
					}
				}
			})
		}
	}
}

// with is an event after a change.
func with[T any](e T, change func(*T)) T {
	change(&e)
	return e
}

// damaged is a payload whose field has another value. The field's name may begin
// with "detail.".
func damaged(t *testing.T, payload, field, value string) []byte {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(read(t, payload), &object); err != nil {
		t.Fatal(err)
	}
	if name, inside := strings.CutPrefix(field, "detail."); inside {
		object["detail"] = damage1(t, object["detail"], name, value)
		return marshal(t, object)
	}
	return damage1(t, marshal(t, object), field, value)
}

func damage1(t *testing.T, text json.RawMessage, field, value string) json.RawMessage {
	t.Helper()
	if value == again {
		name := string(marshal(t, field))
		twins := name + `:"this",` + name + `:"that"}`
		without := damage1(t, text, field, "null")
		return json.RawMessage(strings.TrimSuffix(string(without), "}") + "," + twins)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	object[field] = json.RawMessage(value)
	return marshal(t, object)
}
