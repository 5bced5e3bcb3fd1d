package drain

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"deployhooks/pkg/drain"
	"deployhooks/test/region"
)

// TestKilledAfterEachCall ends the function's process after each of the calls of a
// drain in turn.
func TestKilledAfterEachCall(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ {
		s := newScenario(t, setup{env: command("stop")})
		killed := s.KillAfter(n)
		s.scaleIn(2)
		s.untilReleased()
		all := !*killed
		s.SetFaults(nil)
		s.mustComplete(2)
		s.mustRunOnce(2)
		s.mustCutNothing()
		s.mustBeIdle()
		notified := map[string]bool{}
		for _, o := range s.outcomes("drained") {
			for _, i := range o.Instances {
				notified[i.Instance] = true
			}
		}
		if len(notified) != 2 {
			t.Errorf("operators do not know what the command wrote on %d of 2 instances: %q", 2-len(notified), s.Subjects())
		}
		if t.Failed() {
			t.Fatalf("killed after call %d", n)
		}
		if all {
			if n < 20 {
				t.Errorf("a drain takes %d calls only: not much was killed", n-1)
			}
			return
		}
	}
}

// TestAccessDenied has each call of the function denied by itself: operators learn
// which permission is missing, not over and over, and no instance is stuck.
func TestAccessDenied(t *testing.T) {
	t.Parallel()
	// Without these nobody knows what is in flight, or can complete the action; and
	// without the last, that no other sends the command too, so that the instance waits
	// for its deadline. (It used to be terminated by its hook's timeout instead.)
	holds := map[string]bool{"TransactWriteItems": true, "DescribeAutoScalingGroups": true, "DescribeTargetHealth": true, "DeregisterTargets": true, "CompleteLifecycleAction": true, "ListCommandInvocations": true}
	for _, operation := range []string{
		"DescribeAutoScalingGroups", "DescribeAutoScalingInstances", "DescribeLifecycleHooks", "CompleteLifecycleAction", "RecordLifecycleActionHeartbeat",
		"DescribeTargetGroups", "DescribeTargetGroupAttributes", "DescribeTargetHealth", "DeregisterTargets",
		"SendCommand", "ListCommands", "ListCommandInvocations", "GetDeployment",
		"SendMessage", "Query", "BatchGetItem", "PutItem", "TransactWriteItems", "PutEvents", "Publish",
	} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{env: settings{"COMMAND": "stop", "DEADLINE": "10m"}, heartbeat: 120, mix: []time.Duration{time.Second, 100 * time.Second}})
			denied := region.On(operation, 0, region.Fault{Before: region.AccessDenied("")})
			lost := region.On("SendCommand", 1, region.Fault{After: region.TimedOut()}) // so that commands are listed
			used := false
			s.SetFaults(func(c region.Call) region.Fault {
				if f := denied(c); f != (region.Fault{}) {
					used = true
					return f
				}
				return lost(c)
			})
			i := s.InService(s.group)[0]
			if _, err := s.Function.Invoke(t.Context(), []byte(`{"action":"drain","instance":"`+i+`"}`)); err != nil {
				t.Logf("drain %s: %v", i, err) // where the call is one that the answer needs
			}
			s.scaleIn(2)
			s.Advance(25 * time.Minute)
			if n := s.ActiveActions(); n > 0 {
				t.Errorf("%d instances are stuck", n)
			}
			for _, a := range s.actions() {
				if !holds[operation] && held(a) > 8*time.Minute {
					t.Errorf("%s was held %s for a permission that the function could do without", a.Instance, held(a))
				}
			}
			if !used {
				t.Skip("the function does not make this call here")
			}
			switch operation {
			case "PutEvents": // the next notification says so
				s.mustMention("events:PutEvents", "nobody can add the permission that is missing")
				return
			case "Publish": // other systems are notified, operators cannot be
				if s.Made("PutEvents") == 0 {
					t.Error("nobody was notified of anything")
				}
				return
			}
			if n := len(s.outcomes("action-required")); n < 1 || n > 3 {
				t.Errorf("%d notifications of a permission that is missing, want one or two: %q", n, s.Subjects())
			}
			named := map[string]string{"TransactWriteItems": "PutItem", "Query": "dynamodb:Query"}[operation]
			if text := s.texts(); !strings.Contains(text, operation) && (named == "" || !strings.Contains(text, named)) {
				t.Errorf("the notifications do not name the permission that is missing: %s", text)
			}
		})
	}
}

// TestOneStuckDrain shows that a drain that cannot end holds up no other.
func TestOneStuckDrain(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{})
	var stuck string
	s.SetFaults(func(c region.Call) region.Fault {
		if id := completes(c); id != "" && (stuck == "" || stuck == id) {
			stuck = id
			return region.Fault{Before: region.Unavailable()}
		}
		return region.Fault{}
	})
	s.scaleIn(3)
	s.untilHeld(3)
	s.Advance(5 * time.Minute)
	if n := s.ActiveActions(); n != 1 {
		t.Errorf("%d instances wait, want only the stuck one", n)
	}
	s.SetFaults(nil)
	s.untilReleased()
	s.mustComplete(3)
	s.mustCutNothing()
	s.mustBeIdle()
}

// TestThrottledFleet has two hundred instances leave while one call in six is
// throttled, after all the tries that the SDK would make, from beginning to end.
func TestThrottledFleet(t *testing.T) {
	t.Parallel()
	s := newScenario(t, setup{instances: 201, heartbeat: 600, perSecond: 5, region: region.Options{Throttling: true}})
	s.SetFaults(region.OneIn(6, 1, region.Fault{Before: region.Throttled()}))
	s.scaleIn(200)
	s.untilHeld(200)
	s.RunUntil(func() bool { return s.ActiveActions() == 0 }, 20*time.Minute)
	s.SetFaults(nil)
	s.untilReleased()
	s.mustComplete(200)
	s.mustCutNothing()
	s.mustNotify("deadline-passed", 0)
}

// TestOneCallInFourFails has calls fail from beginning to end, after all the tries
// that the SDK would make, under a hook of five minutes.
func TestOneCallInFourFails(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]region.Fault{
		"throttling":             {Before: region.Throttled()},
		"503":                    {Before: region.Unavailable()},
		"time-outs with effects": {After: region.TimedOut()},
	} {
		for seed := range uint64(20) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				t.Parallel()
				s := newScenario(t, setup{env: command("stop")})
				s.SetFaults(region.OneIn(4, seed, fault))
				s.scaleIn(3)
				s.untilHeld(3)
				s.Advance(10 * time.Minute)
				s.SetFaults(nil)
				s.untilReleased()
				s.mustComplete(3)
				s.mustCutNothing()
				for _, a := range s.actions() {
					// A command that may have been sent is not sent again before SSM
					// is sure to list it, which there may be no time for.
					if n := s.runs()[a.Instance]; n > 1 || n == 0 && !strings.Contains(s.texts(), a.Instance) {
						t.Errorf("the shutdown command ran %d times on %s; notified: %s", n, a.Instance, s.texts())
					}
				}
				if subjects := s.Subjects(); len(subjects) > 10 {
					t.Errorf("%d notifications of three instances: %q", len(subjects), subjects)
				}
			})
		}
	}
}

// hanging is an SSM that takes commands and never answers.
type hanging struct{ region.SSM }

func (hanging) SendCommand(ctx context.Context, _ *ssm.SendCommandInput, _ ...func(*ssm.Options)) (*ssm.SendCommandOutput, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// longestInvocation serves the queue and measures, in the time of a bubble, how
// long an invocation takes.
func (s *scenario) longestInvocation() *time.Duration {
	longest := new(time.Duration)
	s.Queue.Serve(func(payload []byte) ([]byte, error) {
		began := time.Now()
		defer func() { *longest = max(*longest, time.Since(began)) }()
		return s.Invoke(payload)
	})
	return longest
}

// TestSSMThatHangs holds that a service that hangs does not hang the function: an
// invocation ends well within the minute that it has, and instances are released
// when the command's time is over.
func TestSSMThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScenario(t, setup{env: command("systemctl stop shop")})
		s.Function = s.functionWith(func(c *drain.Clients) { c.Commands = hanging{s.SSM()} })
		longest := s.longestInvocation()
		s.scaleIn(2)
		s.untilReleased()
		s.mustComplete(2)
		s.mustCutNothing()
		if *longest == 0 || *longest > 50*time.Second {
			t.Errorf("an invocation takes %s of its 60 s", *longest)
		}
	})
}

// TestDamagedItem puts an item into the table that cannot be read, or that a newer
// version of the function has written: it keeps no other drain.
func TestDamagedItem(t *testing.T) {
	t.Parallel()
	text := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	number := func(v string) types.AttributeValue { return &types.AttributeValueMemberN{Value: v} }
	for name, item := range map[string]map[string]types.AttributeValue{
		"no JSON":             {"version": number("1"), "schema": number("1"), "value": text("{")},
		"a newer schema":      {"version": number("1"), "schema": number("99"), "value": text("{}")},
		"another type":        {"version": number("1"), "schema": number("1"), "value": text(`{"since":7,"actions":"x"}`)},
		"no version":          {"value": text("{}")},
		"nothing but its key": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t, setup{})
			item["instance"], item["open"] = text("i-0damaged"), text("open")
			_, err := s.DynamoDB().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("drains"), Item: item})
			if err != nil {
				t.Fatal(err)
			}
			s.scaleIn(2)
			s.untilReleased()
			s.mustComplete(2)
			s.mustCutNothing()
			if n := len(s.outcomes("action-required")); n > 2 {
				t.Errorf("%d notifications of one damaged item", n)
			}
		})
	}
}
