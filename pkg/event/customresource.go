package event

import (
	"bytes"
	"log/slog"
	"time"
)

// RequestType is what CloudFormation requests of a custom resource.
type RequestType string

// The types of requests ("Custom resource request types", AWS CloudFormation User Guide).
const (
	Create RequestType = "Create"
	Update RequestType = "Update"
	Delete RequestType = "Delete"
)

// CustomResource is CloudFormation's request about a custom resource. Whoever may publish
// to the topic behind it can send one.
type CustomResource struct {
	Type RequestType `json:"type"`
	ID   string      `json:"id"` // of the request
	// Stack is the stack's ARN, LogicalID the resource's name in its template, and
	// PhysicalID what the function answered before; empty in a creation.
	Stack        string `json:"stack"`
	LogicalID    string `json:"logicalId"`
	PhysicalID   string `json:"physicalId,omitempty"`
	ResourceType string `json:"resourceType"`
	ResponseURL  Secret `json:"responseUrl"`
	// Properties are those of the template, OldProperties those before an update: JSON
	// objects, or nil. Keys in them may differ by letter case only, as tags do.
	Properties    []byte `json:"properties,omitempty"`
	OldProperties []byte `json:"oldProperties,omitempty"`
	// Time is when the notification was published, zero where no envelope says.
	Time time.Time `json:"time,omitzero"`
}

// Secret is a text that is not printed: whoever has a response URL can answer for the
// function.
type Secret string

const redacted = "(redacted)"

func (Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Secret) GoString() string { return redacted }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

func (CustomResource) isEvent() {}

// isCustomResource goes by fields that no other message has; see readerOfShape.
func isCustomResource(message *object) bool {
	return message.has("ResponseURL") || message.has("LogicalResourceId")
}

// readCustomResource reads CloudFormation's request ("Custom resource request types", AWS
// CloudFormation User Guide).
func readCustomResource(message *object) Event {
	r := CustomResource{
		ID:           message.name("RequestId", maxResourceField),
		Stack:        message.name("StackId", maxResourceField),
		LogicalID:    message.name("LogicalResourceId", maxResourceField),
		PhysicalID:   message.optional("PhysicalResourceId", maxPhysicalID),
		ResourceType: message.optional("ResourceType", maxResourceField),
		ResponseURL:  Secret(message.name("ResponseURL", maxURL)),
	}
	switch kind := RequestType(message.name("RequestType", maxWord)); kind {
	case Create, Update, Delete, "": // which is a fault already
		r.Type = kind
	default:
		message.fault("RequestType", "is not one of the three")
	}
	if r.Type == Update || r.Type == Delete {
		r.PhysicalID = message.name("PhysicalResourceId", maxPhysicalID)
	}
	r.Properties = message.raw("ResourceProperties")
	r.OldProperties = message.raw("OldResourceProperties")
	return r
}

// raw is a field that holds an object, nil where there is none.
func (o *object) raw(field string) []byte {
	if !o.has(field) {
		return nil
	}
	if value := o.object(field); value != nil {
		return bytes.Clone(value.text)
	}
	return nil
}

// published gives a request the time of the notification that it came in.
func published(e Event, at string) Event {
	if r, ok := e.(CustomResource); ok && r.Time.IsZero() {
		if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
			r.Time = t
		}
		return r
	}
	return e
}
