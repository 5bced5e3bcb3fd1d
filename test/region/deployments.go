package region

import (
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// deployment is one deployment and how it is to go.
type deployment struct {
	id        string
	number    int // order of creation
	app       string
	groupName string // as it was when the deployment was created
	group     *deploymentGroup
	creator   cd.DeploymentCreator
	status    cd.DeploymentStatus
	script    Deployment
	revision  string
	previous  string                           // the deployment group's revision before it
	asked     codedeploy.CreateDeploymentInput // by a caller of the API
	style     cd.DeploymentStyle
	blueGreen *cd.BlueGreenDeploymentConfiguration

	created   time.Time
	started   *time.Time
	completed *time.Time
	failure   *cd.ErrorInformation
	rollback  *cd.RollbackInfo

	blue, green string   // names of Auto Scaling groups
	targets     []string // instances that get the revision
	originals   []string // instances that lose their traffic
	installed   bool     // on the targets
	stage       Stage
	rerouting   bool   // instances have begun to be registered
	waiting     func() // what ContinueDeployment continues with
	terminating bool   // the wait before the blue instances are terminated
	endWait     func()
}

// over reports whether a deployment has ended, one way or the other.
func (d *deployment) over() bool {
	switch d.status {
	case cd.DeploymentStatusSucceeded, cd.DeploymentStatusFailed, cd.DeploymentStatusStopped:
		return true
	}
	return false
}

// deploymentsOf are a deployment group's deployments, latest first.
func (r *Region) deploymentsOf(g *deploymentGroup) []*deployment {
	var all []*deployment
	for _, d := range r.deployments {
		if d.group == g {
			all = append(all, d)
		}
	}
	latestFirst(all)
	return all
}

func latestFirst(all []*deployment) {
	slices.SortFunc(all, func(a, b *deployment) int { return b.number - a.number })
}

// deployment finds a deployment by ID.
func (r *Region) deployment(id *string) (*deployment, error) {
	if aws.ToString(id) == "" {
		return nil, &cd.DeploymentIdRequiredException{Message: aws.String("Deployment id is missing")}
	}
	if !strings.HasPrefix(*id, "d-") {
		return nil, &cd.InvalidDeploymentIdException{Message: aws.String("Deployment id is not valid: " + *id)}
	}
	d := r.deployments[*id]
	if d == nil {
		return nil, &cd.DeploymentDoesNotExistException{Message: aws.String("The deployment " + *id + " could not be found")}
	}
	return d, nil
}

func (r *Region) createDeployment(in *codedeploy.CreateDeploymentInput) (*codedeploy.CreateDeploymentOutput, error) {
	g, err := r.deploymentGroup(in.ApplicationName, in.DeploymentGroupName)
	if err != nil {
		return nil, err
	}
	d, err := r.startDeployment(g, cd.DeploymentCreatorUser, Deployment{})
	if err != nil {
		return nil, err
	}
	d.asked = *in
	return &codedeploy.CreateDeploymentOutput{DeploymentId: aws.String(d.id)}, nil
}

// startDeployment creates a deployment. A deployment group has one at a time
// ("The Deployment Group '…' already has an active Deployment '…'").
func (r *Region) startDeployment(g *deploymentGroup, creator cd.DeploymentCreator, script Deployment) (*deployment, error) {
	for _, other := range r.deploymentsOf(g) {
		if !other.over() && !other.partial() {
			return nil, &cd.DeploymentLimitExceededException{Message: aws.String("The Deployment Group '" + g.name + "' already has an active Deployment '" + other.id + "'")}
		}
	}
	d := r.newDeployment(g, creator)
	d.script = script
	r.after(time.Second, func() { r.beginDeployment(d) })
	return d, nil
}

func (r *Region) newDeployment(g *deploymentGroup, creator cd.DeploymentCreator) *deployment {
	d := &deployment{
		id: r.ids.deployment(), number: r.ids.next("deployment number"),
		app: g.app.name, groupName: g.name, group: g, creator: creator,
		status: cd.DeploymentStatusCreated, created: r.clock.now,
		style: *g.config.DeploymentStyle, blueGreen: g.config.BlueGreenDeploymentConfiguration,
	}
	d.revision, d.previous = "r"+d.id[2:], g.revision
	r.deployments[d.id] = d
	return d
}

func (d *deployment) describe(r *Region) cd.DeploymentInfo {
	info := cd.DeploymentInfo{
		DeploymentId: aws.String(d.id), ApplicationName: aws.String(d.app), DeploymentGroupName: aws.String(d.groupName),
		ComputePlatform: d.group.app.platform, Creator: d.creator, Status: d.status,
		CreateTime: aws.Time(d.created), StartTime: d.started, CompleteTime: d.completed,
		DeploymentConfigName: or(d.asked.DeploymentConfigName, d.group.config.DeploymentConfigName), DeploymentStyle: &d.style,
		Description: d.asked.Description, Revision: d.asked.Revision, FileExistsBehavior: d.asked.FileExistsBehavior,
		IgnoreApplicationStopFailures: d.asked.IgnoreApplicationStopFailures,
		LoadBalancerInfo:              d.group.config.LoadBalancerInfo, AutoRollbackConfiguration: d.autoRollback(),
		ErrorInformation: d.failure, RollbackInfo: d.rollback,
		DeploymentOverview:                 d.overview(),
		InstanceTerminationWaitTimeStarted: d.terminating && !d.script.WaitFlagUnset,
	}
	if r.options.CamelCaseCreators && d.onLaunch() {
		info.Creator = "autoScaling"
	}
	if d.style.DeploymentType == cd.DeploymentTypeBlueGreen {
		info.BlueGreenDeploymentConfiguration = d.blueGreen
		// "Information about the instances that belong to the replacement
		// environment in a blue/green deployment" (API reference).
		if d.green != "" {
			info.TargetInstances = &cd.TargetInstances{AutoScalingGroups: []string{d.green}}
		}
	}
	return info
}

// autoRollback is the deployment's own configuration, or its group's.
func (d *deployment) autoRollback() *cd.AutoRollbackConfiguration {
	return or(d.asked.AutoRollbackConfiguration, d.group.config.AutoRollbackConfiguration)
}

func (d *deployment) overview() *cd.DeploymentOverview {
	n := int64(len(d.targets))
	switch d.status {
	case cd.DeploymentStatusSucceeded:
		return &cd.DeploymentOverview{Succeeded: n}
	case cd.DeploymentStatusFailed, cd.DeploymentStatusStopped:
		return &cd.DeploymentOverview{Failed: n}
	case cd.DeploymentStatusReady:
		return &cd.DeploymentOverview{Ready: n}
	}
	return &cd.DeploymentOverview{InProgress: n}
}

func (r *Region) getDeployment(in *codedeploy.GetDeploymentInput) (*codedeploy.GetDeploymentOutput, error) {
	d, err := r.deployment(in.DeploymentId)
	if err != nil {
		return nil, err
	}
	info := d.describe(r)
	return &codedeploy.GetDeploymentOutput{DeploymentInfo: &info}, nil
}

func (r *Region) listDeployments(in *codedeploy.ListDeploymentsInput) (*codedeploy.ListDeploymentsOutput, error) {
	var app *application
	var group *deploymentGroup
	var err error
	switch {
	case in.DeploymentGroupName != nil:
		group, err = r.deploymentGroup(in.ApplicationName, in.DeploymentGroupName)
	case in.ApplicationName != nil:
		app, err = r.application(in.ApplicationName)
	}
	if err != nil {
		return nil, err
	}
	for _, status := range in.IncludeOnlyStatuses {
		if !slices.Contains(status.Values(), status) {
			return nil, &cd.InvalidDeploymentStatusException{Message: aws.String("Deployment status is not valid: " + string(status))}
		}
	}
	var found []*deployment
	for _, d := range r.deployments {
		switch {
		case group != nil && d.group != group:
		case app != nil && d.app != app.name:
		case len(in.IncludeOnlyStatuses) > 0 && !slices.Contains(in.IncludeOnlyStatuses, d.status):
		case in.CreateTimeRange != nil && !within(d.created, in.CreateTimeRange):
		default:
			found = append(found, d)
		}
	}
	latestFirst(found)
	var names []string
	for _, d := range found {
		names = append(names, d.id)
	}
	names, next, err := page(r, names, in.NextToken, 0, 100, badCodeDeployToken())
	if err != nil {
		return nil, err
	}
	return &codedeploy.ListDeploymentsOutput{Deployments: names, NextToken: next}, nil
}

func within(t time.Time, span *cd.TimeRange) bool {
	return (span.Start == nil || !t.Before(*span.Start)) && (span.End == nil || !t.After(*span.End))
}

func (r *Region) stopDeployment(in *codedeploy.StopDeploymentInput) (*codedeploy.StopDeploymentOutput, error) {
	d, err := r.deployment(in.DeploymentId)
	if err != nil {
		return nil, err
	}
	if d.over() {
		return nil, &cd.DeploymentAlreadyCompletedException{Message: aws.String("The deployment " + d.id + " is already completed")}
	}
	rollBack := deref(in.AutoRollbackEnabled)
	r.after(0, func() { r.stop(d, rollBack) })
	return &codedeploy.StopDeploymentOutput{Status: cd.StopStatusPending, StatusMessage: aws.String("Deployment is being stopped")}, nil
}

func (r *Region) continueDeployment(in *codedeploy.ContinueDeploymentInput) (*codedeploy.ContinueDeploymentOutput, error) {
	d, err := r.deployment(in.DeploymentId)
	if err != nil {
		return nil, err
	}
	if in.DeploymentWaitType == cd.DeploymentWaitTypeTerminationWait {
		if d.endWait == nil {
			return nil, &cd.DeploymentIsNotInReadyStateException{Message: aws.String("The deployment " + d.id + " does not wait for the termination of its original instances")}
		}
		r.after(0, d.endWait)
		return &codedeploy.ContinueDeploymentOutput{}, nil
	}
	if d.over() {
		return nil, &cd.DeploymentAlreadyCompletedException{Message: aws.String("The deployment " + d.id + " is already completed")}
	}
	if d.status != cd.DeploymentStatusReady || d.waiting == nil {
		return nil, &cd.DeploymentIsNotInReadyStateException{Message: aws.String("The deployment " + d.id + " is not in the Ready state")}
	}
	r.after(0, d.waiting)
	return &codedeploy.ContinueDeploymentOutput{}, nil
}
