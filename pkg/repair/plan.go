package repair

import (
	"fmt"
	"slices"
	"strings"
)

// Change is one thing to do to an Auto Scaling group. Each is idempotent.
type Change struct {
	Do    Do     `json:"do"`
	Group string `json:"autoScalingGroup"`
	// Sources are what to attach: at most ten, of one type.
	Sources []Source `json:"sources,omitempty"`
	// TargetGroup is the ARN of the target group to register Instances in.
	TargetGroup string   `json:"targetGroup,omitempty"`
	Instances   []string `json:"instances,omitempty"`
	// Processes are what to resume.
	Processes []string `json:"processes,omitempty"`
	// Hook is the lifecycle hook to put back.
	Hook *Hook `json:"hook,omitempty"`
}

// Do is a kind of change.
type Do string

// The kinds of changes.
const (
	Attach      Do = "attach"
	Register    Do = "register"
	Resume      Do = "resume"
	RestoreHook Do = "restoreHook"
)

// String says the change in words, in the imperative.
func (c Change) String() string {
	switch c.Do {
	case Attach:
		return fmt.Sprintf("attach %s to %s", join(c.Sources), c.Group)
	case Register:
		return fmt.Sprintf("register %s of %s in %s", strings.Join(c.Instances, ", "), c.Group, Source{ELBV2, c.TargetGroup})
	case Resume:
		return fmt.Sprintf("resume %s of %s", strings.Join(c.Processes, ", "), c.Group)
	default:
		return fmt.Sprintf("put lifecycle hook %s back on %s", c.Hook.Name, c.Group)
	}
}

func join(sources []Source) string {
	words := make([]string, len(sources))
	for i, s := range sources {
		words[i] = s.String()
	}
	return strings.Join(words, ", ")
}

// attachLimit is how many traffic sources AttachTrafficSources takes (Amazon
// EC2 Auto Scaling API Reference). registerLimit keeps a RegisterTargets small;
// its API reference names no limit.
const (
	attachLimit   = 10
	registerLimit = 100
)

// Wanted is what a deployment group's current Auto Scaling group should have.
type Wanted struct {
	Sources []Source
	Hooks   []Hook
	// Settle asks that every instance in service be registered too. It is
	// wanted until the group is seen complete for the first time, and after
	// AddToLoadBalancer was suspended; else, an instance that is not
	// registered was taken out by somebody.
	Settle bool
}

// want is what the deployment group asks for and, on a group that is new, what
// the last good one had besides; and what keeps some of it waiting, if anything
// does.
func (o *Observed) want() (Wanted, *Hold) {
	w := Wanted{Hooks: o.wantedHooks(), Settle: !o.verified() || len(o.Record.Pending) > 0 || o.Record.Settle}
	var holds []*Hold
	for _, s := range o.wantedSources() {
		if hold := o.holdSource(s); hold != nil {
			holds = append(holds, hold)
		} else {
			w.Sources = append(w.Sources, s)
		}
	}
	return w, together(holds)
}

// wantedSources are the traffic sources that exist and that the group should
// have, sorted.
func (o *Observed) wantedSources() []Source {
	var wanted []Source
	for _, t := range o.Targets {
		if t.Kind == kindInstance && t.Health != nil && (o.names(t.source().Name()) || !o.verified()) {
			wanted = append(wanted, t.source())
		}
	}
	for _, name := range o.DeploymentGroup.Classic {
		wanted = append(wanted, Source{ClassicELB, name})
	}
	if !o.verified() {
		wanted = append(wanted, o.Record.Baseline.sources(ClassicELB)...)
		wanted = append(wanted, o.Record.Baseline.sources(VPCLattice)...)
	}
	slices.SortFunc(wanted, compareSources)
	return slices.Compact(wanted)
}

// wantedHooks are the lifecycle hooks that a group that is new should have, or
// that an operator wants tried again.
func (o *Observed) wantedHooks() []Hook {
	if o.verified() && !o.Hint.Insist {
		return nil
	}
	return o.oldHooks()
}

// oldHooks are the lifecycle hooks that the last good group had and, of one that
// is complete, those that could not be put back.
func (o *Observed) oldHooks() []Hook {
	switch b := o.Record.Baseline; {
	case b == nil:
		return nil
	case o.verified():
		return b.Lost
	default:
		return slices.Concat(b.Hooks, b.Lost)
	}
}

// Plan lists what must change so that the group serves like the one it was
// copied from. It only ever adds: what a person has attached stays. Processes
// that a dead deployment left suspended come first and alone, because what is
// attached while AddToLoadBalancer is suspended stays without its instances.
func Plan(want Wanted, o *Observed) []Change {
	if changes := o.planResume(o.Group); len(changes) > 0 {
		return changes
	}
	changes := planAttach(want, o.Group)
	if want.Settle {
		changes = append(changes, planRegister(want, o)...)
	}
	return append(changes, planHooks(want.Hooks, o.Group)...)
}

// planResume lifts what CodeDeploy suspended and did not resume.
func (o *Observed) planResume(g *Group) []Change {
	if g == nil || !o.abandoned(g) {
		return nil
	}
	return []Change{{Do: Resume, Group: g.Name, Processes: suspendedByCodeDeploy}}
}

// planLeft lifts them from the group that a failed deployment left behind.
func (o *Observed) planLeft(scope Scope) []Change {
	if o.Left == nil || !scope.admits(o.Left) {
		return nil
	}
	return o.planResume(o.Left)
}

func planAttach(want Wanted, got *Group) []Change {
	var changes []Change
	for _, kind := range []string{ELBV2, ClassicELB, VPCLattice} {
		missing := slices.DeleteFunc(slices.Clone(want.Sources), func(s Source) bool {
			return s.Type != kind || attached(got.Sources[s])
		})
		for chunk := range slices.Chunk(missing, attachLimit) {
			changes = append(changes, Change{Do: Attach, Group: got.Name, Sources: chunk})
		}
	}
	return changes
}

// planRegister registers the instances that were launched while
// AddToLoadBalancer was suspended: neither resuming the process nor a source
// that is attached already does that. A source still to be attached registers
// them itself.
func planRegister(want Wanted, o *Observed) []Change {
	var changes []Change
	for _, s := range want.Sources {
		state := o.Group.Sources[s]
		if s.Type != ELBV2 || !attached(state) || state == "Adding" {
			continue
		}
		var absent []string
		for _, i := range o.Group.Instances {
			if _, registered := o.Targets[s.ID].Health[i.ID]; i.InService && !registered {
				absent = append(absent, i.ID)
			}
		}
		slices.Sort(absent)
		for chunk := range slices.Chunk(absent, registerLimit) {
			changes = append(changes, Change{Do: Register, Group: o.Group.Name, TargetGroup: s.ID, Instances: chunk})
		}
	}
	return changes
}

// planHooks puts users' own lifecycle hooks back, which a copy is not seen to
// have.
func planHooks(want []Hook, got *Group) []Change {
	var changes []Change
	for _, h := range want {
		if !slices.ContainsFunc(got.Hooks, func(g Hook) bool { return g.Name == h.Name }) {
			changes = append(changes, Change{Do: RestoreHook, Group: got.Name, Hook: &h})
		}
	}
	return changes
}
