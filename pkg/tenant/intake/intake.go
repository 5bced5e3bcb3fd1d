// Package intake takes requests about tenants: to launch, change or remove one. It
// accepts or rejects each, starts what is accepted, and notifies operators of how it
// ends. The function in functions/intake calls it for tenant requests, for reports on
// executions, on a schedule, and for operators.
//
// The path of a request: handler.go (what came), reconcile.go (observe, plan, save, start,
// notify), plan.go (all the thinking). How operations end is the registry's
// (lifecycle.go there). sweep.go reconciles what events missed; command.go and status.go
// are for operators.
//
// An operation is in the registry before it is started, under an ID that follows from
// the request. So a request that comes twice is one operation, and one whose function
// dies in between is started by its next delivery, or by the sweep: executions have
// the operation's ID as their name, and starting one twice starts it once.
package intake

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"deployhooks/pkg/invoke"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/registry"
)

// Config is the function's configuration, from its environment.
type Config struct {
	// Table is the DynamoDB table of the registry.
	Table string `env:"TABLE,required,notEmpty"`
	// Home says which accounts and regions are in scope.
	Home invoke.Home
	// Offer is what new operations run with.
	Offer Offer
	// RemovalDelay is how long a removal can be cancelled before it begins.
	RemovalDelay time.Duration `env:"REMOVAL_DELAY" envDefault:"24h"`
}

// Offer is the blueprint that is deployed now.
type Offer struct {
	// Blueprint is its version.
	Blueprint string `env:"BLUEPRINT,required,notEmpty"`
	// ConvergeMachine and RemoveMachine are the ARNs of the versions of its state machines.
	ConvergeMachine string `env:"CONVERGE_MACHINE,required,notEmpty"`
	RemoveMachine   string `env:"REMOVE_MACHINE,required,notEmpty"`
}

// machineOf is the state machine that runs operations of a kind.
func (o Offer) machineOf(kind registry.OperationKind) string {
	if kind == registry.Remove {
		return o.RemoveMachine
	}
	return o.ConvergeMachine
}

// Engine runs operations: Step Functions ([StepFunctions]), or a runner in the process.
type Engine interface {
	// Start starts the present attempt of an operation. Starting it again does nothing.
	Start(context.Context, registry.Operation) error
	// Ended reports how the execution of the present attempt ended, empty while it runs. It is
	// [workflow.NotStarted] for one that does not exist.
	Ended(context.Context, registry.Operation) (string, error)
	// Resume ends the wait for a manual task. A token that no execution waits for is no error.
	Resume(ctx context.Context, token string) error
}

// Blueprints reads a compiled blueprint by its version.
type Blueprints func(ctx context.Context, version string) (*blueprint.Blueprint, error)

// Parts is what an [Intake] works with.
type Parts struct {
	Registry   *registry.Registry
	Blueprints Blueprints
	// Validate lists the faults of a spec by the schema of a blueprint.
	Validate func(schema, spec json.RawMessage) []registry.Fault
	Engine   Engine
	Notices  *notice.Publisher
}

// Intake is the function's [invoke.Domain].
type Intake struct {
	invoke.Handler
	Parts
	cfg Config
	log *slog.Logger
	now func() time.Time
}

// New makes an Intake. It makes no calls.
func New(cfg Config, parts Parts, log *slog.Logger, now func() time.Time) *Intake {
	i := &Intake{Parts: parts, cfg: cfg, log: log, now: now}
	i.Handler = invoke.Handler{Domain: i, Home: cfg.Home, Log: log}
	return i
}

// by names intake in the audit events of what it does of its own accord.
const by = "intake"

// concurrency is how many tenants of one batch are worked on at once.
const concurrency = 8
