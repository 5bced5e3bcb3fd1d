package region

import (
	"time"

	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// Deployment says how a deployment is to go. The zero value succeeds.
type Deployment struct {
	// FailAt has CodeDeploy fail the deployment in this stage and say so.
	FailAt Stage
	// DieAt has the deployment die in this stage: no event is sent, nothing
	// is tidied up, and its status is Failed.
	DieAt Stage
	// HangAt has the deployment stay in this stage, in progress, until it is
	// stopped.
	HangAt Stage
	// LeaveSuspended leaves the processes of the replacement group suspended
	// where CodeDeploy should have resumed them.
	LeaveSuspended bool
	// AttachItself has CodeDeploy, or somebody, attach the target groups to
	// the replacement group before the deployment succeeds.
	AttachItself bool
	// SucceedFirst sends SUCCESS right after the reroute, and the termination
	// wait comes afterwards. By default SUCCESS comes when the blue group is
	// deleted: the quota of 109 hours of a blue/green deployment contains the
	// termination wait ("CodeDeploy quotas"), and a deployment whose wait can be
	// skipped is not completed (API reference, ContinueDeployment). Which of the
	// two it is on EC2, nobody has recorded.
	SucceedFirst bool
	// WaitFlagUnset leaves instanceTerminationWaitTimeStarted false during the
	// termination wait, as was seen on ECS. By default it is true from the start
	// of the wait (API reference, DeploymentInfo).
	WaitFlagUnset bool
	// Named is when the deployment group names the replacement group.
	Named Naming
	// Installs is how long the installation takes, Timings.Install unless set.
	Installs time.Duration
	// Spacing is the time from one instance to the next in the reroute, while
	// they are registered and while they are deregistered; all at once unless
	// set.
	Spacing time.Duration
	// CopiesMetrics has CodeDeploy copy the group's metrics collection; by
	// default it is lost (both likely: its service role may enable metrics).
	CopiesMetrics bool
	// Creator is who created the deployment; the user unless set.
	Creator cd.DeploymentCreator
}

// Naming is when a deployment group names the replacement group: AWS does not
// document it.
type Naming string

// The times at which a deployment group may name the replacement group.
const (
	NamedWithHook  Naming = ""        // when CodeDeploy moves its launch hook there: after the reroute (likely)
	NamedAtReroute Naming = "reroute" // when the reroute begins
	NamedAtEnd     Naming = "end"     // when the blue group has been deleted, or is kept
)

// Stage is a part of a blue/green deployment's life.
type Stage string

// The stages, in order. A deployment that is not blue/green has only the
// installation.
const (
	StageProvision Stage = "provision" // the copy is created and grows
	StageInstall   Stage = "install"   // its instances get the revision
	StageReady     Stage = "ready"     // before the reroute
	StageReroute   Stage = "reroute"   // register green, deregister blue
	StageWait      Stage = "wait"      // before the blue group is terminated, 0 to 48 hours
	StageTerminate Stage = "terminate" // of the blue group
)

// Deploy starts a deployment of a service and returns its ID. It panics if
// CodeDeploy will not start it, for example because another is in progress;
// see [Region.TryDeploy].
func (r *Region) Deploy(s Service, how Deployment) string {
	id, err := r.TryDeploy(s, how)
	must(err)
	return id
}

// TryDeploy is [Region.Deploy] with CodeDeploy's error.
func (r *Region) TryDeploy(s Service, how Deployment) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g, err := r.deploymentGroup(&s.Application, &s.DeploymentGroup)
	if err != nil {
		return "", err
	}
	creator := how.Creator
	if creator == "" {
		creator = cd.DeploymentCreatorUser
	}
	d, err := r.startDeployment(g, creator, how)
	if err != nil {
		return "", err
	}
	return d.id, nil
}

// Status is a deployment's status; "" if there is none of that ID.
func (r *Region) Status(id string) cd.DeploymentStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.deployments[id]; d != nil {
		return d.status
	}
	return ""
}

// Deployed reports whether a deployment has succeeded.
func (r *Region) Deployed(id string) bool { return r.Status(id) == cd.DeploymentStatusSucceeded }

// Ended reports whether a deployment is over, well or not.
func (r *Region) Ended(id string) bool {
	switch r.Status(id) {
	case cd.DeploymentStatusSucceeded, cd.DeploymentStatusFailed, cd.DeploymentStatusStopped:
		return true
	}
	return false
}

// StageOf is the stage that a deployment is in, or in which it ended; "" for
// one that has not begun.
func (r *Region) StageOf(id string) Stage {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.deployments[id]; d != nil {
		return d.stage
	}
	return ""
}

// Groups are the names of a deployment's original and replacement Auto
// Scaling groups, "" where there is none (yet).
func (r *Region) Groups(id string) (blue, green string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.deployments[id]; d != nil {
		return d.blue, d.green
	}
	return "", ""
}

// RollbackOf is the ID of the deployment that undoes a failed one, "" if
// there is none.
func (r *Region) RollbackOf(id string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.deployments[id]; d != nil && d.rollback != nil {
		return deref(d.rollback.RollbackDeploymentId)
	}
	return ""
}

// Stop stops a deployment.
func (r *Region) Stop(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.deployments[id]; d != nil {
		r.after(0, func() { r.stop(d, false) })
	}
}

// Continue starts the reroute of a deployment that is Ready.
func (r *Region) Continue(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d := r.deployments[id]; d != nil && d.waiting != nil {
		r.after(0, d.waiting)
	}
}

// deploymentLimit is how long a blue/green deployment on EC2 may take
// ("CodeDeploy quotas").
const deploymentLimit = 109 * time.Hour

// RunDeployment starts a deployment and lets time pass until it is over. It
// returns its ID.
func (r *Region) RunDeployment(s Service, how Deployment) string {
	id := r.Deploy(s, how)
	r.RunUntil(func() bool { return r.Ended(id) }, deploymentLimit)
	return id
}
