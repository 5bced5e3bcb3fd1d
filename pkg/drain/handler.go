package drain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"time"

	"deployhooks/pkg/event"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/queue"
)

// Drainer is the handler of the function in functions/drain.
type Drainer struct {
	cfg     Config
	clients Clients
	own     queue.Own
	drains  table
	notices *notice.Publisher
	log     *slog.Logger
	now     func() time.Time
	pace    pace
	// complained says of which calls people were told that the function may not
	// make them, and when.
	complained sync.Map
	guard      sync.Mutex // of the drains' troubles
}

// New makes a Drainer. It makes no calls.
func New(cfg Config, clients Clients, notices *notice.Publisher, log *slog.Logger, now func() time.Time) *Drainer {
	return &Drainer{cfg: cfg, clients: clients, own: queue.Own{URL: cfg.QueueURL, Client: clients.Queue}, drains: table{cfg.Table, clients.Database, log}, notices: notices, log: log, now: now}
}

// request is what an operator, the schedule, or the function itself asks for.
//
//	{"action": "status"}                      the drains under way
//	{"action": "drain", "instance": "i-…"}    drain an instance now
//	{"action": "skip",  "instance": "i-…"}    let an instance go as it is
//	{"action": "sweep"}                       take up what nobody carries
//	{"action": "tick",  "slot": 1772700000}   look at all open drains; the function's own
type request struct {
	Action   string `json:"action"`
	Instance string `json:"instance,omitempty"`
	Slot     int64  `json:"slot,omitempty"` // in seconds since 1970
}

const actions = `"status", "drain", "skip" or "sweep"`

// concurrency is how many calls of one kind are made at once.
const concurrency = 8

// Invoke handles one invocation, as [queue.Invoke] says. It implements the Lambda
// runtime's Handler.
func (r *Drainer) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	return queue.Invoke(ctx, payload, r, r.log)
}

// orders are what the messages of one invocation come to.
type orders struct {
	asks  []ask
	tick  time.Time // the latest slot, zero without a tick
	by    string    // the message that brought it
	ticks []string  // the messages of all ticks
	// ticked says that a tick for another look is under way.
	ticked bool
	sweeps []string // the messages that ask for a sweep
	warn   []warning
	// failed says which messages must come again for what concerns them alone.
	failed map[string]error
}

// fail has a message come again.
func (o *orders) fail(message string, err error) {
	if o.failed == nil {
		o.failed = map[string]error{}
	}
	o.failed[message] = errors.Join(o.failed[message], err)
}

// drains tells whether a message is about drains; others only warn, or ask for
// nothing.
func (o *orders) drains(message string) bool {
	return slices.Contains(o.ticks, message) || slices.Contains(o.sweeps, message) ||
		slices.ContainsFunc(o.asks, func(a ask) bool { return a.message == message })
}

// Handle handles messages by one look for all of them, and returns an error
// or nil for each.
func (r *Drainer) Handle(ctx context.Context, messages []event.Message) []error {
	var o orders
	errs := make([]error, len(messages))
	for i, m := range messages {
		if errs[i] = m.Err; m.Err == nil {
			errs[i] = r.add(ctx, &o, m)
		}
	}
	err := r.carryOut(ctx, &o)
	for i, m := range messages {
		if o.ticked && slices.Contains(o.ticks, m.ID) {
			continue // another tick has taken its place
		}
		errs[i] = errors.Join(errs[i], o.failed[m.ID])
		if o.drains(m.ID) {
			errs[i] = errors.Join(errs[i], err)
		}
	}
	return errs
}

// add adds what a message asks for to the orders.
func (r *Drainer) add(ctx context.Context, o *orders, m event.Message) error {
	switch e := m.Event.(type) {
	case event.LifecycleAction:
		if e.Transition == event.Terminating && r.cfg.Hooks.Match(e.Hook) {
			o.asks = append(o.asks, ask{Instance: e.Instance, Group: e.Group, Cause: Lifecycle, ToWarmPool: e.Destination == "WarmPool", message: m.ID,
				Began: e.Began, Actions: []Action{{Hook: e.Hook, Token: e.Token}}})
			return nil
		}
	case event.SpotInterruption:
		o.asks = append(o.asks, ask{Instance: e.Instance, Cause: Spot, message: m.ID})
		return nil
	case event.RebalanceRecommendation:
		if r.cfg.OnRebalance == DrainToo {
			o.asks = append(o.asks, ask{Instance: e.Instance, Cause: Rebalance, message: m.ID})
			return nil
		}
		o.warn = append(o.warn, rebalanceWarning(e, m.ID))
		return nil
	case event.Maintenance:
		o.warn = append(o.warn, maintenanceWarnings(e, m.ID)...)
		if r.cfg.OnMaintenance == DrainToo && !e.Over {
			for _, instance := range e.Instances {
				o.asks = append(o.asks, ask{Instance: instance, Cause: Announced, message: m.ID})
			}
		}
		return nil
	case event.Request:
		return o.addRequest(e, m.ID)
	}
	r.log.DebugContext(ctx, "nothing to drain", "event", fmt.Sprintf("%T", m.Event))
	return nil
}

func (o *orders) addRequest(e event.Request, message string) error {
	req, err := decode(e)
	if err != nil {
		return err
	}
	switch req.Action {
	case "tick":
		o.ticks = append(o.ticks, message)
		if slot := time.Unix(req.Slot, 0); slot.After(o.tick) {
			o.tick, o.by = slot, message
		}
	case "sweep":
		o.sweeps = append(o.sweeps, message)
	case "drain", "skip":
		o.asks = append(o.asks, ask{Instance: req.Instance, Cause: Operator, Skip: req.Action == "skip", message: message})
	default:
		return fmt.Errorf("action %q answers whoever asks: send it by direct invocation, not through the queue", req.Action)
	}
	return nil
}

// instanceID is the form of an instance's ID ("Resource IDs", Amazon EC2 User
// Guide).
var instanceID = regexp.MustCompile(`^i-[0-9a-f]+$`)

func decode(e event.Request) (request, error) {
	var req request
	if err := e.Decode(&req); err != nil {
		return req, err
	}
	switch {
	case !slices.Contains([]string{"status", "drain", "skip", "sweep", "tick"}, req.Action):
		return req, fmt.Errorf("action %q is not known: give %s", req.Action, actions)
	case (req.Action == "drain" || req.Action == "skip") && !instanceID.MatchString(req.Instance):
		return req, fmt.Errorf(`action %q needs an "instance", such as "i-0123456789abcdef0", not %q`, req.Action, req.Instance)
	}
	return req, nil
}

// Answer carries out the request of an operator.
func (r *Drainer) Answer(ctx context.Context, e event.Request) (any, error) {
	req, err := decode(e)
	if err != nil {
		return nil, err
	}
	if req.Action == "tick" {
		return nil, errors.New("a tick is the function's own message; give sweep")
	}
	if req.Action != "status" {
		var o orders
		if err := o.addRequest(e, ""); err != nil {
			return nil, err
		}
		if err := errors.Join(r.carryOut(ctx, &o), o.failed[""]); err != nil {
			return nil, fmt.Errorf("%s: %w", req.Action, err)
		}
	}
	return r.Status(ctx, req.Instance)
}
