// Package repair gives the Auto Scaling group of a CodeDeploy blue/green
// deployment its load balancing back. The function in functions/repair calls it on
// every notification of CodeDeploy and on a schedule.
//
// A deployment with COPY_AUTO_SCALING_GROUP replaces the blue group by a copy, the
// green one, that is attached to no target group: scale-in then kills instances
// that still take traffic, scale-out adds instances that never get any, and failed
// instances are not replaced.
//
// [Repairer.Reconcile] is all of it: observe what AWS says now, plan, apply, save,
// notify, requeue. Events only say which deployment group to reconcile. The plan
// decides by who serves users (plan_serving.go), and only then by the status of
// deployments: a group that serves and is not attached is the harm, and a
// precondition may delay the attachment only for a bounded time, and not silently.
//
// The one precondition without a bound is a release in progress: AWS warns that an
// attachment may then deregister all instances. Until its end the group that serves is
// bridged (plan_bridge.go): its instances are registered one by one, and protected
// from scale-in, which would end them with their requests, unless a terminate hook
// drains them. What that costs: the group does not shrink until it is attached, and an
// instance refresh meanwhile waits for the protected instances.
package repair

import (
	"log/slog"
	"time"

	"deployhooks/pkg/invoke"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/store"
)

// Key names a CodeDeploy deployment group.
type Key struct {
	Application     string `json:"application"`
	DeploymentGroup string `json:"deploymentGroup"`
}

func (k Key) String() string { return k.Application + "/" + k.DeploymentGroup }

// Outcome is what came of reconciling a deployment group. Machines read it: it is
// a metric's dimension and a field of the EventBridge event.
type Outcome string

// The outcomes.
const (
	// Repaired means that changes were made and were seen to work.
	Repaired Outcome = "repaired"
	// InOrder means that everything was as it should be.
	InOrder Outcome = "in-order"
	// Planned means that changes are due, and that the mode is plan.
	Planned Outcome = "planned"
	// Applied means that changes were made. A later reconcile finds out whether
	// they work.
	Applied Outcome = "applied"
	// Bridged means that changes were made that last until the release ends, because the
	// group must not be attached before: instances were registered one by one or protected
	// from scale-in, or the blue group was kept from registering more.
	Bridged Outcome = "bridged"
	// Waiting means that something is due that would do harm, or fail, now.
	Waiting Outcome = "waiting"
	// ActionRequired means that an operator has to do something.
	ActionRequired Outcome = "action-required"
	// OutOfScope means that the deployment group is not managed here.
	OutOfScope Outcome = "out-of-scope"
)

// Repairer is the [invoke.Domain] of the function in functions/repair.
type Repairer struct {
	invoke.Handler
	cfg     Config
	clients Clients
	queue   invoke.Queue
	records store.Store[Record]
	notices *notice.Publisher
	log     *slog.Logger
	now     func() time.Time
}

// New makes a Repairer. It makes no call.
func New(cfg Config, clients Clients, notices *notice.Publisher, log *slog.Logger, now func() time.Time) *Repairer {
	r := &Repairer{
		cfg: cfg, clients: clients, notices: notices, log: log, now: now,
		queue: invoke.Queue{URL: cfg.QueueURL, Client: clients.Queue},
		records: store.NewDynamoDB[Record](clients.Database, store.Layout{
			Table: cfg.Table, Partition: "application", Sort: "deploymentGroup", Schema: schema,
		}),
	}
	r.Handler = invoke.Handler{Domain: r, Home: cfg.Home, Log: log}
	return r
}
