package repair

import (
	"slices"
	"time"
)

// Observed is everything that a decision on one deployment group rests on, as
// AWS tells it now.
type Observed struct {
	Key Key
	// Hint is what made us look. It tells whose end is news, and whether an
	// operator insists; what may be changed rests on the rest.
	Hint Hint
	// done are the changes that are pending, and so done once it is settled.
	done []Change
	// asked means that another look was asked for already.
	asked bool
	// Gone means that the deployment group does not exist.
	Gone bool
	// DeploymentGroup is the deployment group's configuration.
	DeploymentGroup DeploymentGroup
	// InProgress lists the deployments of the group that have not ended, the
	// hint's own not among them if it has.
	InProgress []string
	// Subject is the hint's deployment, Last the last that was attempted, and
	// Success the last that has succeeded; nil where there is none. What may
	// be done rests on the last two: events come late.
	Subject, Last, Success *Deployment
	// Failed is a failed or stopped blue/green deployment whose remains are to
	// be looked at.
	Failed *Deployment
	// Group is the Auto Scaling group that the deployment group names; nil if
	// it does not exist.
	Group *Group
	// Left is the replacement group of Failed; nil if it is gone.
	Left *Group
	// Targets holds what is registered in each target group that is wanted
	// and exists, by ARN.
	Targets map[string]TargetGroup
	// Missing lists target groups that the deployment group names and that do
	// not exist.
	Missing []string
	Record  Record
	Now     time.Time
}

// DeploymentGroup is the part of a deployment group's configuration that
// matters here.
type DeploymentGroup struct {
	Platform string // "Server", "Lambda" or "ECS"
	// BlueGreen means deployments of type blue/green.
	BlueGreen bool
	// Copies means that the green fleet is a copy of the Auto Scaling group.
	Copies       bool
	Groups       []string // names of its Auto Scaling groups
	TargetGroups []string // names of its target groups
	Classic      []string // names of its Classic Load Balancers
	// Last is the last deployment that was attempted, Success the last that
	// has succeeded; empty for none.
	Last, Success string
}

// Deployment is one CodeDeploy deployment.
type Deployment struct {
	ID string
	// Over means that it has ended, and Succeeded that it has ended well.
	Over      bool
	Succeeded bool
	// Ended is when it ended; zero if unknown, or if it has not.
	Ended time.Time
	// Scaling means that Auto Scaling made it, to deploy to one launching or
	// terminating instance.
	Scaling bool
	// Undoes is the deployment that this one rolls back; empty for none.
	Undoes string
	// Replacement names the Auto Scaling groups of its green fleet.
	Replacement []string
}

// Group is an Auto Scaling group.
type Group struct {
	Name string
	// ELBChecked means that the group replaces what a load balancer reports
	// unhealthy.
	ELBChecked bool
	Suspended  []string
	Instances  []Instance
	Tags       map[string]string
	// Sources holds the state of each of its traffic sources: Adding, Added,
	// InService, Removing or Removed. Other groups than the deployment group's
	// current one come without.
	Sources map[Source]string
	// Hooks are its lifecycle hooks but CodeDeploy's own, sorted by name.
	Hooks []Hook
}

// Instance is an instance of an Auto Scaling group.
type Instance struct {
	ID        string
	InService bool
}

// TargetGroup is an Elastic Load Balancing target group.
type TargetGroup struct {
	ARN string
	// Kind is its target type; only "instance" works with Auto Scaling.
	Kind string
	// Health holds the worst state of each registered instance over its ports,
	// as in DescribeTargetHealth.
	Health map[string]string
}

// ours tells whether the deployment group is one whose deployments lose their
// load balancing. All others need no second look.
func (o *Observed) ours() bool {
	g := o.DeploymentGroup
	return !o.Gone && g.Platform == "Server" && g.BlueGreen && g.Copies
}

// remains is the deployment that may have left a green group behind: the one
// that the hint is about, the last, the one that the last undoes, or one that
// is remembered; empty for none.
func (o *Observed) remains() string {
	for _, d := range []*Deployment{o.Subject, o.Last} {
		if d.failed() {
			return d.ID
		}
	}
	if o.Last != nil && o.Last.Undoes != "" {
		return o.Last.Undoes
	}
	return o.Record.Failed
}

// deployedTo tells whether the last successful deployment was one to the current
// group: an Auto Scaling group that was named in the deployment group by hand
// has yet to be deployed to. Where CodeDeploy does not say which group it was
// (that of a single launching instance names none), the traffic does.
func (o *Observed) deployedTo() bool {
	s := o.Success
	if s == nil || len(s.Replacement) > 0 {
		return s.to(o.Group)
	}
	return len(o.DeploymentGroup.TargetGroups) == 0 || o.rerouted()
}

// rerouted tells whether an instance of the group is registered in a target
// group that CodeDeploy moves traffic with.
func (o *Observed) rerouted() bool {
	for _, t := range o.Targets {
		for _, i := range o.Group.Instances {
			if _, registered := t.Health[i.ID]; registered && o.names(t.source().Name()) {
				return true
			}
		}
	}
	return false
}

// suspended tells whether instances that launch are not registered.
func (g *Group) suspended() bool { return slices.Contains(g.Suspended, "AddToLoadBalancer") }

func (t TargetGroup) source() Source { return Source{ELBV2, t.ARN} }

// sources are the baseline's sources of one type; none of no baseline.
func (b *Baseline) sources(kind string) []Source {
	if b == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(b.Sources), func(s Source) bool { return s.Type != kind })
}

// failed tells whether the deployment ended badly and may have left a green
// group. Deployments to single instances that Auto Scaling asks for have none.
func (d *Deployment) failed() bool { return d != nil && d.Over && !d.Succeeded && !d.Scaling }

// to tells whether the group is the deployment's green fleet. A rollback names
// the group that it goes back to.
func (d *Deployment) to(g *Group) bool {
	return d != nil && slices.Contains(d.Replacement, g.Name)
}
