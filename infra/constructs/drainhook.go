package constructs

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawsautoscaling"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// DrainHookName is the lifecycle hook's name unless another is given. The drain
// function completes hooks whose names match deployhooks:drainHooks, which is
// deployhooks-* unless configured.
const DrainHookName = "deployhooks-drain"

// The tags of an Auto Scaling group that the drain function reads. A test compares
// them with pkg/drain.
const (
	TargetGroupsTag   = "deployhooks:drain-target-groups"
	CommandTag        = "deployhooks:drain-command"
	CommandTimeoutTag = "deployhooks:drain-command-timeout-minutes"
	DeadlineTag       = "deployhooks:drain-deadline-minutes"
	OnRebalanceTag    = "deployhooks:on-rebalance"
)

// Limits and defaults, in seconds.
const (
	// defaultDelay is Elastic Load Balancing's deregistration delay where none is
	// set, and maxDelay the longest ("Edit target group attributes", Application
	// Load Balancers guide).
	defaultDelay, maxDelay = 300, 3600
	// defaultCommandTimeout is deployhooks:drainCommandTimeoutMinutes where it is
	// not configured, and maxCommandTimeout its longest.
	defaultCommandTimeout, maxCommandTimeout = 300, 7200
	// maxDeadline is the longest that a lifecycle action can be (Auto Scaling user
	// guide, "Amazon EC2 Auto Scaling lifecycle hooks").
	maxDeadline = 172800
	// maxHeartbeat is the longest heartbeat timeout (Auto Scaling API reference,
	// PutLifecycleHook). A drain that takes longer has the function send
	// heartbeats.
	maxHeartbeat = 7200
	// margin is for what comes before and after the drain itself: a missed event,
	// which a sweep reconciles some minutes later, and as much again for late
	// deliveries and retries. A function that works never comes to it, so it costs
	// nothing; one that does not keeps an instance that much longer.
	margin = 600
	// maxTag is the longest value of a tag, in characters (AWS General Reference,
	// "Tagging your AWS resources").
	maxTag = 256
)

// DrainHookProps are the properties of a [DrainHook].
type DrainHookProps struct {
	// AutoScalingGroup whose instances are drained: an AutoScalingGroup, a
	// CfnAutoScalingGroup, or an imported one.
	//
	// Required.
	AutoScalingGroup interfacesawsautoscaling.IAutoScalingGroupRef

	// DeregistrationDelay is the longest one among the target groups that the
	// instances are in, at most an hour.
	//
	// Default: - 5 minutes, as Elastic Load Balancing has it.
	DeregistrationDelay awscdk.Duration

	// Deadline is how long an instance waits at most, in whole minutes, instead of
	// deployhooks:drainDeadlineMinutes. It becomes a tag. One shorter than the
	// deregistration delay or the command is refused, because it would cut
	// requests or the command off.
	//
	// Default: - the setting of the hooks stack.
	Deadline awscdk.Duration

	// TargetGroups are names or ARNs of target groups that the instances are in
	// and the Auto Scaling group does not have. They become a tag.
	//
	// Default: - none.
	TargetGroups *[]*string

	// Command are shell commands that a drained instance runs before it
	// terminates; or "document:" and the name of an SSM document to run instead.
	// The hooks stack must allow the document (deployhooks:drainTagDocuments). It
	// becomes a tag, so AWS allows 256 characters.
	//
	// Default: - the setting of the hooks stack.
	Command *string

	// CommandTimeout is how long the command may take, in whole minutes, instead
	// of deployhooks:drainCommandTimeoutMinutes. It becomes a tag. Give it as well
	// where the hooks stack configures a command.
	//
	// Default: - 5 minutes with a Command, else none.
	CommandTimeout awscdk.Duration

	// OnRebalance says what a rebalance recommendation leads to, "notify" or
	// "drain", instead of deployhooks:onRebalance. It becomes a tag.
	//
	// Default: - the setting of the hooks stack.
	OnRebalance *string

	// Name of the hook, which must match deployhooks:drainHooks.
	//
	// Default: "deployhooks-drain".
	Name *string
}

// DrainHook is a lifecycle hook by which the drain function drains the terminating
// instances of an Auto Scaling group, so that no request is cut off. The hooks
// stack must be deployed in the same account and region. Without it, or should it
// fail, the hook's default result lets every instance terminate after the
// heartbeat timeout.
//
// What becomes a tag of the group needs a group that is defined in this
// application. For an imported one, Deadline and CommandTimeout only size the
// hook, and the other properties of that kind are refused.
type DrainHook struct {
	constructs.Construct
	Hook awsautoscaling.LifecycleHook
}

// HookName is the lifecycle hook's name.
func (h *DrainHook) HookName() *string { return h.Hook.LifecycleHookName() }

// NewDrainHook adds a DrainHook to scope.
func NewDrainHook(scope constructs.Construct, id *string, props *DrainHookProps) *DrainHook {
	var v validation
	if props == nil {
		props = &DrainHookProps{}
	}
	heartbeat := props.heartbeat(&v)
	tags := props.tags(&v)
	v.enforce("DrainHook", scope, id)

	h := &DrainHook{}
	constructs.NewConstruct_Override(h, scope, id)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		value := tags[key]
		// The instances do not get the tag, which concerns the group only.
		awscdk.Tags_Of(props.AutoScalingGroup).Add(&key, &value, &awscdk.TagProps{
			ApplyToLaunchedInstances: jsii.Bool(false),
			IncludeResourceTypes:     jsii.Strings("AWS::AutoScaling::AutoScalingGroup"),
		})
	}
	h.Hook = awsautoscaling.NewLifecycleHook(h, jsii.String("Hook"), &awsautoscaling.LifecycleHookProps{
		AutoScalingGroup:    props.AutoScalingGroup,
		LifecycleHookName:   jsii.String(or(props.Name, DrainHookName)),
		LifecycleTransition: awsautoscaling.LifecycleTransition_INSTANCE_TERMINATING,
		// ABANDON would end other hooks of the instance, CodeDeploy's own among
		// them, and terminates it just the same (Auto Scaling user guide, "How
		// lifecycle hooks work").
		DefaultResult:    awsautoscaling.DefaultResult_CONTINUE,
		HeartbeatTimeout: duration(heartbeat),
	})
	return h
}

// heartbeat is the hook's timeout, in seconds.
func (p *DrainHookProps) heartbeat(v *validation) float64 {
	delay, command := inSeconds(p.DeregistrationDelay, defaultDelay), 0.0
	if p.Command != nil {
		command = defaultCommandTimeout
	}
	command = inSeconds(p.CommandTimeout, command)
	v.between(delay, "DeregistrationDelay", " s", 0, maxDelay)
	v.between(command, "CommandTimeout", " s", 0, maxCommandTimeout)
	v.require(int(command)%60 == 0, "CommandTimeout", "%v s is not whole minutes, in which the function reads it", command)
	waits := delay + command
	if p.Deadline != nil {
		deadline := inSeconds(p.Deadline, 0)
		v.between(deadline/60, "Deadline", " minutes", 1, maxDeadline/60)
		v.require(deadline >= delay, "Deadline", "%v s cuts off requests that the deregistration delay of %v s would let finish: make it longer, or the delay shorter", deadline, delay)
		v.require(deadline >= command, "Deadline", "%v s cuts off the command, which may take %v s", deadline, command)
		waits = min(waits, deadline)
	}
	return min(waits+margin, maxHeartbeat)
}

// tags are what the function reads on the group.
func (p *DrainHookProps) tags(v *validation) map[string]string {
	if p.AutoScalingGroup == nil {
		v.require(false, "AutoScalingGroup", "required")
		return nil
	}
	tags, from := map[string]string{}, map[string]string{}
	add := func(property, key, value string) { tags[key], from[key] = value, property }
	if p.TargetGroups != nil && len(*p.TargetGroups) > 0 {
		var all []string
		for _, group := range *p.TargetGroups {
			all = append(all, *group)
		}
		add("TargetGroups", TargetGroupsTag, strings.Join(all, " "))
	}
	if p.Command != nil {
		v.require(strings.TrimSpace(*p.Command) != "", "Command", "empty")
		add("Command", CommandTag, *p.Command)
	}
	if p.OnRebalance != nil {
		v.require(*p.OnRebalance == "notify" || *p.OnRebalance == "drain", "OnRebalance", "%q is neither notify nor drain", *p.OnRebalance)
		add("OnRebalance", OnRebalanceTag, *p.OnRebalance)
	}
	defined := canBeTagged(p.AutoScalingGroup)
	if defined && p.Deadline != nil {
		add("Deadline", DeadlineTag, strconv.Itoa(int(inSeconds(p.Deadline, 0)/60)))
	}
	if defined && p.CommandTimeout != nil {
		add("CommandTimeout", CommandTimeoutTag, strconv.Itoa(int(inSeconds(p.CommandTimeout, 0)/60)))
	}
	for key, value := range tags {
		v.require(defined, from[key], "the group is imported, so this application cannot tag it: where it is defined, give it the tag %s with the value %q", key, value)
		length := len([]rune(value))
		v.require(length <= maxTag || *awscdk.Token_IsUnresolved(value), from[key], "the tag %s would have %d characters, and AWS allows %d: configure it in the hooks stack instead", key, length, maxTag)
	}
	slices.SortFunc(v.faults, func(a, b error) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return tags
}

// canBeTagged reports whether the group is defined in this application.
func canBeTagged(group interfacesawsautoscaling.IAutoScalingGroupRef) bool {
	_, l1 := group.(awsautoscaling.CfnAutoScalingGroup)
	return l1 || group.Node().DefaultChild() != nil
}
