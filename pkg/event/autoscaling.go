package event

import "time"

// readLifecycleEvent reads a lifecycle action from EventBridge.
func readLifecycleEvent(event, detail *object) Event {
	action := lifecycleAction(detail)
	action.Account = event.optional("account", maxWord)
	action.Region = event.optional("region", maxWord)
	action.Began = instant(event.optional("time", maxWord))
	if !action.Transition.known() {
		return Unknown{Source: event.peek("source"), Kind: event.peek("detail-type")}
	}
	return action
}

// readLifecycleMessage reads a lifecycle action that Auto Scaling sent straight
// to a topic or a queue. It does not say its region.
func readLifecycleMessage(message *object) Event {
	action := lifecycleAction(message)
	action.Account = message.optional("AccountId", maxWord)
	action.Began = instant(message.optional("Time", maxWord))
	if !action.Transition.known() {
		return Unknown{Source: autoScaling}
	}
	return action
}

// lifecycleAction reads the fields that both forms share.
func lifecycleAction(o *object) LifecycleAction {
	return LifecycleAction{
		Token:            o.optional("LifecycleActionToken", maxToken),
		AutoScalingGroup: o.name("AutoScalingGroupName", maxAutoScalingName),
		Hook:             o.name("LifecycleHookName", maxAutoScalingName),
		Instance:         o.name("EC2InstanceId", maxInstanceID),
		Transition:       Transition(o.name("LifecycleTransition", maxWord)),
		Action:           o.optional("Action", maxWord),
		Origin:           o.optional("Origin", maxWord),
		Destination:      o.optional("Destination", maxWord),
	}
}

// instant reads a time as AWS's services write it; zero for anything else.
func instant(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

func (t Transition) known() bool { return t == Launching || t == Terminating }

// readScalingMessage reads what Auto Scaling publishes about a group beside
// lifecycle actions: the test of a notification target, and notifications of
// scaling, which request nothing.
func readScalingMessage(message *object) Event {
	what, service := cut(message.peek("Event")), cut(message.peek("Service"))
	if what == "autoscaling:TEST_NOTIFICATION" {
		return Test{Service: autoScaling}
	}
	return Unknown{Source: service, Kind: what}
}
