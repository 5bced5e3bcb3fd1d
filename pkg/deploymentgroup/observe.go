package deploymentgroup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsarn "github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"

	"deployhooks/pkg/event"
	"deployhooks/pkg/fault"
	"deployhooks/pkg/fleet"
)

// Observation is what AWS says, as far as a request is concerned.
type Observation struct {
	// NoApplication means that CodeDeploy has no such application.
	NoApplication bool
	// Group is the deployment group, nil for none. Former is that of the physical ID which
	// an update replaces, nil if it replaces none.
	Group, Former *Group
	// Leftover is that of an update that failed, nil for none.
	Leftover *Group
	// AutoScaling are the Auto Scaling groups that the request, the deployment groups and
	// their releases name, by name; with a deletion all those that CodeDeploy made, and
	// without a deployment group those that are tagged as its own.
	AutoScaling map[string]*AutoScaling
	// Deployments are those that made Auto Scaling groups, by ID; with a deletion only.
	Deployments map[string]Deployment
}

// Group is a deployment group.
type Group struct {
	Settings          Settings
	AutoScalingGroups []string
	Tags              map[string]string
	// Releases are its deployments in progress, without those by Auto Scaling to single
	// instances, which copy nothing.
	Releases []Release
}

// Release is a deployment in progress.
type Release struct {
	ID string
	// Replacement are the Auto Scaling groups that it made.
	Replacement []string
	// Rerouted means that the replacement serves the users. It may be late.
	Rerouted bool
	// Over means that the deployment has succeeded, and that the deployment group does not
	// name the replacement yet: when it does is not documented.
	Over bool
}

// AutoScaling is an Auto Scaling group.
type AutoScaling struct {
	Min, Max        int32
	Template        string // ID of the launch template
	TemplateVersion string
	TargetCPU       int32 // of the function's policy, 0 without it
	Created         time.Time
	Deleting        bool
	Tags            map[string]string
}

// Deployment is what is known of one that made an Auto Scaling group.
type Deployment struct {
	Of          ID
	Replacement []string
}

// Limits of calls (CodeDeploy API Reference, BatchGetDeployments).
const maxDeployments = 25

// observe reads what the plan for a request needs.
func (m *Manager) observe(ctx context.Context, r Request) (*Observation, error) {
	o := &Observation{AutoScaling: map[string]*AutoScaling{}, Deployments: map[string]Deployment{}}
	var err error
	if o.Group, err = m.group(ctx, r.Stack, r.Wanted.ID, o); err != nil {
		return nil, err
	}
	former, ok := parseID(r.PhysicalID)
	if ok && r.Type == event.Update && former != r.Wanted.ID {
		if o.Former, err = m.group(ctx, r.Stack, former, &Observation{}); err != nil {
			return nil, err
		}
	}
	if r.Leftover != (ID{}) {
		if o.Leftover, err = m.group(ctx, r.Stack, r.Leftover, &Observation{}); err != nil {
			return nil, err
		}
	}
	if r.Type == event.Delete {
		return o, m.copies(ctx, o)
	}
	names := []string{r.Wanted.AutoScalingGroup}
	for _, g := range []*Group{o.Group, o.Former} {
		if g != nil {
			names = append(names, g.AutoScalingGroups...)
			for _, release := range g.Releases {
				names = append(names, release.Replacement...)
			}
		}
	}
	found, err := fleet.AutoScalingGroups(ctx, m.clients.Groups, names...)
	if err != nil {
		return nil, err
	}
	for name, g := range found {
		o.AutoScaling[name] = autoScaling(g.Described)
	}
	if o.Group == nil { // what it had, if somebody has deleted it
		own, err := m.made(ctx, ownedBy(r.Wanted.ID))
		if err != nil {
			return nil, err
		}
		maps.Copy(o.AutoScaling, own)
	}
	if err := errors.Join(m.settling(ctx, r.Wanted.ID, o.Group, o), m.settling(ctx, former, o.Former, o)); err != nil {
		return nil, err
	}
	for name, g := range o.AutoScaling {
		if err := m.policy(ctx, name, g); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// group reads a deployment group, nil for none.
func (m *Manager) group(ctx context.Context, stack string, id ID, o *Observation) (*Group, error) {
	out, err := m.clients.Deployments.GetDeploymentGroup(ctx, &codedeploy.GetDeploymentGroupInput{ApplicationName: &id.Application, DeploymentGroupName: &id.Group})
	if fault.Is(err, fault.NotFound) {
		o.NoApplication = fault.Code(err) == (&cd.ApplicationDoesNotExistException{}).ErrorCode()
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read deployment group %s: %w", id, err)
	}
	g := &Group{Settings: settingsOf(*out.DeploymentGroupInfo)}
	for _, a := range out.DeploymentGroupInfo.AutoScalingGroups {
		g.AutoScalingGroups = append(g.AutoScalingGroups, aws.ToString(a.Name))
	}
	if g.Tags, err = m.tags(ctx, id.arn(stack)); err != nil {
		return nil, fmt.Errorf("read the tags of deployment group %s: %w", id, err)
	}
	if g.Releases, err = m.releases(ctx, id, g.AutoScalingGroups); err != nil {
		return nil, fmt.Errorf("read the deployments of deployment group %s: %w", id, err)
	}
	return g, nil
}

// arn is a deployment group's ARN, in the account and region of a stack.
func (id ID) arn(stack string) string {
	of, _ := awsarn.Parse(stack) // an ARN of nothing is denied
	of.Service, of.Resource = "codedeploy", "deploymentgroup:"+id.String()
	return of.String()
}

func (m *Manager) tags(ctx context.Context, resource string) (map[string]string, error) {
	tags := map[string]string{}
	in := &codedeploy.ListTagsForResourceInput{ResourceArn: &resource}
	for {
		out, err := m.clients.Deployments.ListTagsForResource(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, t := range out.Tags {
			tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			return tags, nil
		}
	}
}

// deploymentID is how CodeDeploy writes IDs. Somebody's tag of another form would have the
// whole call refused (InvalidDeploymentIdException, CodeDeploy API Reference).
var deploymentID = regexp.MustCompile(`^d-[A-Z0-9]{1,20}$`)

// copies reads every Auto Scaling group that a deployment made, and those deployments.
func (m *Manager) copies(ctx context.Context, o *Observation) error {
	made, err := m.made(ctx, asg.Filter{Name: aws.String("tag-key"), Values: []string{fleet.ProvisioningTag}})
	if err != nil {
		return err
	}
	o.AutoScaling = made
	infos, err := m.deployments(ctx, deploymentsOf(made))
	for _, d := range infos {
		o.Deployments[aws.ToString(d.DeploymentId)] = Deployment{ID{aws.ToString(d.ApplicationName), aws.ToString(d.DeploymentGroupName)}, replacement(d)}
	}
	return err
}

// made reads Auto Scaling groups by a tag.
func (m *Manager) made(ctx context.Context, by asg.Filter) (map[string]*AutoScaling, error) {
	pages := autoscaling.NewDescribeAutoScalingGroupsPaginator(m.clients.Groups, &autoscaling.DescribeAutoScalingGroupsInput{Filters: []asg.Filter{by}, MaxRecords: aws.Int32(100)})
	all := map[string]*AutoScaling{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("find the Auto Scaling groups that CodeDeploy made: %w", err)
		}
		for _, a := range page.AutoScalingGroups {
			all[aws.ToString(a.AutoScalingGroupName)] = autoScaling(a)
		}
	}
	return all, nil
}

// ownedBy finds the Auto Scaling groups of a deployment group.
func ownedBy(id ID) asg.Filter {
	return asg.Filter{Name: aws.String("tag:" + OwnTag), Values: []string{id.String()}}
}

// deploymentsOf are the IDs of the deployments that made Auto Scaling groups, sorted.
func deploymentsOf(made map[string]*AutoScaling) (ids []string) {
	for _, a := range made {
		if id := a.Tags[fleet.ProvisioningTag]; deploymentID.MatchString(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func autoScaling(a asg.AutoScalingGroup) *AutoScaling {
	g := &AutoScaling{Min: aws.ToInt32(a.MinSize), Max: aws.ToInt32(a.MaxSize), Created: aws.ToTime(a.CreatedTime), Deleting: aws.ToString(a.Status) != "", Tags: map[string]string{}}
	if t := a.LaunchTemplate; t != nil {
		g.Template, g.TemplateVersion = aws.ToString(t.LaunchTemplateId), aws.ToString(t.Version)
	}
	for _, t := range a.Tags {
		g.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return g
}

// policyName is the name of the function's own scaling policy.
const policyName = "deployhooks-target-cpu"

// policy reads the function's own scaling policy of an Auto Scaling group.
func (m *Manager) policy(ctx context.Context, name string, g *AutoScaling) error {
	out, err := m.clients.Groups.DescribePolicies(ctx, &autoscaling.DescribePoliciesInput{AutoScalingGroupName: &name, PolicyNames: []string{policyName}})
	if err != nil {
		return fmt.Errorf("read the scaling policy of Auto Scaling group %s: %w", name, err)
	}
	for _, p := range out.ScalingPolicies {
		if t := p.TargetTrackingConfiguration; t != nil {
			g.TargetCPU = int32(aws.ToFloat64(t.TargetValue))
		}
	}
	return nil
}
