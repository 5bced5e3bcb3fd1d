package setting

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	autoscalingtypes "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"

	"deployhooks/pkg/fleet"
)

func source(kind, id string) fleet.TrafficSource { return fleet.TrafficSource{Type: kind, ID: id} }

func elbv2(n int) []fleet.TrafficSource {
	var all []fleet.TrafficSource
	for i := range n {
		all = append(all, source(fleet.ELBV2, "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/t"+string(rune('a'+i))+"/1"))
	}
	return all
}

// group is a group with every setting that there is.
func group() (*fleet.AutoScalingGroup, Fetched) {
	return &fleet.AutoScalingGroup{
			Name: "blue", Sources: []fleet.TrafficSource{source(fleet.ELBV2, "arn:web"), source(fleet.ClassicELB, "old")}, Metrics: []string{"GroupDesiredCapacity"},
		}, Fetched{lifecycleHooks.Name: []fleet.LifecycleHook{
			{Name: fleet.ManagedHook + "x"}, {Name: "drain", Transition: "autoscaling:EC2_INSTANCE_TERMINATING", Timeout: 300, DefaultResult: "CONTINUE", Metadata: "secret", RoleARN: "arn:role"},
		}}
}

func TestDiff(t *testing.T) {
	whole, hooks := group()
	for name, c := range map[string]struct {
		want, got Snapshot
		changes   []string
		harm      string
	}{
		"the same": {Take(whole, hooks), Take(whole, hooks), nil, "a group in order is changed"},
		"a copy that lost everything": {Take(whole, hooks), Snapshot{}, []string{
			"resume AddToLoadBalancer, AlarmNotification, ScheduledActions of green", "attach target group arn:web to green",
			"attach Classic Load Balancer old to green", "put lifecycle hook drain back on green", "collect the metrics GroupDesiredCapacity of green",
		}, "part of the group is lost at the release"},
		"a copy with more": {Snapshot{}, Take(whole, hooks), nil, "what a person has added is taken away"},
		"a hook of the same name that differs": {
			Take(whole, hooks), Snapshot{lifecycleHooks.Name: {{Name: "drain", Data: json.RawMessage(`{}`)}}}.Merge(Take(whole, hooks)), nil, "a person's change is undone",
		},
		"eleven target groups": {
			Snapshot{TrafficSources: SourceItems(elbv2(11))}, Snapshot{},
			[]string{"attach target group ta, target group tb, target group tc, target group td, target group te, target group tf, target group tg, target group th, target group ti, target group tj to green", "attach target group tk to green"},
			"AWS refuses a call with eleven traffic sources",
		},
		"ten target groups": {
			Snapshot{TrafficSources: SourceItems(elbv2(10))}, Snapshot{TrafficSources: SourceItems(elbv2(9))}, []string{"attach target group tj to green"}, "what is attached is attached again",
		},
	} {
		var got []string
		for _, change := range Diff("green", c.want, c.got) {
			got = append(got, change.String())
		}
		if !slices.Equal(got, c.changes) {
			t.Errorf("%s: %s\n got %q\nwant %q", name, c.harm, got, c.changes)
		}
	}
}

// api answers nothing and writes down what it was asked to do.
type api struct {
	calls []any
	err   error
}

func (a *api) DescribeLifecycleHooks(context.Context, *autoscaling.DescribeLifecycleHooksInput, ...func(*autoscaling.Options)) (*autoscaling.DescribeLifecycleHooksOutput, error) {
	return &autoscaling.DescribeLifecycleHooksOutput{LifecycleHooks: []autoscalingtypes.LifecycleHook{}}, a.err
}

func (a *api) AttachTrafficSources(_ context.Context, in *autoscaling.AttachTrafficSourcesInput, _ ...func(*autoscaling.Options)) (*autoscaling.AttachTrafficSourcesOutput, error) {
	a.calls = append(a.calls, in)
	return nil, a.err
}

func (a *api) PutLifecycleHook(_ context.Context, in *autoscaling.PutLifecycleHookInput, _ ...func(*autoscaling.Options)) (*autoscaling.PutLifecycleHookOutput, error) {
	a.calls = append(a.calls, in)
	return nil, a.err
}

func (a *api) ResumeProcesses(_ context.Context, in *autoscaling.ResumeProcessesInput, _ ...func(*autoscaling.Options)) (*autoscaling.ResumeProcessesOutput, error) {
	a.calls = append(a.calls, in)
	return nil, a.err
}

func (a *api) EnableMetricsCollection(_ context.Context, in *autoscaling.EnableMetricsCollectionInput, _ ...func(*autoscaling.Options)) (*autoscaling.EnableMetricsCollectionOutput, error) {
	a.calls = append(a.calls, in)
	return nil, a.err
}

// TestEveryKind holds for each kind that a copy which lost it gets it back with one
// call that names the group, that the call's failure is returned, that the change has
// words, that its permission is known, and that nothing of a hook's owner is public.
func TestEveryKind(t *testing.T) {
	whole, hooks := group()
	for _, k := range Kinds {
		t.Run(k.Name, func(t *testing.T) {
			want := Take(whole, hooks)
			if len(want[k.Name]) == 0 {
				t.Fatal("the group has none of this: this shows nothing")
			}
			for _, c := range k.Diff("green", want[k.Name], nil) {
				calls := &api{}
				if err := Apply(t.Context(), calls, c); err != nil || len(calls.calls) != 1 {
					t.Fatalf("%s makes %d calls: %v", c, len(calls.calls), err)
				}
				text, _ := json.Marshal(calls.calls[0])
				if !strings.Contains(string(text), `"green"`) {
					t.Errorf("the call does not name the group: %s", text)
				}
				if err := Apply(t.Context(), &api{err: errors.New("no")}, c); err == nil {
					t.Error("a failure is taken for success: the setting stays lost")
				}
				if !strings.Contains(c.String(), "green") {
					t.Errorf("operators read %q", c)
				}
				if public, _ := json.Marshal(c); strings.Contains(string(public), "secret") || strings.Contains(string(public), "arn:role") {
					t.Errorf("what the hook's owner wrote for himself is public: %s", public)
				}
			}
			if len(k.Actions) == 0 || !slices.Contains(Actions(), k.Actions[0]) {
				t.Error("the role does not get the permission")
			}
		})
	}
	if err := Apply(t.Context(), &api{}, Change{Kind: "unknown"}); err == nil {
		t.Error("a change of no kind is taken for done")
	}
	if _, err := Fetch(t.Context(), &api{err: errors.New("no")}, "green"); err == nil {
		t.Error("what cannot be read is taken for lost")
	}
}

func TestSnapshot(t *testing.T) {
	whole, hooks := group()
	all := Take(whole, hooks)
	if s := all.Without(all); len(s) != 0 {
		t.Errorf("without itself: %v", s)
	}
	if s := (Snapshot{}).Merge(all); !s.Equal(all) {
		t.Errorf("merged into nothing: %v", s)
	}
	if !(Snapshot{}).Equal(nil) || all.Equal(Snapshot{}) {
		t.Error("empty snapshots differ, or a full one is empty")
	}
	if s := all.Seen(nil); len(s[lifecycleHooks.Name]) > 0 || len(s[TrafficSources]) != 2 {
		t.Errorf("without asking, one sees %v", s)
	}
	if s := all.Seen(Fetched{}); !s.Equal(all) {
		t.Errorf("having asked, one sees %v", s)
	}
	if got := all.Sources(); len(got) != 2 || got[1] != source(fleet.ClassicELB, "old") {
		t.Errorf("the traffic sources are %v", got)
	}
	suspended := &fleet.AutoScalingGroup{Suspended: []string{"ScheduledActions", "AddToLoadBalancer", "AlarmNotification"}}
	if !SuspendedByCodeDeploy(suspended) || len(Take(suspended, nil)) != 0 {
		t.Error("what CodeDeploy suspends is not recognised")
	}
	if Plain("web") != "web" || strings.Contains(Join([]string{"a\nb"}), "\n") {
		t.Error("a name breaks the lines of a notification")
	}
}
