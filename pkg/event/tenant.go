package event

import (
	"bytes"
	"strings"
)

// isTenantRequest reports whether a message of no service asks something about a tenant. One field is
// enough: a request that lacks the others is to be answered, not ignored.
func isTenantRequest(message *object) bool {
	return message.has("tenant") || message.has("operation") || message.has("spec")
}

// readTenantRequest reads a request about a tenant. What is wrong with it is the request's
// own: the domain answers it, and delivering it again would not help.
func readTenantRequest(message *object) Event {
	var faults faults
	own := newObject(message.text, nil, &faults)
	for _, m := range own.members {
		switch name := string(m.key); strings.ToLower(name) {
		case "id", "tenant", "operation", "spec":
		default:
			faults.add(fieldPath(name), "is not a field of a tenant request")
		}
	}
	r := TenantRequest{Tenant: own.name("tenant", maxWord), Operation: own.name("operation", maxWord)}
	if own.has("id") {
		r.ID = own.name("id", maxRequestID)
	}
	if own.has("spec") {
		if spec := own.object("spec"); spec != nil {
			findTwins(spec.text, spec.at, 1, &faults)
			r.Spec = bytes.Clone(spec.text)
		}
	}
	r.Faults = faults
	return r
}

// identify gives a tenant request that brings no ID of its own that of its message.
func identify(e Event, id string) Event {
	if r, ok := e.(TenantRequest); ok && r.ID == "" {
		r.ID = cutTo(id, maxRequestID)
		return r
	}
	return e
}

// readExecution reads Step Functions' report on an execution ("EventBridge (CloudWatch Events) for
// Step Functions execution status changes", AWS Step Functions Developer Guide). EventBridge has it
// by best effort.
func readExecution(event, detail *object) Event {
	return Execution{
		Account: event.optional("account", maxWord),
		Region:  event.optional("region", maxWord),
		Machine: detail.name("stateMachineArn", maxARN),
		Name:    detail.name("name", maxExecutionName),
		Status:  detail.name("status", maxWord),
		Input:   detail.peek("input"),
	}
}
