package repair

import (
	"log/slog"
	"testing"
	"time"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/invoke"
	"deployhooks/pkg/repair/setting"
	"deployhooks/pkg/store"
	"deployhooks/test/region"
)

// summaryInOrder is a deployment group that needs nothing, by its summary.
func summaryInOrder() summary {
	g := &fleet.AutoScalingGroup{Name: green, ARN: "arn:" + green, Sources: []fleet.TrafficSource{web}}
	return summary{
		DeploymentGroup: DeploymentGroup{ID: "dg-1", Groups: []string{green}, TargetGroups: []string{"web"}, Last: "d-2"}, group: g,
		record: Record{
			Published: green, Deployment: "d-2",
			Baseline: &Baseline{Group: green, ARN: g.ARN, DeploymentGroupID: "dg-1", Settings: setting.Take(g, nil)},
		},
	}
}

// TestInOrder holds which deployment groups a sweep leaves alone.
func TestInOrder(t *testing.T) {
	if !summaryInOrder().inOrder() {
		t.Fatal("each sweep reconciles every deployment group of the account")
	}
	for name, change := range map[string]func(*summary){
		"without a group":                    func(g *summary) { g.group = nil },
		"a group created anew":               func(g *summary) { g.group.ARN = "arn:another" },
		"another deployment since":           func(g *summary) { g.Last = "d-3" },
		"a name that is not published":       func(g *summary) { g.record.Published = blue },
		"changes whose effect was not seen":  func(g *summary) { g.record.Pending = []setting.Change{{Kind: register}} },
		"something that blocks":              func(g *summary) { g.record.Blocked = map[string]time.Time{"x": noon} },
		"instances registered one by one":    func(g *summary) { g.record.Bridged = &Bridge{Group: green} },
		"instances on standby":               func(g *summary) { g.record.OnStandby = []string{"i-1"} },
		"instances launched while suspended": func(g *summary) { g.record.Settle = true },
		"a group of a failed release":        func(g *summary) { g.record.Former = []string{blue} },
		"a target group that is lacking":     func(g *summary) { g.TargetGroups = append(g.TargetGroups, "admin") },
		"a load balancer that is lacking":    func(g *summary) { g.Classic = []string{"old"} },
	} {
		g := summaryInOrder()
		if change(&g); g.inOrder() {
			t.Errorf("%s is in order: nobody reconciles it after a missed event", name)
		}
	}
}

// TestCheck holds what a sweep hands over.
func TestCheck(t *testing.T) {
	k := Key{"shop", "web"}
	for name, c := range map[string]struct {
		record     Record
		balanced   bool
		inScope    int
		handedOver int
		harm       string
	}{
		"nothing is known of it":         {balanced: true, inScope: 1, handedOver: 1, harm: "nobody reconciles it after a missed event"},
		"a continuation is on its way":   {record: Record{Due: noon.Add(time.Minute)}, balanced: true, inScope: 1, harm: "each sweep doubles the calls"},
		"its continuation was lost":      {record: Record{Due: noon.Add(-time.Minute)}, balanced: true, inScope: 1, handedOver: 1, harm: "a lost message ends the repair"},
		"without load balancing":         {harm: "what is not managed here is reconciled"},
		"without, but it had a baseline": {record: Record{Baseline: &Baseline{Group: "former"}}, inScope: 1, handedOver: 1, harm: "load balancing that somebody took out of the deployment group is lost"},
	} {
		t.Run(name, func(t *testing.T) {
			r := region.New(region.Options{})
			svc := r.AddService(region.Service{Application: k.Application, DeploymentGroup: k.DeploymentGroup, TargetGroups: []string{"web"}, Instances: 1})
			q := r.Queue("repair")
			records := store.NewMemory[Record](schema)
			if _, err := records.Put(t.Context(), store.Item[Record]{Key: k.key(), Value: c.record}); err != nil {
				t.Fatal(err)
			}
			dg := DeploymentGroup{ID: "dg-1", Groups: []string{r.GroupOf(svc)}}
			if c.balanced {
				dg.TargetGroups = []string{"web"}
			}
			s := &sweeper{Repairer: &Repairer{
				clients: Clients{Groups: r.AutoScaling()}, records: records, log: slog.New(slog.DiscardHandler), now: func() time.Time { return noon },
				queue: invoke.Queue{URL: q.URL(), Client: r.SQS()},
			}}
			r.ForgetCalls()
			if err := s.check(t.Context(), map[Key]DeploymentGroup{k: dg}); err != nil {
				t.Fatal(err)
			}
			if s.swept.InScope != c.inScope || len(s.swept.HandedOver) != c.handedOver || len(q.Messages()) != c.handedOver {
				t.Errorf("it finds %+v, and sends %d messages: %s", s.swept, len(q.Messages()), c.harm)
			}
			for _, call := range r.Calls() {
				if call.Operation == "DescribeLifecycleHooks" {
					t.Error("it asks for details of what is reconciled anyway: the sweep takes twice the calls when all is late")
				}
			}
		})
	}
}
