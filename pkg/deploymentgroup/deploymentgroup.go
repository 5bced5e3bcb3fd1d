// Package deploymentgroup makes, changes and deletes CodeDeploy deployment groups whose
// releases copy their Auto Scaling group (COPY_AUTO_SCALING_GROUP), for CloudFormation,
// which cannot express them. The function in functions/deploymentgroup calls it for
// requests about a custom resource, and for operators.
//
// The path of a request: handler.go (what came), reconcile.go (observe, plan, apply,
// answer, requeue), observe.go, plan.go with plan_create.go and plan_delete.go (all the
// thinking), apply.go.
// properties.go reads what the template says.
//
// The first release deletes the Auto Scaling group of the template, so ordinary changes
// (sizes, launch template, CPU target) are applied to the current group, and the name in the
// template is used only once. All state is in tags of the deployment group and of its Auto
// Scaling groups, which CodeDeploy copies. Each reconcile starts from what AWS reports, so a
// request that is delivered twice, or whose function is killed, ends the same. There is one
// exception: a creation that SQS delivers again after the deletion creates the deployment
// group anew, if the Auto Scaling group of the template still exists.
package deploymentgroup

import (
	"log/slog"
	"sync"
	"time"

	"deployhooks/pkg/invoke"
)

// Config is the function's configuration, from its environment.
type Config struct {
	// QueueURL is the function's own queue.
	QueueURL string `env:"QUEUE_URL,required,notEmpty"`
	// Home says which account and region the function is in.
	Home invoke.Home
}

// Deadline is how long after a request the function answers it at the latest, with what
// blocks it: after an hour CloudFormation fails the request without a reason (ServiceTimeout,
// AWS::CloudFormation::CustomResource, AWS CloudFormation User Guide).
const Deadline = 50 * time.Minute

const (
	// grace is how long after a request a call may be denied, or a role refused, because
	// IAM has yet to spread what the same stack has made ("Changes that I make are not
	// always immediately visible", IAM User Guide).
	grace = 3 * time.Minute
	// again is how long the function waits for what it has begun, or for a failed call.
	again = 15 * time.Second
	// followUp is how long it waits for the reroute of a release, before it observes again; and
	// followUpAtMost how long altogether: an EC2 blue/green deployment takes 109 hours at
	// most ("CodeDeploy quotas", CodeDeploy User Guide).
	followUp       = 2 * time.Minute
	followUpAtMost = 110 * time.Hour
	// respondAtMost is how long a response is tried to be sent, after the request.
	respondAtMost = 65 * time.Minute
)

// Manager is the function's [invoke.Domain].
type Manager struct {
	invoke.Handler
	clients Clients
	queue   invoke.Queue
	log     *slog.Logger
	now     func() time.Time

	mu sync.Mutex
	// turns are, by request, the turn of the last message that was certainly sent. A call
	// whose answer is lost may have sent one, and its message is delivered again, so that
	// there are two; this has one of them end.
	turns map[string]int
}

// maxTurns bounds what is remembered: without it, messages are only handled twice.
const maxTurns = 1000

// New makes a Manager. It makes no calls.
func New(cfg Config, clients Clients, log *slog.Logger, now func() time.Time) *Manager {
	m := &Manager{turns: map[string]int{}, clients: clients, queue: invoke.Queue{URL: cfg.QueueURL, Client: clients.Queue}, log: log, now: now}
	m.Handler = invoke.Handler{Domain: m, Home: cfg.Home, Log: log}
	return m
}
