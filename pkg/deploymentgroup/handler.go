package deploymentgroup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"deployhooks/pkg/event"
	"deployhooks/pkg/fault"
	"deployhooks/pkg/invoke"
)

// work is a request that the function goes on with.
type work struct {
	Request  event.CustomResource `json:"request"`
	Answered bool                 `json:"answered,omitempty"`
	// Last is what was in the way at the last try.
	Last string `json:"last,omitempty"`
	// Response is the answer that is left to be sent.
	Response *invoke.Response `json:"response,omitempty"`
	// Turn counts the messages of a request, from 0.
	Turn int `json:"turn,omitempty"`
}

// key tells the messages by which a request goes on from those by which its answer is sent.
func (w work) key() string {
	if w.Response != nil {
		return w.Request.ID + " response"
	}
	return w.Request.ID
}

// continuation is what the function sends to its own queue.
type continuation struct {
	Work *work `json:"work,omitempty"`
}

// Handle implements [invoke.Domain]. Each request is about a resource of its own: CloudFormation
// sends the next when it has the answer to one.
func (m *Manager) Handle(ctx context.Context, batch []event.Message) []error {
	errs := make([]error, len(batch))
	for i, message := range batch {
		switch e := message.Event.(type) {
		case event.CustomResource:
			if e.Time.IsZero() { // without an envelope that says
				e.Time = m.now()
			}
			errs[i] = m.handle(ctx, work{Request: e})
		case event.Continuation:
			var c continuation
			if errs[i] = e.Decode(&c); errs[i] == nil && c.Work == nil {
				errs[i] = errors.New(`a continuation needs "work"`)
			}
			if errs[i] == nil {
				errs[i] = m.handle(ctx, *c.Work)
			}
		default:
			m.log.DebugContext(ctx, "event out of scope", "event", fmt.Sprintf("%T", e))
		}
	}
	return errs
}

// handle goes on with a request, answers it when its outcome is known, and requeues it
// while something is left to do.
func (m *Manager) handle(ctx context.Context, w work) error {
	if m.repeated(w) {
		m.log.DebugContext(ctx, "message repeated", "stack", w.Request.Stack, "resource", w.Request.LogicalID, "request", w.Request.ID, "turn", w.Turn)
		return nil
	}
	if w.Response != nil {
		return m.respond(ctx, w)
	}
	r, done := m.read(w)
	if done == nil {
		outcome := m.Reconcile(ctx, r)
		done = &outcome
	}
	if done.Status != "" && !w.Answered {
		m.log.InfoContext(ctx, "request done", "stack", r.Stack, "resource", r.LogicalID, "request", r.ID, "type", string(r.Type), "status", done.Status, "reason", done.Reason)
		answer := w
		answer.Response, answer.Turn = r.response(*done), 0
		if err := m.respond(ctx, answer); err != nil {
			return err
		}
		w.Answered, w.Request.ResponseURL = true, "" // of no use any more
	}
	if w.Answered && done.Status == invoke.Failed {
		m.log.ErrorContext(ctx, "release not followed", "stack", r.Stack, "resource", r.LogicalID, "request", r.ID, "reason", done.Reason)
	}
	if done.Again == 0 {
		return nil
	}
	m.log.InfoContext(ctx, "request requeued", "stack", r.Stack, "resource", r.LogicalID, "request", r.ID, "answered", w.Answered, "reason", done.Reason)
	w.Last = done.Reason
	return m.requeue(ctx, w, done.Again)
}

// read reads a request; the outcome is set for one that needs no calls.
func (m *Manager) read(w work) (Request, *Outcome) {
	r := Request{CustomResource: w.Request, Answered: w.Answered, Last: w.Last}
	if r.Type == event.Delete {
		id, ok := parseID(r.PhysicalID)
		if r.Wanted.ID = id; !ok { // of a creation that failed before it had a name
			return r, &Outcome{Status: invoke.Success}
		}
		return r, nil
	}
	var err error
	if r.Wanted, err = ReadProperties(r.Properties); err != nil {
		return r, &Outcome{Status: invoke.Failed, Reason: "The properties cannot be applied, and nothing was changed. " + err.Error()}
	}
	r.Removed = removedTags(r.OldProperties, r.Wanted.Tags)
	if former := formerID(r.OldProperties); r.Type == event.Update && former != r.Wanted.ID && former.String() != r.PhysicalID {
		r.Leftover = former
	}
	return r, nil
}

// response is the answer to a request. The physical ID is that of the deployment group
// which is there: CloudFormation deletes the former one when an update answers another.
func (r Request) response(o Outcome) *invoke.Response {
	id := cmp.Or(r.PhysicalID, "none-"+r.ID)
	if name := r.Wanted.ID; name.Application != "" && name.Group != "" && (o.Status == invoke.Success || r.Type == event.Create) {
		id = name.String()
	}
	return &invoke.Response{Status: o.Status, Reason: o.Reason, PhysicalResourceID: id, StackID: r.Stack, RequestID: r.ID, LogicalResourceID: r.LogicalID}
}

// respondAgain is after how long a response that could not be sent is sent again.
const respondAgain = 5 * time.Second

// respond sends the answer. One that cannot be sent now is requeued, with what is left of
// the request; one that is refused is of no use any more.
func (m *Manager) respond(ctx context.Context, w work) error {
	err := invoke.Respond(ctx, m.clients.Web, w.Request.ResponseURL, *w.Response)
	if err == nil {
		return nil
	}
	m.log.WarnContext(ctx, "response not sent", "stack", w.Request.Stack, "resource", w.Request.LogicalID, "request", w.Request.ID, "status", w.Response.Status, "error", err)
	if errors.Is(err, invoke.ErrResponseRefused) || m.now().After(w.Request.Time.Add(respondAtMost)) {
		return nil
	}
	return m.requeue(ctx, w, respondAgain)
}

// requeue has the function go on with a request later.
func (m *Manager) requeue(ctx context.Context, w work, after time.Duration) error {
	w.Turn++
	if err := m.queue.Continue(ctx, continuation{&w}, after); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.turns) >= maxTurns {
		clear(m.turns)
	}
	m.turns[w.key()] = max(m.turns[w.key()], w.Turn)
	return nil
}

// repeated reports whether a later message of the same request is certainly in the queue.
func (m *Manager) repeated(w work) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return w.Turn < m.turns[w.key()]
}

// statusRequest is an operator's question how a deployment group stands.
type statusRequest struct {
	Action, Application, DeploymentGroup string
}

// status is the answer to it.
type status struct {
	DeploymentGroup string            `json:"deploymentGroup"`
	Exists          bool              `json:"exists"`
	AutoScaling     []string          `json:"autoScalingGroups,omitempty"`
	Tags            map[string]string `json:"tags,omitempty"`
	Releases        []string          `json:"releases,omitempty"`
}

// Answer implements [invoke.Domain]: {"action":"status","application":"…","deploymentGroup":"…"}
// says how a deployment group stands. It changes nothing.
func (m *Manager) Answer(ctx context.Context, req event.Request) (any, error) {
	if req.Action != "status" {
		return nil, fmt.Errorf(`unknown action %q: this function takes "status"`, req.Action)
	}
	var q statusRequest
	if err := req.Decode(&q); err != nil {
		return nil, err
	}
	id := ID{q.Application, q.DeploymentGroup}
	if id.Application == "" || id.Group == "" {
		return nil, errors.New(`"status" needs "application" and "deploymentGroup"`)
	}
	g, err := m.group(ctx, "arn:"+partition(m.Home.Region)+":cloudformation:"+m.Home.Region+":"+m.Home.Account+":stack/none", id, &Observation{})
	if err != nil {
		return nil, fmt.Errorf("%s%w", prefixOf(err), err)
	}
	s := status{DeploymentGroup: id.String(), Exists: g != nil}
	if g != nil {
		s.AutoScaling, s.Tags = g.AutoScalingGroups, g.Tags
		for _, release := range g.Releases {
			s.Releases = append(s.Releases, release.ID)
		}
	}
	return s, nil
}

// partition is that of a region ("Amazon Resource Names", AWS General Reference).
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

func prefixOf(err error) string {
	if fault.Is(err, fault.Denied) {
		return fault.AllowRemedy(err) + " "
	}
	return ""
}
