package setting

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"deployhooks/pkg/fleet"
)

// whole is a group with settings that its description shows, and one that it does not.
func whole() (*fleet.AutoScalingGroup, Fetched) {
	return &fleet.AutoScalingGroup{Name: "blue", Sources: []fleet.TrafficSource{source(fleet.ELBV2, "arn:web"), source(fleet.ClassicELB, "old")}},
		Fetched{lifecycleHooks.Name: []fleet.LifecycleHook{drainHook}}
}

func TestDiff(t *testing.T) {
	want := Take(whole())
	for name, c := range map[string]struct {
		got     Snapshot
		changes []string
		harm    string
	}{
		"the same": {want, nil, "a group in order is changed"},
		"a copy that lost everything": {Snapshot{}, []string{
			"resume AddToLoadBalancer, AlarmNotification, ScheduledActions of green", "attach target group arn:web to green",
			"attach Classic Load Balancer old to green", "put lifecycle hook drain back on green",
		}, "part of the group is lost at the release"},
		"a hook of the same name that differs": {
			Snapshot{lifecycleHooks.Name: {{Name: "drain", Data: json.RawMessage(`{}`)}}}.Merge(want), nil, "a person's change is undone",
		},
	} {
		if got := words(Diff("green", want, c.got)); !slices.Equal(got, c.changes) {
			t.Errorf("%s: %s\n got %q\nwant %q", name, c.harm, got, c.changes)
		}
	}
	if changes := Diff("green", nil, want); len(changes) > 0 {
		t.Errorf("what a person has added is taken away: %v", changes)
	}
}

func TestWhatCannotBeDone(t *testing.T) {
	if err := Apply(t.Context(), client(&calls{}), Change{Kind: "unknown"}); err == nil {
		t.Error("a change of no kind is taken for done")
	}
	if _, err := Fetch(t.Context(), client(denied{}), "green"); err == nil {
		t.Error("what cannot be read is taken for lost")
	}
}

func TestSnapshot(t *testing.T) {
	all := Take(whole())
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
	suspended := &fleet.AutoScalingGroup{Suspended: slices.Clone(released)}
	if len(Take(suspended, nil)) != 0 {
		t.Error("a kind without items is in the snapshot: it differs from one that never had it")
	}
	if Plain("web") != "web" || strings.Contains(Join([]string{"a\nb"}), "\n") {
		t.Error("a name breaks the lines of a notification")
	}
}
