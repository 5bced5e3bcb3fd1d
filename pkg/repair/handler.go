package repair

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"deployhooks/pkg/event"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/queue"
)

// Hint is what made a repair look at a deployment group, and how often it has
// looked before on that account.
type Hint struct {
	// Deployment and State are what an event says, if one did.
	Deployment string      `json:"deployment,omitempty"`
	State      event.State `json:"state,omitempty"`
	// Look counts the looks before this one.
	Look int `json:"look,omitempty"`
	// Sweep says that a sweep found the group; the next sweep is its next look.
	Sweep bool `json:"sweep,omitempty"`
	// Insist says that an operator wants what a person has detached back.
	Insist bool `json:"insist,omitempty"`
	// Redelivered says that an earlier delivery of the message came to no end,
	// and may have asked for another look.
	Redelivered bool `json:"-"`
}

// Repairer is the handler of the function in functions/repair.
type Repairer struct {
	cfg     Config
	clients Clients
	own     queue.Own
	records table
	notices *notice.Publisher
	log     *slog.Logger
	now     func() time.Time
}

// New makes a Repairer. It makes no calls.
func New(cfg Config, clients Clients, notices *notice.Publisher, log *slog.Logger, now func() time.Time) *Repairer {
	return &Repairer{cfg: cfg, clients: clients, own: queue.Own{URL: cfg.QueueURL, Client: clients.Queue}, records: table{cfg.Table, clients.Database}, notices: notices, log: log, now: now}
}

// request is what an operator, the schedule, or the function itself asks for.
//
//	{"action": "plan",   "application": "shop", "deploymentGroup": "web"}   what would be done, without doing it
//	{"action": "repair", "application": "shop", "deploymentGroup": "web"}   do it now
//	{"action": "status", "application": "shop", "deploymentGroup": "web"}   what is attached, and what is remembered
//	{"action": "forget", "application": "shop", "deploymentGroup": "web"}   drop the baseline; the next look keeps a new one
//	{"action": "sweep"}                                                     look at every deployment group in scope
//
// plan and status without names answer for every deployment group in scope.
type request struct {
	Action          string `json:"action"`
	Application     string `json:"application"`
	DeploymentGroup string `json:"deploymentGroup"`
	Hint
}

const actions = `"plan", "repair", "status", "forget" or "sweep"`

// concurrency is how many deployment groups one invocation looks at together.
// CodeDeploy documents no rates; 4 groups ask it 12 questions at once.
const concurrency = 4

// Invoke handles one invocation, as [queue.Invoke] says. It implements the Lambda
// runtime's Handler.
func (r *Repairer) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return queue.Invoke(ctx, payload, r, r.log)
}

// Handle handles messages, those of one deployment group one after another
// and each distinct one once, and returns an error or nil for each.
func (r *Repairer) Handle(ctx context.Context, messages []event.Message) []error {
	type job struct {
		Key
		Hint
	}
	errs := make([]error, len(messages))
	groups := map[Key][]int{}
	jobs := make([]job, len(messages))
	var sweeps []int
	for i, m := range messages {
		if m.Err != nil {
			errs[i] = m.Err
			continue
		}
		k, hint, err := r.subject(ctx, m.Event)
		hint.Redelivered = m.Receives > 1
		switch {
		case err != nil:
			errs[i] = err
		case k == everything:
			sweeps = append(sweeps, i)
		case k != (Key{}):
			jobs[i] = job{k, hint}
			groups[k] = append(groups[k], i)
		}
	}
	var all errgroup.Group
	all.SetLimit(concurrency)
	for _, indexes := range groups {
		all.Go(func() error {
			done := map[job]error{}
			for _, i := range indexes {
				err, seen := done[jobs[i]]
				if !seen {
					_, err = r.repair(ctx, jobs[i].Key, jobs[i].Hint)
					done[jobs[i]] = err
				}
				errs[i] = err
			}
			return nil
		})
	}
	_ = all.Wait() // errors are in errs
	if len(sweeps) > 0 {
		_, err := r.Sweep(ctx) // once, and after what cannot wait
		for _, i := range sweeps {
			errs[i] = err
		}
	}
	return errs
}

// everything stands for all deployment groups, where one is expected.
var everything = Key{"*", "*"}

// subject is the deployment group that a message is about: everything for a
// sweep, and none if the message is nothing to a repair.
func (r *Repairer) subject(ctx context.Context, e event.Event) (Key, Hint, error) {
	switch e := e.(type) {
	case event.Deployment:
		k := Key{e.Application, e.Group}
		if !r.cfg.Scope.covers(k) {
			r.log.DebugContext(ctx, "not in scope", "application", k.Application, "deployment_group", k.DeploymentGroup)
			return Key{}, Hint{}, nil
		}
		return k, Hint{Deployment: e.ID, State: e.State}, nil
	case event.Request:
		req, err := decode(e)
		switch {
		case err != nil:
			return Key{}, Hint{}, err
		case req.Action == "sweep":
			return everything, Hint{}, nil
		case req.Action != "repair":
			return Key{}, Hint{}, fmt.Errorf("action %q answers whoever asks: send it by direct invocation, not through the queue", req.Action)
		}
		return Key{req.Application, req.DeploymentGroup}, req.Hint, nil
	default:
		r.log.DebugContext(ctx, "nothing to repair", "event", fmt.Sprintf("%T", e))
		return Key{}, Hint{}, nil
	}
}

func decode(e event.Request) (request, error) {
	var req request
	if err := e.Decode(&req); err != nil {
		return req, err
	}
	switch named := req.Application != "" && req.DeploymentGroup != ""; {
	case !slices.Contains([]string{"plan", "repair", "status", "forget", "sweep"}, req.Action):
		return req, fmt.Errorf("action %q is not known: give %s", req.Action, actions)
	case (req.Action == "repair" || req.Action == "forget") && !named, req.Application != "" && req.DeploymentGroup == "", req.Application == "" && req.DeploymentGroup != "":
		return req, fmt.Errorf(`action %q needs both "application" and "deploymentGroup"`, req.Action)
	}
	return req, nil
}

// Answer carries out the request of an operator.
func (r *Repairer) Answer(ctx context.Context, e event.Request) (any, error) {
	req, err := decode(e)
	if err != nil {
		return nil, err
	}
	k := Key{req.Application, req.DeploymentGroup}
	switch req.Action {
	case "plan":
		return each(ctx, r, k, func(ctx context.Context, k Key) (Result, error) { return r.Plan(ctx, k, req.Hint) })
	case "status":
		return each(ctx, r, k, r.Status)
	case "repair":
		req.Insist = true
		return r.repair(ctx, k, req.Hint)
	case "forget":
		return r.Forget(ctx, k)
	default:
		return r.Sweep(ctx)
	}
}

// Plan tells what would be done about a deployment group, and does nothing.
func (r *Repairer) Plan(ctx context.Context, k Key, hint Hint) (Result, error) {
	o, err := r.observe(ctx, k, hint)
	if err != nil {
		return Result{}, fmt.Errorf("plan %s: %w", k, err)
	}
	return o.result(Decide(r.cfg.Scope, o)), nil
}
