package event

// The next kind of event is one more line here and one more reader.

// eventKind identifies a kind of event on EventBridge.
type eventKind struct{ source, detailType string }

// readerOfEvent returns what reads an event of EventBridge, given the event
// and its detail, or nil for a kind that is out of scope.
func readerOfEvent(kind eventKind) func(event, detail *object) Event {
	switch kind {
	case eventKind{"aws.codedeploy", "CodeDeploy Deployment State-change Notification"}:
		return readDeploymentEvent
	case eventKind{"aws.autoscaling", "EC2 Instance-launch Lifecycle Action"},
		eventKind{"aws.autoscaling", "EC2 Instance-terminate Lifecycle Action"}:
		return readLifecycleEvent
	case eventKind{"aws.ec2", "EC2 Spot Instance Interruption Warning"}:
		return readSpotInterruption
	case eventKind{"aws.ec2", "EC2 Instance Rebalance Recommendation"}:
		return readRebalanceRecommendation
	case eventKind{"aws.ec2", "EC2 Instance State-change Notification"}:
		return readStateChange
	case eventKind{"aws.health", "AWS Health Event"}:
		return readHealthEvent
	case eventKind{"aws.states", "Step Functions Execution Status Change"}:
		return readExecution
	}
	return nil
}

// readerOfShape returns what reads a message that services publish without
// saying its kind. It goes by fields that no other message has, and that are
// not the ones most needed: a message that lacks its names is malformed, not
// unknown.
func readerOfShape(message *object) func(*object) Event {
	switch {
	case message.has("instanceStatus"): // a trigger's report on one instance
		return nil
	case message.has("eventTriggerName"), message.has("deploymentGroupName"):
		return readDeploymentMessage
	case message.has("Event"):
		return readScalingMessage
	case isCustomResource(message):
		return readCustomResource
	}
	return nil
}

func isLifecycleAction(message *object) bool {
	return message.has("LifecycleTransition") || message.has("LifecycleHookName")
}

// The services as their own messages name them.
const (
	autoScaling = "AWS Auto Scaling"
	codeDeploy  = "AWS CodeDeploy"
)
