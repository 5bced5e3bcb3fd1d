package drain

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/store"
)

// down is a table that answers nothing.
type down[T any] struct{ store.Store[T] }

var errDown = errors.New("503")

func (down[T]) Get(context.Context, ...store.Key) (map[store.Key]store.Item[T], error) {
	return nil, errDown
}

func (down[T]) Put(context.Context, ...store.Item[T]) ([]store.Key, error) { return nil, errDown }

// TestClockOutOfReach holds what a claim comes to without the table.
func TestClockOutOfReach(t *testing.T) {
	now := noon
	r := inMemory(&now)
	r.clock = down[Clock]{}
	if c := r.claim(t.Context(), noon, least, nil); !c.mine || !c.overdue || c.budget.AutoScaling != defaultReleases*5 {
		t.Errorf("a tick: %+v: nobody reconciles what is open, or two environments exceed the rates", c)
	}
	if c := r.claim(t.Context(), time.Time{}, least, nil); c.mine {
		t.Errorf("an event: %+v: each reads all that is open", c)
	}
}

// commands counts the instances that commands were sent to.
type commands struct {
	Commands
	sent []string
}

func (c *commands) SendCommand(_ context.Context, in *ssm.SendCommandInput, _ ...func(*ssm.Options)) (*ssm.SendCommandOutput, error) {
	c.sent = append(c.sent, in.InstanceIds...)
	return &ssm.SendCommandOutput{Command: &ssmtypes.Command{CommandId: aws.String("c-1")}}, nil
}

// TestCommandThatCannotBeReserved holds that no command runs which no record shows, and
// that none counts as sent which was not.
func TestCommandThatCannotBeReserved(t *testing.T) {
	for name, drains := range map[string]store.Store[Drain]{"table down": down[Drain]{}, "table up": store.NewMemory[Drain](schema)} {
		now, client := noon, &commands{}
		r := inMemory(&now)
		r.drains, r.clients.Commands = drains, client
		d := Drain{Instance: "i-1", Since: noon}
		all := []work{{item: store.Item[Drain]{Key: store.Key{Partition: "i-1"}}, drain: d, step: Step{Next: d, Send: Shutdown{Commands: "stop"}, Timeout: time.Minute}}}
		a := &applying{Drainer: r, all: all, o: &Observation{Now: noon}}
		a.send(t.Context(), a.reserve(t.Context()))
		up := name == "table up"
		if len(client.sent) == 1 != up {
			t.Errorf("%s: sent to %q: the command runs twice, or never", name, client.sent)
		}
		if got := all[0].step.record(&all[0].did, a.o).Command; got.Asked.IsZero() == up {
			t.Errorf("%s: recorded as %+v: the instance waits for a command that was never sent", name, got)
		}
	}
}

// TestOpenDrainsAreKnownOnceSaved holds that what may differ from the table is not kept
// from it.
func TestOpenDrainsAreKnownOnceSaved(t *testing.T) {
	for name, w := range map[string]work{"saved": {}, "written by another": {lost: true}, "not saved": {unsaved: true}} {
		now := noon
		r := inMemory(&now)
		r.known.open.put("", openAt{}, noon)
		r.keepOpen([]work{{item: store.Item[Drain]{Open: true}}, w}, 7)
		if known, _ := r.known.open.get("", time.Time{}); (known.clock == 7) != (name == "saved") {
			t.Errorf("%s: known at %d: a drain that the table has is not reconciled for minutes", name, known.clock)
		}
	}
}

// empty are load balancers in which nothing is registered; they count who asks.
type empty struct {
	Balancers
	mu    sync.Mutex
	asked map[string]int
}

func (e *empty) DescribeTargetHealth(_ context.Context, in *elb.DescribeTargetHealthInput, _ ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked[*in.TargetGroupArn]++
	return &elb.DescribeTargetHealthOutput{}, nil
}

// TestInterruptedInstanceIsAskedAboutAlone holds that the first calls are for the
// instance that EC2 ends, and that the others' come soon.
func TestInterruptedInstanceIsAskedAboutAlone(t *testing.T) {
	now, client := noon, &empty{asked: map[string]int{}}
	r := inMemory(&now)
	r.clients.Balancers = client
	known := Balancer{DelayKnown: true}
	r.known.balancers.put(webARN, known, noon)
	r.known.balancers.put(sideARN, known, noon)
	q := &questions{r: r, o: &Observation{Now: noon, Balancers: map[string]Balancer{webARN: known, sideARN: known}, Failed: map[Question]error{}, Targets: map[string]map[string][]fleet.Target{}, Left: everything}}
	q.askTargets(t.Context(), []Drain{
		{Instance: "i-1", Since: noon, EC2EndsAt: noon.Add(2 * time.Minute), Balancers: map[string]Left{sideARN: {}}},
		{Instance: "i-2", Since: noon.Add(-time.Minute), Balancers: map[string]Left{webARN: {At: noon.Add(-time.Minute), Times: 1}}},
	})
	if got := slices.Collect(maps.Keys(client.asked)); !slices.Equal(got, []string{sideARN}) || !q.o.Deferred {
		t.Errorf("asked about %q, deferred %t: the interrupted instance waits for its turn, or the others for a whole tick", got, q.o.Deferred)
	}
}
