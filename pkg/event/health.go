package event

import "strings"

// readHealthEvent reads an event of AWS Health (AWS Health User Guide,
// "EventBridge event schema"). Those that schedule nothing, or are not about
// EC2 instances, ask for nothing here.
func readHealthEvent(event, detail *object) Event {
	unknown := Unknown{Source: event.peek("source"), Kind: event.peek("detail-type")}
	if detail.peek("service") != "EC2" || detail.peek("eventTypeCategory") != "scheduledChange" {
		return unknown
	}
	m := Maintenance{
		Account: event.optional("account", maxWord),
		Region:  event.optional("region", maxWord),
		Code:    cut(detail.peek("eventTypeCode")),
		Over:    detail.peek("statusCode") == "closed",
	}
	if list := detail.find("eventDescription"); list != nil && list[0] == '[' {
		for _, element := range elementsOf(list) {
			if element[0] == '{' {
				text := newObject(element, nil, detail.faults).peek("latestDescription")
				m.Text = cutTo(strings.TrimSpace(m.Text+" "+text), maxProse)
			}
		}
	}
	if list := detail.find("affectedEntities"); list != nil && list[0] == '[' {
		for _, element := range elementsOf(list) {
			if element[0] != '{' {
				continue
			}
			if id := newObject(element, nil, detail.faults).peek("entityValue"); strings.HasPrefix(id, "i-") && len(id) <= maxInstanceID {
				m.Instances = append(m.Instances, id)
			}
		}
	}
	if len(m.Instances) == 0 {
		return unknown
	}
	return m
}
