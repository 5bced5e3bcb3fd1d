// Package drainhook is for CDK applications whose Auto Scaling groups shall
// lose no request when an instance goes: [New] puts the lifecycle hook on a
// group that the drain function of the hooks stack answers.
//
//	drainhook.New(stack, jsii.String("Drain"), &drainhook.Props{
//		AutoScalingGroup:    group,
//		DeregistrationDelay: awscdk.Duration_Minutes(jsii.Number(5)),
//	})
//
// The hooks stack must be deployed in the same account and region. Without it,
// or should it fail, the hook's default result lets every instance go after the
// heartbeat timeout.
package drainhook

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/interfaces/interfacesawsautoscaling"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Name is the hook's name unless another is given. The drain function answers
// hooks whose names match its context key deployhooks:drainHooks, which is
// deployhooks-* unless configured.
const Name = "deployhooks-drain"

// The tags of an Auto Scaling group that the drain function reads. A test holds
// them to pkg/drain.
const (
	TargetGroupsTag = "deployhooks:drain-target-groups"
	CommandTag      = "deployhooks:drain-command"
)

// Limits and defaults, in seconds.
const (
	// defaultDelay is Elastic Load Balancing's deregistration delay where none
	// is set, and maxDelay the longest ("Edit target group attributes",
	// Application Load Balancers guide).
	defaultDelay, maxDelay = 300, 3600
	// maxHeartbeat is the longest heartbeat timeout (Auto Scaling API reference,
	// PutLifecycleHook). A drain that takes longer has the function send
	// heartbeats.
	maxHeartbeat = 7200
	// spare is for what comes before and after the drain itself: an event that
	// is lost, and made good by a sweep some minutes later; and as much again
	// for late looks and retries. A function that is well never comes to it, so
	// it costs nothing; one that is not keeps an instance that much longer.
	spare = 600
	// maxTag is the longest value of a tag, in characters (AWS General
	// Reference, "Tagging your AWS resources").
	maxTag = 256
)

// Props say which group is drained, and what its requests need.
type Props struct {
	// AutoScalingGroup is the group: an AutoScalingGroup, a
	// CfnAutoScalingGroup, or an imported one. Required.
	AutoScalingGroup interfacesawsautoscaling.IAutoScalingGroupRef
	// DeregistrationDelay is the longest one among the target groups that the
	// instances are in; 5 minutes, as Elastic Load Balancing has it, if nil.
	DeregistrationDelay awscdk.Duration
	// Deadline is the hooks stack's deployhooks:drainDeadlineMinutes, if it has
	// one. One shorter than the deregistration delay is refused, because it
	// would cut requests off.
	Deadline awscdk.Duration
	// TargetGroups are names or ARNs of target groups that the instances are in
	// and the group does not know of. The group must be defined in this
	// application: they become a tag of it.
	TargetGroups []*string
	// Command are shell lines that a drained instance runs before it goes; or
	// "document:" and the name of an SSM document to run instead. The hooks
	// stack must allow the document (deployhooks:drainTagDocuments). The group
	// must be defined in this application: it becomes a tag of it, so AWS
	// allows 256 characters.
	Command *string
	// CommandTimeout is the hooks stack's
	// deployhooks:drainCommandTimeoutMinutes, needed where a command runs; 5
	// minutes with a Command, else none, if nil.
	CommandTimeout awscdk.Duration
	// Name of the hook; [Name] if nil.
	Name *string
}

// New puts the hook on the group. What does not fit together is an error of the
// synthesis, which names the construct.
func New(scope constructs.Construct, id *string, props *Props) awsautoscaling.LifecycleHook {
	scope = constructs.NewConstruct(scope, id)
	refuse := func(format string, args ...any) {
		awscdk.Annotations_Of(scope).AddError(jsii.String(fmt.Sprintf(format, args...)))
	}
	delay := seconds(props.DeregistrationDelay, defaultDelay)
	if delay > maxDelay {
		refuse("a deregistration delay of %d s: Elastic Load Balancing allows %d s at most", delay, maxDelay)
	}
	command := 0
	if props.Command != nil {
		command = defaultCommand
	}
	command = seconds(props.CommandTimeout, command)
	held := delay + command
	if props.Deadline != nil {
		deadline := seconds(props.Deadline, 0)
		if deadline < delay {
			refuse("a deadline of %d s cuts off requests that the deregistration delay of %d s would let finish: make it longer, or the delay shorter", deadline, delay)
		}
		held = min(held, deadline)
	}
	tag(scope, props, refuse)

	name := props.Name
	if name == nil {
		name = jsii.String(Name)
	}
	return awsautoscaling.NewLifecycleHook(scope, jsii.String("Hook"), &awsautoscaling.LifecycleHookProps{
		AutoScalingGroup:    props.AutoScalingGroup,
		LifecycleHookName:   name,
		LifecycleTransition: awsautoscaling.LifecycleTransition_INSTANCE_TERMINATING,
		// ABANDON would end other hooks of the instance, CodeDeploy's own among
		// them, and lets it go just the same (Auto Scaling user guide, "How
		// lifecycle hooks work").
		DefaultResult:    awsautoscaling.DefaultResult_CONTINUE,
		HeartbeatTimeout: awscdk.Duration_Seconds(jsii.Number(min(held+spare, maxHeartbeat))),
	})
}

// defaultCommand is deployhooks:drainCommandTimeoutMinutes where it is not
// configured, in seconds.
const defaultCommand = 300

func seconds(d awscdk.Duration, otherwise int) int {
	if d == nil {
		return otherwise
	}
	return int(*d.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(true)}))
}

// tag tells the function, by tags of the group, what the group itself does not
// say. The instances do not get them.
func tag(scope constructs.Construct, props *Props, refuse func(string, ...any)) {
	tags := map[string]string{}
	if len(props.TargetGroups) > 0 {
		var all []string
		for _, group := range props.TargetGroups {
			all = append(all, *group)
		}
		tags[TargetGroupsTag] = strings.Join(all, " ")
	}
	if props.Command != nil {
		tags[CommandTag] = *props.Command
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		group, value := props.AutoScalingGroup, tags[key]
		_, defined := group.(awsautoscaling.CfnAutoScalingGroup)
		switch {
		case !defined && group.Node().DefaultChild() == nil:
			refuse("the group is imported, so this application cannot tag it: where it is defined, give it the tag %s with the value %q", key, value)
		case len([]rune(value)) > maxTag && !*awscdk.Token_IsUnresolved(value):
			refuse("the tag %s would have %d characters, and AWS allows %d: configure it in the hooks stack instead", key, len([]rune(value)), maxTag)
		default:
			awscdk.Tags_Of(group).Add(&key, &value, &awscdk.TagProps{
				ApplyToLaunchedInstances: jsii.Bool(false),
				IncludeResourceTypes:     jsii.Strings("AWS::AutoScaling::AutoScalingGroup"),
			})
		}
	}
}
