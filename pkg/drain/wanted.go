package drain

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
)

// resolution is what a configured name stands for: the ID of a load balancer, or
// why it stands for none.
type resolution struct{ id, reason string }

// rejectedFor is how long a name stays rejected, which operators may be correcting.
const rejectedFor = time.Minute

// targetGroupName is the form of a target group's name (CreateTargetGroup, Elastic
// Load Balancing API Reference), and targetGroupARN that of its ARN.
var (
	targetGroupName = regexp.MustCompile(`^[A-Za-z0-9-]{1,32}$`)
	targetGroupARN  = regexp.MustCompile(`^arn:[^:]+:elasticloadbalancing:([^:]*):([^:]*):targetgroup/[^/]+/[^/]+$`)
)

// resolved is what a name stands for, as far as it is known without asking.
func (r *Drainer) resolved(name string) (resolution, bool) {
	arn := targetGroupARN.FindStringSubmatch(name)
	home := r.cfg.Home
	switch {
	case arn == nil && !targetGroupName.MatchString(name):
		return resolution{reason: "it is neither the name nor the ARN of a target group; separate several by spaces"}, true
	case arn != nil && (home.Region != "" && arn[1] != home.Region || home.Account != "" && arn[2] != home.Account):
		return resolution{reason: "it is in another account or region"}, true
	}
	known, ok := r.known.names.get(name, time.Time{})
	return known, ok && (known.id != "" || r.now().Sub(r.known.names.at(name)) < rejectedFor)
}

// unresolved are the names that AWS has to be asked about.
func (r *Drainer) unresolved(names []string) []string {
	return slices.DeleteFunc(names, func(name string) bool { _, ok := r.resolved(name); return ok })
}

// resolve asks what names stand for. What cannot be read stays as it was.
func (r *Drainer) resolve(ctx context.Context, names []string) error {
	found, missing, err := fleet.TargetGroups(ctx, r.clients.Balancers, names...)
	for _, t := range found {
		r.keep(t)
	}
	for _, name := range missing {
		r.known.names.put(name, resolution{reason: "it does not exist"}, r.now())
	}
	return err
}

// keep remembers a target group.
func (r *Drainer) keep(t fleet.TargetGroup) {
	known, _ := r.known.balancers.get(t.ARN, time.Time{})
	known.ID, known.Network = t.ARN, t.Network()
	at := r.known.balancers.at(t.ARN) // that of its delay
	if at.IsZero() {
		at = r.now()
	}
	r.known.balancers.put(t.ARN, known, at)
	is := resolution{id: t.ARN}
	if t.TargetType != fleet.InstanceTargets {
		is = resolution{reason: fmt.Sprintf("its targets are of type %s; instances cannot be deregistered from it", t.TargetType)}
	}
	r.known.names.put(t.ARN, is, r.now())
	r.known.names.put(t.Name, is, r.now())
}

// askWanted finds out which load balancers the instances of each group have to
// leave: those attached to it, those of the deployment that made it, those that its
// tags and the configuration name, and all that hold an instance where the
// configuration or an interrupted instance asks for that.
func (q *questions) askWanted(ctx context.Context, drains []Drain) {
	named := map[string]*wantedNames{}
	search := q.r.cfg.FindTargetGroups
	for _, d := range drains {
		n := named[d.Group]
		if n == nil {
			n = q.names(ctx, d.Group)
			named[d.Group] = n
		}
		// The group of an interrupted instance cannot be read: search for it.
		search = search || !n.groupKnown && !d.EC2EndsAt.IsZero() && len(d.Balancers) == 0
	}
	var all []string
	for _, n := range named {
		all = append(all, n.targetGroups...)
	}
	var failed error
	if ask := q.r.unresolved(all); len(ask) > 0 && take(&q.o.Left.Balancing) {
		failed = q.r.resolve(ctx, ask)
	}
	for group, n := range named {
		w, err := q.wanted(group, n, failed)
		q.note(aboutWanted, group, err, func(o *Observation) { o.Wanted[group] = w })
	}
	if search {
		q.search(ctx, drains)
	}
	for id := range q.balancers(drains) {
		if known, ok := q.r.known.balancers.get(id, time.Time{}); ok {
			q.o.Balancers[id] = known
		}
	}
}

// wantedNames are the names by which a group's load balancers are known.
type wantedNames struct {
	targetGroups []string // names and ARNs
	attached     []string // IDs
	groupKnown   bool
	err          error
}

func (q *questions) names(ctx context.Context, name string) *wantedNames {
	group, known := q.o.Groups[name]
	n := &wantedNames{targetGroups: slices.Clone(q.r.cfg.TargetGroups), groupKnown: known}
	if !known {
		n.err = q.o.Failed[Question{aboutGroup, name}]
		n.groupKnown = name == "" && n.err == nil // the instance is in none
	}
	if group == nil {
		return n
	}
	for _, s := range group.Sources {
		switch s.Type {
		case fleet.ELBV2:
			n.attached = append(n.attached, s.ID)
			n.targetGroups = append(n.targetGroups, s.ID)
		case fleet.ClassicELB:
			n.attached = append(n.attached, classicID(s.ID))
		}
	}
	deployed, err := q.r.deploymentTargets(ctx, group.Tags[fleet.ProvisioningTag])
	n.err = errors.Join(n.err, err)
	n.targetGroups = slices.Concat(n.targetGroups, deployed, strings.Fields(group.Tags[TargetGroupsTag]))
	return n
}

// deploymentTargets are the names of the target groups that CodeDeploy registered
// the instances of a group that it made in.
func (r *Drainer) deploymentTargets(ctx context.Context, deployment string) ([]string, error) {
	if deployment == "" {
		return nil, nil
	}
	if names, ok := r.known.deployments.get(deployment, time.Time{}); ok {
		return names, nil // they do not change
	}
	out, err := r.clients.Deployments.GetDeployment(ctx, &codedeploy.GetDeploymentInput{DeploymentId: &deployment})
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	var names []string
	if err == nil && out.DeploymentInfo.LoadBalancerInfo != nil {
		for _, t := range out.DeploymentInfo.LoadBalancerInfo.TargetGroupInfoList {
			names = append(names, aws.ToString(t.Name))
		}
	}
	r.known.deployments.put(deployment, names, r.now())
	return names, nil
}

// wanted are the load balancers that a group's names stand for; failed is why some
// could not be resolved. Where it is denied which group an instance is in, it may be
// in any.
func (q *questions) wanted(group string, n *wantedNames, failed error) (Wanted, error) {
	w := Wanted{Attached: n.attached, Balancers: slices.Clone(n.attached)}
	w.Complete = n.groupKnown && n.err == nil || group != "" && fault.Is(n.err, fault.Denied)
	errs := []error{n.err}
	for _, name := range n.targetGroups {
		is, ok := q.r.resolved(name)
		switch attached := slices.Contains(n.attached, name); {
		case !ok:
			errs = append(errs, failed)
			// An attached one can be left although nothing else is known of it.
			w.Complete = w.Complete && (attached && failed != nil || fault.Is(failed, fault.Denied))
		case is.id != "":
			w.Balancers = append(w.Balancers, is.id)
		case !attached: // else deleted while attached: nobody can be in it
			w.Rejected = append(w.Rejected, fmt.Sprintf("target group %q: %s", name, is.reason))
		}
	}
	w.Balancers = sorted(w.Balancers)
	w.Rejected = sorted(w.Rejected)
	return w, errors.Join(errs...)
}

func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}
