// Package drain takes an instance out of service before it ends, so that no
// request is lost: out of every target group and Classic Load Balancer that it is
// registered in, then the shutdown command if there is one, then its lifecycle
// actions are completed. The function in functions/drain calls it for lifecycle
// actions, Spot interruptions and other announcements, for its own ticks, on a
// schedule, and for operators.
//
// [Drainer.Reconcile] handles all open drains together: what AWS says now is read
// once for all of them (observe.go), [Plan] decides for each within the call
// budget (plan.go), and the steps are carried out (apply.go). While drains are
// open, each reconcile begins by sending the next tick, a message with a delay, so
// that a function that dies in between is followed by another; nothing sleeps.
//
// A drain is one item of a table (record.go), not the message: a message delivered
// twice starts nothing twice, and whatever comes next (a tick, an event, the sweep)
// continues where any other reconcile has stopped.
//
// While the table cannot be reached, the ticks bring the drains that it did not take.
//
// A lifecycle event's way to CompleteLifecycleAction is handler.go, clock.go (the
// call budget), reconcile.go, record.go, observe.go (and groups.go, wanted.go and
// targets.go, one question each), plan.go, plan_targets.go, apply.go.
//
// One thing is notified to nobody: an action whose event is lost, and that times out
// before the next sweep because every service is out of reach. Nothing lists it
// afterwards: a scaling activity has no field for the hooks that ran, nor for how they
// ended (Activity, Amazon EC2 Auto Scaling API Reference).
package drain

import (
	"log/slog"
	"time"

	"deployhooks/pkg/invoke"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/store"
)

// Cause is what started a drain.
type Cause string

// The causes of a drain.
const (
	CauseLifecycle   Cause = "lifecycle"    // a lifecycle action's event
	CauseSpot        Cause = "spot"         // a Spot interruption warning
	CauseStateChange Cause = "state-change" // EC2 stops or terminates the instance, where configured
	CauseRebalance   Cause = "rebalance"    // a rebalance recommendation, where configured
	CauseMaintenance Cause = "maintenance"  // announced by AWS Health, where configured
	CauseOperator    Cause = "operator"     // an operator's request
	CauseSweep       Cause = "sweep"        // found waiting by the sweep
)

// Outcome is how a drain ended, or what a notification is about. Outcomes are read
// by machines: as the metric's dimension and in the detail of EventBridge events.
type Outcome string

const (
	// Drained means that nothing was in flight, and that the command, if there is
	// one, succeeded.
	Drained Outcome = "drained"
	// CommandFailed means that the command did not succeed, or did not answer in
	// time.
	CommandFailed Outcome = "command-failed"
	// DeadlinePassed means that the deadline passed with something in flight.
	DeadlinePassed Outcome = "deadline-passed"
	// Skipped means that the instance was completed without draining: an operator
	// asked for it, or its group has opted out.
	Skipped Outcome = "skipped"
	// ReturnedToWarmPool means that the instance was drained and went back to its
	// warm pool.
	ReturnedToWarmPool Outcome = "returned-to-warm-pool"
	// RootVolumeReplaced means that the instance was drained and comes back with
	// another root volume.
	RootVolumeReplaced Outcome = "root-volume-replaced"
	// Gone means that the instance no longer waits for this function: it has ended,
	// or somebody else completed the action.
	Gone Outcome = "gone"
	// TimedOut means that a lifecycle action ended by its timeout.
	TimedOut Outcome = "timed-out"
	// Planned is the report of [PlanOnly]: the action was completed at once.
	Planned Outcome = "planned"
	// Announced means that AWS announced something about instances; it is no end.
	Announced Outcome = "announced"
	// ActionRequired means that operators have to do something; it is no end.
	ActionRequired Outcome = "action-required"
)

// Limits of EC2 and Auto Scaling.
const (
	// minHeartbeat and maxHeartbeat are the shortest and the longest heartbeat
	// timeout of a hook (PutLifecycleHook, Amazon EC2 Auto Scaling API Reference).
	minHeartbeat = 30 * time.Second
	maxHeartbeat = 7200 * time.Second
	// spotNotice is what is left of a Spot instance's life at its warning ("Spot
	// Instance interruption notices", Amazon EC2 User Guide).
	spotNotice = 2 * time.Minute
)

// concurrency is how many calls of one kind are made at once.
const concurrency = 8

// Drainer is the function's [invoke.Domain].
type Drainer struct {
	invoke.Handler
	cfg     Config
	clients Clients
	queue   invoke.Queue
	drains  store.Store[Drain]
	clock   store.Store[Clock]
	notices *notice.Publisher
	log     *slog.Logger
	now     func() time.Time
	known   *memory
}

// schema is the version of the stored drains.
const schema = 1

// New makes a Drainer. It makes no calls.
func New(cfg Config, clients Clients, notices *notice.Publisher, log *slog.Logger, now func() time.Time) *Drainer {
	layout := store.Layout{Table: cfg.Table, Partition: "instance", Schema: schema}
	r := &Drainer{
		cfg: cfg, clients: clients, queue: invoke.Queue{URL: cfg.QueueURL, Client: clients.Queue},
		drains: store.NewDynamoDB[Drain](clients.Database, layout), clock: store.NewDynamoDB[Clock](clients.Database, layout),
		notices: notices, log: log, now: now, known: &memory{},
	}
	r.Handler = invoke.Handler{Domain: r, Home: cfg.Home, Log: log}
	return r
}

// The bounds of a reconcile's parts, so that a service that hangs keeps neither the
// others from being called nor the function from its end. Two reconciles fit into the
// 60 s that the stack gives an invocation.
const (
	storeTime   = 2 * time.Second // each read and each write
	observeTime = 2 * time.Second // each round of questions
	applyTime   = 6 * time.Second
	notifyTime  = 4 * time.Second
	queueTime   = 2 * time.Second
	sweepTime   = 6 * time.Second
)
