package drain

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asgtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/smithy-go"

	"deployhooks/pkg/event"
	"deployhooks/pkg/fleet"
	"deployhooks/pkg/store"
)

// inMemory is a function whose clock is kept in the process.
func inMemory(now *time.Time) *Drainer {
	return &Drainer{clock: store.NewMemory[Clock](schema), known: &memory{}, log: slog.New(slog.DiscardHandler), now: func() time.Time { return *now }}
}

// TestClaim holds whose a tick is, and that the budget is granted once.
func TestClaim(t *testing.T) {
	now := noon
	r := inMemory(&now)
	claim := func(slot time.Time) claim { return r.claim(t.Context(), slot, least, nil) }
	if c := claim(noon); !c.mine || c.budget.AutoScaling != releaseBurst*defaultReleases {
		t.Errorf("the first tick: %+v", c)
	}
	if c := claim(noon); c.mine || c.budget != least {
		t.Errorf("the same tick again: %+v: two environments do everything twice", c)
	}
	now = noon.Add(tickInterval)
	if c := claim(noon.Add(tickInterval)); !c.mine || c.budget.AutoScaling != defaultReleases*10 {
		t.Errorf("after ten seconds: %+v: calls are throttled, other callers' too", c)
	}
	now = noon.Add(2*tickInterval + tickSoon)
	if c := claim(noon); c.mine || c.overdue {
		t.Errorf("a tick that is a little late: %+v: its successor is under way", c)
	}
	now = now.Add(time.Second)
	if c := claim(noon); !c.mine || !c.overdue {
		t.Errorf("no tick for long, and an old one comes again: %+v: nobody reconciles what is open", c)
	}
	now = noon.Add(-time.Minute)
	if c := claim(time.Time{}); !c.overdue {
		t.Errorf("another environment's clock is ahead: %+v: nobody reconciles what is open", c)
	}
}

// TestNextTick holds that a tick is never so soon that it would be sent late.
func TestNextTick(t *testing.T) {
	for ms := range 10_000 {
		now := noon.Add(time.Duration(ms) * time.Millisecond)
		r := inMemory(&now)
		if in := r.nextTick(tickSoon).Sub(now); in < time.Second || in > tickSoon+time.Second {
			t.Fatalf("at %s the next tick is in %s", now.Format(time.StampMilli), in)
		}
	}
}

// TestBudgetAfterTheClockWentBack holds that nothing is owed.
func TestBudgetAfterTheClockWentBack(t *testing.T) {
	granted, left := Budget{AutoScaling: 5}.grant(Config{}, -time.Hour, Budget{})
	if granted != least || left.AutoScaling != 5 {
		t.Errorf("granted %+v, left %+v: nothing is released for an hour", granted, left)
	}
}

// TestNobodyOvertakes holds that an instance with two actions gets its turn.
func TestNobodyOvertakes(t *testing.T) {
	two := waiting(heartbeat(4*time.Minute), change(func(d *Drain) {
		d.Actions = append(d.Actions, Action{Hook: "deployhooks-2", Timeout: 300, Heartbeat: noon.Add(-4 * time.Minute)})
	}))
	one := waiting(targets(webARN), heartbeat(time.Second))
	o := one.o
	o.Left = Budget{AutoScaling: 1}
	if steps := Plan(one.cfg, []Drain{two.d, one.d}, &o); steps[1].Release {
		t.Error("one that needs one call is released each time before one that needs two: that times out")
	}
}

// TestHeartbeatBehindTheDeadline holds that a release which fails is tried again for a
// while, and not for ever.
func TestHeartbeatBehindTheDeadline(t *testing.T) {
	for late, want := range map[time.Duration]bool{time.Minute: true, completeMargin: false} {
		if s := waiting(age(22*time.Minute+late), heartbeat(4*time.Minute)).plan(); !s.Release || s.Heartbeat != want {
			t.Errorf("%s after the deadline: released %t, heartbeat %t: it times out, or is kept without end", late, s.Release, s.Heartbeat)
		}
	}
}

// TestDelayIsLearnedOnce holds that what is known of the delay does not move the deadline.
func TestDelayIsLearnedOnce(t *testing.T) {
	s := waiting()
	if d := s.plan().Next; !d.DelaySince.Equal(s.d.DelaySince) {
		t.Errorf("the delay is known since %s, not %s: the deadline moves with each reconcile", d.DelaySince, s.d.DelaySince)
	}
}

// groupsClient answers about groups.
type groupsClient struct {
	Groups
	asked int
}

func (g *groupsClient) DescribeAutoScalingGroups(context.Context, *autoscaling.DescribeAutoScalingGroupsInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeAutoScalingGroupsOutput, error) {
	g.asked++
	name := "shop"
	return &autoscaling.DescribeAutoScalingGroupsOutput{AutoScalingGroups: []asgtypes.AutoScalingGroup{{AutoScalingGroupName: &name}}}, nil
}

// TestGroupReadBeforeTheDrain holds that what was read before a drain began is not
// taken for its instance's state, and later reconciles share what was read since.
func TestGroupReadBeforeTheDrain(t *testing.T) {
	now := noon
	client := &groupsClient{}
	r := inMemory(&now)
	r.clients.Groups = client
	ask := func(since time.Time) {
		q := &questions{r: r, o: &Observation{Now: now, Groups: map[string]*fleet.AutoScalingGroup{}, Fresh: map[string]bool{}, Failed: map[Question]error{}, Left: everything}}
		if q.askGroups(t.Context(), []Drain{{Group: "shop", Since: since}}); !q.o.Fresh["shop"] {
			t.Error("not read")
		}
	}
	r.known.groups.put("shop", nil, noon.Add(-time.Second))
	if ask(noon); client.asked != 1 {
		t.Errorf("asked %d times: an instance that the group got since is taken for gone", client.asked)
	}
	now = noon.Add(20 * time.Second)
	if ask(noon); client.asked != 1 {
		t.Errorf("asked %d times within seconds", client.asked)
	}
	now = noon.Add(groupsFor)
	if ask(noon); client.asked != 2 {
		t.Errorf("asked %d times: what another does with the instance is not seen", client.asked)
	}
}

// goneBalancers are load balancers of which none exists any more.
type goneBalancers struct{ Balancers }

var gone = &smithy.OperationError{ServiceID: "Elastic Load Balancing v2", OperationName: "X", Err: &smithy.GenericAPIError{Code: "TargetGroupNotFound"}}

func (goneBalancers) DescribeTargetGroupAttributes(context.Context, *elb.DescribeTargetGroupAttributesInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupAttributesOutput, error) {
	return nil, gone
}

func (goneBalancers) DeregisterTargets(context.Context, *elb.DeregisterTargetsInput, ...func(*elb.Options)) (*elb.DeregisterTargetsOutput, error) {
	return nil, gone
}

// TestDeletedTargetGroup holds that a target group which is deleted during the drain
// has no delay, and counts as left.
func TestDeletedTargetGroup(t *testing.T) {
	now := noon
	r := inMemory(&now)
	r.clients.Balancers = goneBalancers{}
	q := &questions{r: r, o: &Observation{Now: noon, Balancers: map[string]Balancer{}, Failed: map[Question]error{}}}
	if q.askDelay(t.Context(), webARN); !q.o.Balancers[webARN].DelayKnown || q.o.Balancers[webARN].Delay != 0 {
		t.Errorf("%+v: the deadline of what it leaves beside is an hour later", q.o.Balancers[webARN])
	}
	all := []work{{step: waiting(targets(webARN, "healthy")).plan()}}
	(&applying{Drainer: r, all: all}).deregister(t.Context())
	if did := all[0].did; len(did.left) != 1 || len(did.errs) > 0 {
		t.Errorf("%+v: it is deregistered at each tick, and its failure notified", did)
	}
}

// TestLostToAnother holds that the drain that another reconcile has written is that
// one's to notify of, and so is one that may have been saved.
func TestLostToAnother(t *testing.T) {
	now := noon
	r := inMemory(&now) // without a way to notify of anything
	d := Drain{Instance: "i-1", Since: noon}
	d.Ledger = d.Ledger.Add("m", d.about(Report{Outcome: Drained}))
	r.notify(t.Context(), []work{{drain: d, lost: true}, {drain: d, unsaved: true}, {drain: d, dropped: true}})
}

// TestForgedMessages holds that a message which somebody else puts into the queue touches
// neither the hooks of others nor the clock.
func TestForgedMessages(t *testing.T) {
	now := noon
	r := inMemory(&now)
	r.cfg.Hooks = "deployhooks-*"
	add := func(body string) (m messages, err error) {
		text, _ := json.Marshal(body)
		batch, err := event.Parse([]byte(`{"Records":[{"messageId":"m","eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:eu-west-1:123456789012:q","body":` + string(text) + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		return m, r.add(t.Context(), &m, 0, batch.Messages[0])
	}
	for _, body := range []string{
		`{"continue":{"tick":{"slot":1,"unsaved":[{"instance":"clock"}]}}}`,
		`{"source":"aws.ec2","detail-type":"EC2 Spot Instance Interruption Warning","detail":{"instance-id":"clock"}}`,
	} {
		if m, err := add(body); err == nil || len(m.triggers) > 0 {
			t.Errorf("%s is taken: the clock is overwritten, and all drains stand still", body)
		}
	}
	m, err := add(`{"continue":{"tick":{"slot":1,"unsaved":[{"instance":"i-1","since":"2026-03-02T12:00:00Z","actions":[{"hook":"theirs"},{"hook":"deployhooks-drain"}]}]}}}`)
	if err != nil || len(m.triggers) != 1 || len(m.triggers[0].Actions) != 1 || len(m.triggers[0].record.Actions) != 1 {
		t.Errorf("%v, %+v: the action of another owner's hook is completed", err, m.triggers)
	}
}
