package region

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// deploymentTarget is an instance that a deployment concerns. In a blue/green
// deployment those are the replacement instances, which get the revision, and
// from the reroute on the original ones, which lose their traffic (API
// reference, InstanceTarget: instanceLabel; ListDeploymentTargets:
// ServerInstanceLabel).
type deploymentTarget struct {
	id     string
	label  cd.TargetLabel // "" in place
	status cd.TargetStatus
}

// targetsPerCall is how many targets, or deployments, a batch call may name
// (API reference, BatchGetDeploymentTargets and BatchGetDeployments).
const targetsPerCall = 25

func (d *deployment) deploymentTargets() []deploymentTarget {
	var green, blue cd.TargetLabel
	if d.style.DeploymentType == cd.DeploymentTypeBlueGreen {
		green, blue = cd.TargetLabelGreen, cd.TargetLabelBlue
	}
	status := func(done bool) cd.TargetStatus {
		switch {
		case done:
			return cd.TargetStatusSucceeded
		case d.over():
			return cd.TargetStatusFailed
		}
		return cd.TargetStatusInProgress
	}
	var all []deploymentTarget
	for _, id := range d.targets {
		all = append(all, deploymentTarget{id, green, status(d.installed)})
	}
	for _, id := range d.originals {
		all = append(all, deploymentTarget{id, blue, status(d.status == cd.DeploymentStatusSucceeded || d.terminating)})
	}
	return all
}

// listDeploymentTargets lists the instances of a deployment, those of both
// labels unless a filter says otherwise.
func (r *Region) listDeploymentTargets(in *codedeploy.ListDeploymentTargetsInput) (*codedeploy.ListDeploymentTargetsOutput, error) {
	d, err := r.startedDeployment(in.DeploymentId)
	if err != nil {
		return nil, err
	}
	for key, values := range in.TargetFilters {
		if (key != string(cd.TargetFilterNameTargetStatus) && key != string(cd.TargetFilterNameServerInstanceLabel)) || len(values) == 0 {
			return nil, &cd.InvalidTargetFilterNameException{Message: aws.String("The target filter name is not valid: " + key)}
		}
	}
	wanted := func(key cd.TargetFilterName, value string) bool {
		values, filtered := in.TargetFilters[string(key)]
		return !filtered || slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, value) })
	}
	ids := []string{}
	for _, t := range d.deploymentTargets() {
		if wanted(cd.TargetFilterNameTargetStatus, string(t.status)) && wanted(cd.TargetFilterNameServerInstanceLabel, string(t.label)) {
			ids = append(ids, t.id)
		}
	}
	ids, next, err := page(r, ids, in.NextToken, 0, 100, badCodeDeployToken())
	if err != nil {
		return nil, err
	}
	return &codedeploy.ListDeploymentTargetsOutput{TargetIds: ids, NextToken: next}, nil
}

func (r *Region) startedDeployment(id *string) (*deployment, error) {
	d, err := r.deployment(id)
	if err == nil && d.started == nil {
		return nil, &cd.DeploymentNotStartedException{Message: aws.String("The deployment has not started: " + d.id)}
	}
	return d, err
}

// batchGetDeploymentTargets describes targets that the deployment has; their
// lifecycle events are not simulated.
func (r *Region) batchGetDeploymentTargets(in *codedeploy.BatchGetDeploymentTargetsInput) (*codedeploy.BatchGetDeploymentTargetsOutput, error) {
	d, err := r.startedDeployment(in.DeploymentId)
	if err != nil {
		return nil, err
	}
	switch n := len(in.TargetIds); {
	case n == 0:
		return nil, &cd.DeploymentTargetIdRequiredException{Message: aws.String("Deployment target ids are missing")}
	case n > targetsPerCall:
		return nil, &cd.DeploymentTargetListSizeExceededException{Message: aws.String("at most 25 deployment targets may be named")}
	}
	out := &codedeploy.BatchGetDeploymentTargetsOutput{}
	all := d.deploymentTargets()
	for _, id := range in.TargetIds {
		n := slices.IndexFunc(all, func(t deploymentTarget) bool { return t.id == id })
		if n < 0 {
			return nil, &cd.DeploymentTargetDoesNotExistException{Message: aws.String("The deployment target does not exist: " + id)}
		}
		out.DeploymentTargets = append(out.DeploymentTargets, cd.DeploymentTarget{
			DeploymentTargetType: cd.DeploymentTargetTypeInstanceTarget,
			InstanceTarget: &cd.InstanceTarget{
				DeploymentId: aws.String(d.id), TargetId: aws.String(id), InstanceLabel: all[n].label, Status: all[n].status,
				TargetArn: aws.String(arn("ec2", "instance/"+id)),
			},
		})
	}
	return out, nil
}

// batchGetDeployments leaves out what does not exist (assumed; the API
// reference models no error for it).
func (r *Region) batchGetDeployments(in *codedeploy.BatchGetDeploymentsInput) (*codedeploy.BatchGetDeploymentsOutput, error) {
	switch n := len(in.DeploymentIds); {
	case n == 0:
		return nil, &cd.DeploymentIdRequiredException{Message: aws.String("Deployment ids are missing")}
	case n > targetsPerCall:
		return nil, &cd.BatchLimitExceededException{Message: aws.String("at most 25 deployments may be named")}
	}
	out := &codedeploy.BatchGetDeploymentsOutput{}
	for _, id := range in.DeploymentIds {
		if d := r.deployments[id]; d != nil {
			out.DeploymentsInfo = append(out.DeploymentsInfo, d.describe(r))
		}
	}
	return out, nil
}
