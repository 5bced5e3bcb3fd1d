package event

// readSpotInterruption reads EC2's warning that it takes an instance back ("Spot
// Instance interruption notices", Amazon EC2 User Guide).
func readSpotInterruption(event, detail *object) Event {
	return SpotInterruption{
		Account:  event.optional("account", maxWord),
		Region:   event.optional("region", maxWord),
		Instance: detail.name("instance-id", maxInstanceID),
		Time:     instant(event.optional("time", maxWord)),
	}
}

// readRebalanceRecommendation reads EC2's warning that it may soon do so ("EC2
// instance rebalance recommendations", Amazon EC2 User Guide).
func readRebalanceRecommendation(event, detail *object) Event {
	return RebalanceRecommendation{
		Account:  event.optional("account", maxWord),
		Region:   event.optional("region", maxWord),
		Instance: detail.name("instance-id", maxInstanceID),
	}
}

// readStateChange reads EC2's report of an instance's state ("State change events
// for Amazon EC2 instances", Amazon EC2 User Guide).
func readStateChange(event, detail *object) Event {
	return StateChange{
		Account:  event.optional("account", maxWord),
		Region:   event.optional("region", maxWord),
		Instance: detail.name("instance-id", maxInstanceID),
		State:    detail.name("state", maxWord),
	}
}
