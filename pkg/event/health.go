package event

import "strings"

// readHealthEvent reads an event of AWS Health (AWS Health User Guide,
// "EventBridge event schema"). Those that schedule nothing, or are not about
// EC2 instances, are out of scope.
func readHealthEvent(event, detail *object) Event {
	unknown := Unknown{Source: event.peek("source"), Kind: event.peek("detail-type")}
	if detail.peek("service") != "EC2" || detail.peek("eventTypeCategory") != "scheduledChange" {
		return unknown
	}
	m := Maintenance{
		Account: event.optional("account", maxWord),
		Region:  event.optional("region", maxWord),
		Code:    detail.optional("eventTypeCode", maxEventTypeCode),
		Over:    detail.peek("statusCode") == "closed",
	}
	for _, description := range detail.objects("eventDescription") {
		m.Text = cutTo(strings.TrimSpace(m.Text+" "+description.peek("latestDescription")), maxProse)
	}
	for _, entity := range detail.objects("affectedEntities") {
		if id := entity.peek("entityValue"); strings.HasPrefix(id, "i-") && len(id) <= maxInstanceID {
			m.Instances = append(m.Instances, id)
		}
	}
	if len(m.Instances) == 0 {
		return unknown
	}
	return m
}
