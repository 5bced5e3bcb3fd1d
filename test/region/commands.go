package region

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// shellDocument is AWS's own document that runs shell commands; others are there
// once [Region.AddDocument] has made them.
const shellDocument = "AWS-RunShellScript"

// commands is what Run Command knows.
type commands struct {
	documents map[string]bool
	all       []*command // in the order in which they were sent
	byID      map[string]*command
	byNode    map[string][]*invocation
	script    func(CommandRun) CommandResult
	runs      []CommandRun
}

func newCommands() commands {
	return commands{
		documents: map[string]bool{shellDocument: true},
		byID:      map[string]*command{},
		byNode:    map[string][]*invocation{},
	}
}

// command is one SendCommand, and invocation its part on one instance.
type command struct {
	describe    types.Command // without what its invocations decide
	id          string
	sent        time.Time
	invocations []*invocation
}

type invocation struct {
	command  *command
	instance *instance
	status   types.CommandInvocationStatus
	details  string
	code     int32
	output   string
	started  time.Time
	finished time.Time
}

func (v *invocation) over() bool {
	return v.status != types.CommandInvocationStatusPending && v.status != types.CommandInvocationStatusInProgress
}

// CommandRun is a command as it reached one instance.
type CommandRun struct {
	Command    string // its ID
	Instance   string
	Document   string
	Parameters map[string][]string
	Comment    string
	At         time.Time
}

// CommandResult is what a command does on one instance. The zero value
// succeeds within a second and says nothing.
type CommandResult struct {
	// Takes is how long it runs, 1 s unless set. Beyond the document's
	// executionTimeout, an hour unless set, it is stopped.
	Takes time.Duration
	// Failed has it end with this exit code; 0 is success.
	Failed int32
	Output string
	// Lost is an instance whose agent does not answer: the command stays
	// Pending until the delivery timeout, an hour unless the call says less.
	Lost bool
	// Silent is an agent that begins and never reports a result: the command
	// stays InProgress until its execution timeout.
	Silent bool
}

// OnCommand has hook decide what a command does on each instance that it is
// sent to. It is called with the region's lock held, so it must not call the
// region. nil has every command succeed.
func (r *Region) OnCommand(hook func(CommandRun) CommandResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commands.script = hook
}

// AddDocument makes a command document, which takes any parameters.
func (r *Region) AddDocument(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.commands.documents[name] = true
}

// CommandRuns are the commands that were sent, one for each instance, in
// order; whether an instance has run one twice is seen here.
func (r *Region) CommandRuns() []CommandRun {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.commands.runs)
}

// run begins a command on an instance. An instance that is terminated before
// it is done never answers (assumed), so the timeouts end it.
func (r *Region) run(c *command, i *instance, delivery, execution time.Duration) {
	v := &invocation{command: c, instance: i, status: types.CommandInvocationStatusPending, details: "Pending"}
	c.invocations = append(c.invocations, v)
	r.commands.byNode[i.id] = append(r.commands.byNode[i.id], v)
	run := CommandRun{
		Command: c.id, Instance: i.id, Document: aws.ToString(c.describe.DocumentName),
		Parameters: c.describe.Parameters, Comment: aws.ToString(c.describe.Comment), At: c.sent,
	}
	r.commands.runs = append(r.commands.runs, run)
	var result CommandResult
	if r.commands.script != nil {
		result = r.commands.script(run)
	}
	if result.Takes == 0 {
		result.Takes = time.Second
	}
	if result.Lost || i.dead {
		r.after(delivery, func() { r.finish(v, types.CommandInvocationStatusTimedOut, "DeliveryTimedOut", -1, "") })
		return
	}
	r.after(0, func() {
		v.status, v.details, v.started = types.CommandInvocationStatusInProgress, "InProgress", r.clock.now
	})
	r.after(execution, func() { r.finish(v, types.CommandInvocationStatusTimedOut, "ExecutionTimedOut", -1, "") })
	if result.Silent {
		return
	}
	r.after(result.Takes, func() {
		switch {
		case i.dead:
		case result.Failed != 0:
			r.finish(v, types.CommandInvocationStatusFailed, "Failed", result.Failed, result.Output)
		default:
			r.finish(v, types.CommandInvocationStatusSuccess, "Success", 0, result.Output)
		}
	})
}

func (r *Region) finish(v *invocation, status types.CommandInvocationStatus, details string, code int32, output string) {
	if v.over() {
		return
	}
	v.status, v.details, v.code, v.output, v.finished = status, details, code, output, r.clock.now
}
