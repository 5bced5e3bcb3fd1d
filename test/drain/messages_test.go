package drain

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"deployhooks/test/region"
)

// TestMalformedMessageInABatch has a message that nobody understands moved to the
// dead-letter queue by itself.
func TestMalformedMessageInABatch(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	s.Queue.Send(`{"action":"dr`)
	s.Queue.Send(`{"continue":{"tick":{"slot":"soon"}}}`)
	s.scaleIn(2)
	s.untilReleased()
	s.mustComplete(2)
	s.mustCutNothing()
	s.Advance(10 * time.Minute)
	if dead := s.Queue.DeadLetters(); len(dead) != 2 {
		t.Errorf("%d messages are in the dead-letter queue, want the two bad ones: %v", len(dead), dead)
	}
}

// TestRequestsByOtherWays sends operators' requests by ways that others than
// operators may use. None of them changes anything.
func TestRequestsByOtherWays(t *testing.T) {
	t.Parallel()
	topic := func(body string) string {
		quoted, _ := json.Marshal(body)
		return fmt.Sprintf(`{"Type":"Notification","MessageId":"9f8d1b9c-0000-4000-8000-000000000001","TopicArn":"arn:aws:sns:eu-west-1:123456789012:events","Subject":"x","Message":%s,"Timestamp":"2024-03-04T09:00:00.000Z"}`, quoted)
	}
	bus := func(body string) string {
		return `{"version":"0","id":"1","detail-type":"x","source":"mine","account":"123456789012","time":"2024-03-04T09:00:00Z","region":"eu-west-1","resources":[],"detail":` + body + `,` + strings.TrimPrefix(body, "{")
	}
	for way, envelope := range map[string]func(string) string{
		"the queue": func(body string) string { return body },
		"a topic":   topic,
		"a bus":     bus,
	} {
		for _, action := range []string{"drain", "skip", "sweep", "tick"} {
			t.Run(way+" "+action, func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, setup{delay: 5 * time.Minute, mix: []time.Duration{time.Second, 4 * time.Minute}})
				s.Advance(5 * time.Minute)
				s.scaleIn(1)
				s.untilHeld(1)
				s.Advance(20 * time.Second)
				waiting, serving := s.actions()[0].Instance, s.InService(s.group)[0]
				instance := serving
				if action == "skip" {
					instance = waiting
				}
				s.Queue.Send(envelope(`{"action":"` + action + `","instance":"` + instance + `"}`))
				s.Advance(time.Minute)
				if s.actions()[0].Ending == region.Completed {
					t.Errorf("who may send a message has an instance terminated with its users' requests")
				}
				s.mustDrain(serving, false)
				s.untilReleased()
				s.mustCutNothing()
			})
		}
		t.Run(way+" continue", func(t *testing.T) {
			if way == "the queue" {
				t.Skip("it is the function's own")
			}
			t.Parallel()
			s := newScenario(t, setup{noSweep: true})
			s.ForgetCalls()
			s.Queue.Send(envelope(sweepMessage))
			s.Advance(time.Minute)
			if n := len(s.Calls()); n > 0 {
				t.Errorf("who may publish to a topic or a bus has the function make %d calls", n)
			}
		})
	}
}

// TestHostileRequests sends what a direct invocation should refuse: with an answer,
// without a panic, and without an effect.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{noSweep: true})
	i := s.InService(s.group)[0]
	for _, body := range []string{
		`{"action":"repair","application":"shop","deploymentGroup":"web","look":-1}`,
		`{"action":"drain","instance":"` + i + `","look":-1}`,
		`{"action":"drain","instance":"` + i + `","slot":-1}`,
		`{"action":"drain","instance":"` + i + `","continue":{}}`,
		`{"action":"drain","instance":"` + i + `","continue":{"tick":{"slot":-1}}}`,
		`{"action":"drain","instance":"` + i + `","instance":"i-0"}`,
		`{"action":"drain","Instance":"` + i + `","instance":"` + i + `"}`,
		`{"action":"drain"}`,
		`{"action":"drain","instance":""}`,
		`{"action":"drain","instance":null}`,
		`{"action":"drain","instance":["` + i + `"]}`,
		`{"action":"drain","instance":"clock"}`,
		`{"action":"drain","instance":"i-0123456789abcdef0\n"}`,
		`{"action":"drain","instance":"i-"}`,
		`{"action":"skip","instance":"../` + i + `"}`,
		`{"action":"tick","slot":1}`,
		`{"action":"tick","slot":-9223372036854775808}`,
		`{"action":"reconcile"}`,
		`{"action":""}`,
		`{"action":7}`,
		`{"action":"status","instance":7}`,
		`{"continue":{"sweep":{}}}`,
		`{"continue":{"tick":{"slot":9223372036854775807}}}`,
		`{"continue":{"reconcile":{"instance":"` + i + `"}}}`,
		`{"continue":[]}`,
		`[]`, `null`, `"drain"`, `{`, ``,
	} {
		answer, err := s.Function.Invoke(t.Context(), []byte(body))
		if err == nil {
			t.Errorf("%s was taken and answered with %s", body, answer)
		}
	}
	if n := len(s.Calls()); n > 0 {
		t.Errorf("requests that were refused led to %d calls, the first %s", n, s.Calls()[0].Operation)
	}
	s.mustDrain(i, false)
}

// TestHostileContinuations puts into the queue what only the function itself sends,
// damaged: no message stops the function, or has it wake itself for ever.
func TestHostileContinuations(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"continue":{"tick":{"slot":9999999999}}}`,
		`{"continue":{"tick":{"slot":-9223372036854775808}}}`,
		`{"continue":{"tick":{"slot":9223372036854775807}}}`,
		`{"continue":{"tick":{"at":"9999-12-31T23:59:59Z"}}}`,
		`{"continue":{"tick":{}}}`,
		`{"continue":{"tick":null}}`,
		`{"continue":{"reconcile":{}}}`,
		`{"continue":{"sweep":{"after":"zzzz"}}}`,
		`{"continue":{"sweep":{"after":7}}}`,
		`{"continue":{"sweep":{},"tick":{}}}`,
		`{"continue":{}}`,
		`{"continue":{"look":-1}}`,
	} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{})
			s.Queue.Send(body)
			s.Advance(time.Minute)
			s.scaleIn(2)
			s.untilReleased()
			s.mustComplete(2)
			s.mustCutNothing()
			s.Advance(10 * time.Minute)
			if n := s.Queue.Len(); n > 2 {
				t.Errorf("%d messages are in the queue when nothing happens", n)
			}
		})
	}
}

// terminateEvent is a lifecycle event as EventBridge delivers it.
func terminateEvent(change func(event, detail map[string]any)) string {
	detail := map[string]any{
		"LifecycleActionToken": "87654321-4321-4321-4321-210987654321", "AutoScalingGroupName": "shop-web", "LifecycleHookName": hook,
		"EC2InstanceId": "i-0123456789abcdef0", "LifecycleTransition": terminatingActions, "Origin": "AutoScalingGroup", "Destination": "EC2",
	}
	event := map[string]any{
		"version": "0", "id": "468fe059-f4b7-445f-bb22-2a271b94974d", "detail-type": "EC2 Instance-terminate Lifecycle Action", "source": "aws.autoscaling",
		"account": region.Account, "time": "2024-03-04T09:02:00Z", "region": region.Name, "resources": []string{}, "detail": detail,
	}
	change(event, detail)
	text, err := json.Marshal(event)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// TestDamagedOptionalFields replaces each field of the real event that a drain does
// not need by something that it cannot be. The instance is drained all the same.
func TestDamagedOptionalFields(t *testing.T) {
	t.Parallel()
	damages := map[string]any{
		"a number": 7, "a list": []any{"x"}, "an object": map[string]any{"x": map[string]any{}}, "nothing": nil, "a long text": strings.Repeat("x", 100_000), "control characters": "a\x00b\n",
	}
	for _, field := range []string{"NotificationMetadata", "Origin", "time", "resources", "version", "id", "Action"} {
		for name, damage := range damages {
			t.Run(field+" is "+name, func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, setup{noSweep: true})
				s.SetDelivery(lose)
				s.scaleIn(1)
				s.untilHeld(1)
				a := s.actions()[0]
				s.Queue.Send(terminateEvent(func(event, detail map[string]any) {
					detail["EC2InstanceId"], detail["LifecycleActionToken"], detail["AutoScalingGroupName"] = a.Instance, a.Token, a.Group
					if _, top := event[field]; top {
						event[field] = damage
					} else {
						detail[field] = damage
					}
				}))
				s.untilReleased()
				s.mustComplete(1)
				s.mustCutNothing()
				s.mustBeIdle()
			})
		}
	}
}

// TestEventOfAnotherAccountOrRegion is about instances that the function cannot see.
// It is out of scope unless configured.
func TestEventOfAnotherAccountOrRegion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		account, region, accept string
		calls                   bool
	}{
		"another account":             {"210987654321", region.Name, "", false},
		"another region":              {region.Account, "us-east-1", "", false},
		"another account, accepted":   {"210987654321", region.Name, "210987654321/" + region.Name, true},
		"the accepted account only":   {"210987654321", "us-east-1", "210987654321/" + region.Name, false},
		"our own account and region":  {region.Account, region.Name, "", true},
		"ours, with another accepted": {region.Account, region.Name, "210987654321/us-east-1", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := settings{}
			if c.accept != "" {
				env["ACCEPT_EVENTS_FROM"] = c.accept
			}
			s := newScenario(t, setup{noSweep: true, env: env})
			s.Queue.Send(terminateEvent(func(event, _ map[string]any) { event["account"], event["region"] = c.account, c.region }))
			s.Advance(20 * time.Second)
			if n := len(s.Calls()); (n > 0) != c.calls {
				t.Errorf("the event led to %d calls: events of another account are acted on here, or our own are not", n)
			}
			s.Advance(10 * time.Minute)
			if dead := s.Queue.DeadLetters(); len(dead) > 0 {
				t.Errorf("%d messages are in the dead-letter queue: a quiet success was due", len(dead))
			}
			s.mustNotNotify("the instance does not wait for the function")
		})
	}
}

// TestNotificationsThatFailInABatch holds that what cannot be notified keeps no
// other message of its batch, and that what fails has nothing notified again.
func TestNotificationsThatFailInABatch(t *testing.T) {
	t.Parallel()
	t.Run("nobody can be notified", func(t *testing.T) {
		t.Parallel()
		s := newScenario(t, setup{})
		s.SetFaults(region.On("Publish", 0, region.Fault{Before: region.Unavailable()}))
		running := s.InService(s.group)
		s.RecommendRebalance(running[2])
		s.Queue.Send(spotWarning(running[0]))
		s.Advance(20 * time.Minute)
		s.mustDrain(running[0], true)
		for _, dead := range s.Queue.DeadLetters() {
			if !strings.Contains(dead.Body, "Rebalance") {
				t.Errorf("moved to the dead-letter queue: %s", dead.Body)
			}
		}
	})
	t.Run("the table cannot be read", func(t *testing.T) {
		t.Parallel()
		s := newScenario(t, setup{noSweep: true})
		s.SetFaults(func(c region.Call) region.Fault {
			if c.Operation == "Query" || c.Operation == "Scan" || c.Operation == "BatchGetItem" {
				return region.Fault{Before: region.Unavailable()}
			}
			return region.Fault{}
		})
		s.RecommendRebalance(s.InService(s.group)[0])
		s.Queue.Send(sweepMessage)
		s.Advance(20 * time.Minute)
		if n := len(s.outcomes("announced")); n != 1 {
			t.Errorf("one announcement was notified %d times: %q", n, s.Subjects())
		}
	})
}
