package event

// readSpotInterruption reads EC2's warning that it takes an instance back.
func readSpotInterruption(event, detail *object) Event {
	return SpotInterruption{
		Account:  event.optional("account", maxWord),
		Region:   event.optional("region", maxWord),
		Instance: detail.name("instance-id", maxInstanceID),
		Action:   detail.optional("instance-action", maxWord),
	}
}

// readRebalanceRecommendation reads EC2's word that it may soon do so.
func readRebalanceRecommendation(event, detail *object) Event {
	return RebalanceRecommendation{
		Account:  event.optional("account", maxWord),
		Region:   event.optional("region", maxWord),
		Instance: detail.name("instance-id", maxInstanceID),
	}
}
