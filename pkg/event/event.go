// Package event parses what the functions are invoked with: it turns the bytes of
// an invocation into typed events, whatever envelopes they came in.
//
// Package invoke calls [Parse] once per invocation, for every function. Envelopes nest (an
// EventBridge event in an SQS message, an SNS notification in an SQS message,
// SNS straight to Lambda), and the same fact comes in several shapes; what
// leaves this package has one shape per kind of fact.
//
// A payload that cannot be read is a [MalformedError], which says what is wrong
// and where, but never quotes it. What is well formed but out of scope is [Unknown]
// and no error. The package deployhooks/events has a file for each form of payload.
//
// Only what a function uses is read. A field that an event can do without and that
// is damaged counts as absent: it does not make the event malformed.
//
// Events are hints. They come at least once, late, in any order, or never, so
// a consumer takes the identifiers from an event and reads everything else from AWS.
package event

import (
	"encoding/json"
	"time"
)

// Event is one of the types of this package: [Deployment], [LifecycleAction],
// [SpotInterruption], [RebalanceRecommendation], [StateChange], [Maintenance],
// [Execution], [TenantRequest], [CustomResource], [Test], [Request], [Continuation] or [Unknown].
type Event interface{ isEvent() }

// Batch is one invocation, opened.
type Batch struct {
	// Queued says that the messages came through SQS, so that a failed one is
	// reported by its ID instead of failing the invocation.
	Queued   bool
	Messages []Message
}

// Message is one message of a batch. Either Event or Err is set, never both.
type Message struct {
	// ID is the SQS message ID, empty for messages that came another way.
	ID string
	// Receives is how often SQS has delivered this message, this time
	// included; 0 where it is not known.
	Receives int
	Event    Event
	// Err says what is wrong with a message that can never be understood. It
	// is always a *[MalformedError].
	Err error
	// Enveloped means that the message came in the envelope of SNS or
	// EventBridge, whoever sent it there. A function's continuation of its own work
	// does not, and neither does an operator's request.
	Enveloped bool
}

// State is the state of a deployment, in one vocabulary for the two that
// CodeDeploy uses.
type State string

// The states of a deployment. EventBridge says START, READY, SUCCESS, FAILURE
// and STOP (EventBridge User Guide, "AWS CodeDeploy events"); SNS triggers say
// CREATED or IN_PROGRESS, SUCCEEDED, FAILED and STOPPED (recorded), and READY.
const (
	Started   State = "started"
	Ready     State = "ready"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Stopped   State = "stopped"
)

// Deployment says that a CodeDeploy deployment has changed its state.
type Deployment struct {
	Account         string
	Region          string
	Application     string
	DeploymentGroup string // its name
	ID              string // d-…
	State           State
}

// LifecycleAction says that an instance waits for somebody to complete a lifecycle
// action.
type LifecycleAction struct {
	Account          string
	Region           string // empty in a message straight to a topic or queue, which does not say
	Token            string // empty where the event does not say; the instance's ID completes the action as well
	AutoScalingGroup string // its name
	Hook             string
	Instance         string
	Transition       Transition
	// Began is when the instance began to wait, zero where the event does not say.
	Began time.Time
	// Action is [ReplaceRootVolume] for an instance that is to come back with
	// another root volume, else empty ("Replace root volumes during instance
	// refresh", Amazon EC2 Auto Scaling User Guide).
	Action string
	// Origin and Destination are "EC2", "AutoScalingGroup" or [WarmPool], or
	// empty where the event does not say. An instance whose destination is not
	// "EC2" comes back.
	Origin      string
	Destination string
}

// Values of [LifecycleAction] that the functions decide by.
const (
	ReplaceRootVolume = "ReplaceRootVolume"
	WarmPool          = "WarmPool"
)

// Transition is what a lifecycle hook is for: launches or terminations.
type Transition string

// The transitions of Auto Scaling lifecycle hooks.
const (
	Launching   Transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
	Terminating Transition = "autoscaling:EC2_INSTANCE_TERMINATING"
)

// SpotInterruption says that EC2 takes a Spot instance back in two minutes.
type SpotInterruption struct {
	Account  string
	Region   string
	Instance string
	// Time is when EC2 warned, zero where the event does not say.
	Time time.Time
}

// RebalanceRecommendation says that a Spot instance is at elevated risk.
type RebalanceRecommendation struct {
	Account  string
	Region   string
	Instance string
}

// StateChange says that EC2 changes an instance's state, whoever asked for it:
// Auto Scaling, an operator, or EC2 itself.
type StateChange struct {
	Account  string
	Region   string
	Instance string
	State    string // such as "stopping" or "shutting-down"
}

// Maintenance says that AWS has scheduled something about EC2 instances: a
// reboot, a retirement, work on what they run on.
type Maintenance struct {
	Account   string
	Region    string
	Code      string   // such as AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED
	Text      string   // AWS's description, at most a thousand characters
	Instances []string // i-…
	Over      bool     // done, or cancelled
}

// Execution says that an execution of a Step Functions state machine has begun or ended.
type Execution struct {
	Account string
	Region  string
	Machine string // the state machine's ARN
	Name    string
	Status  string // RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or PENDING_REDRIVE
	Input   string // JSON; empty where the event has no room for it
}

// TenantRequest requests to launch, change or remove a tenant. Whoever may publish to the
// topic of tenant requests can send one.
type TenantRequest struct {
	// ID identifies the request: the same one may come twice. It is the sender's, or else
	// that of the SNS message, or else that of the SQS message.
	ID        string
	Tenant    string
	Operation string
	// Spec is an object, or nil.
	Spec json.RawMessage
	// Faults are what is wrong with the form of the request: fields that are missing, unknown, there
	// twice or of another type. The request is to be refused with them; its other fields may be empty.
	Faults []Fault
}

// Test is the test notification that AWS sends when a CodeDeploy trigger, or a
// lifecycle hook with a notification target, is created. It requests nothing.
type Test struct {
	Service string // "AWS Auto Scaling" or "AWS CodeDeploy"
}

// Request is what an operator requests of a function by direct invocation: any
// JSON object with a string member "action".
type Request struct {
	Action string
	Body   json.RawMessage // the whole object, Action included
}

// Continuation is a function's own work, sent to itself through its queue to be
// continued later, or what the schedule sends there: any JSON object with an object
// member "continue".
type Continuation struct {
	Body json.RawMessage // the member's value
}

// Unknown is a well-formed message that no function reacts to.
type Unknown struct {
	Source string // EventBridge source, or what else names the sender, if there is one
	Kind   string // EventBridge detail-type, or what else names the kind, if there is one
}

func (Deployment) isEvent()              {}
func (LifecycleAction) isEvent()         {}
func (SpotInterruption) isEvent()        {}
func (RebalanceRecommendation) isEvent() {}
func (Maintenance) isEvent()             {}
func (Execution) isEvent()               {}
func (TenantRequest) isEvent()           {}
func (Test) isEvent()                    {}
func (Request) isEvent()                 {}
func (Continuation) isEvent()            {}
func (StateChange) isEvent()             {}
func (Unknown) isEvent()                 {}

// Origin is the account and region that an event is about, empty where it does not
// say.
func Origin(e Event) (account, region string) {
	switch e := e.(type) {
	case Deployment:
		return e.Account, e.Region
	case LifecycleAction:
		return e.Account, e.Region
	case SpotInterruption:
		return e.Account, e.Region
	case RebalanceRecommendation:
		return e.Account, e.Region
	case StateChange:
		return e.Account, e.Region
	case Maintenance:
		return e.Account, e.Region
	case Execution:
		return e.Account, e.Region
	}
	return "", ""
}
