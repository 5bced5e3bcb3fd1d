package region

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

// EventBridge has the methods of the SDK's eventbridge.Client.
type EventBridge struct{ r *Region }

// EventBridge is the region's EventBridge.
func (r *Region) EventBridge() EventBridge { return EventBridge{r} }

// Limits of PutEvents (API reference; "EventBridge quotas").
const (
	entriesPerCall = 10
	maxEntryBytes  = 256 << 10
)

// bus is an event bus. Custom events on it are kept and go nowhere.
type bus struct {
	name   string
	events []Event
}

// Event is an event that a caller has put on a bus.
type Event struct {
	Bus        string
	Source     string
	DetailType string
	Detail     string // JSON
	Resources  []string
	At         time.Time
}

// AddBus creates an event bus. The bus "default" is there from the beginning.
func (r *Region) AddBus(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buses[name] == nil {
		r.buses[name] = &bus{name: name}
	}
}

// Events are the events that callers have put on a bus, in order.
func (r *Region) Events(bus string) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.buses[bus] == nil {
		return nil
	}
	return slices.Clone(r.buses[bus].events)
}

// PutEvents puts up to ten events on their buses.
func (v EventBridge) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	return call(ctx, v.r, eventbridge.ServiceID, "PutEvents", in, "Entries", v.r.putEvents)
}

func (r *Region) putEvents(in *eventbridge.PutEventsInput) (*eventbridge.PutEventsOutput, error) {
	if n := len(in.Entries); n == 0 || n > entriesPerCall {
		return nil, failure("ValidationException", "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length between 1 and %d, not %d", entriesPerCall, n)
	}
	var size int
	for _, e := range in.Entries {
		size += len(aws.ToString(e.Source)) + len(aws.ToString(e.DetailType)) + len(aws.ToString(e.Detail))
	}
	if size > maxEntryBytes {
		return nil, failure("ValidationException", "Total size of the entries in the request is over the limit.")
	}
	out := &eventbridge.PutEventsOutput{}
	for n, e := range in.Entries {
		var result types.PutEventsResultEntry
		if r.gate.partial && n == len(in.Entries)-1 {
			result = rejected("InternalFailure", "Unexpected error")
		} else {
			result = r.putEvent(e)
		}
		if result.ErrorCode != nil {
			out.FailedEntryCount++
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

func rejected(code, message string) types.PutEventsResultEntry {
	return types.PutEventsResultEntry{ErrorCode: aws.String(code), ErrorMessage: aws.String(message)}
}

// putEvent keeps one event, or says what is wrong with it.
func (r *Region) putEvent(e types.PutEventsRequestEntry) types.PutEventsResultEntry {
	name := aws.ToString(e.EventBusName)
	name = name[strings.LastIndex(name, "/")+1:] // an ARN will do
	if name == "" {
		name = "default"
	}
	source, detail := aws.ToString(e.Source), aws.ToString(e.Detail)
	var object map[string]any
	switch {
	case source == "" || aws.ToString(e.DetailType) == "" || detail == "":
		return rejected("InvalidArgument", "Parameter Source, DetailType and Detail are required.")
	case strings.HasPrefix(source, "aws."):
		return rejected("NotAuthorizedForSourceException", "Not authorized for the source.")
	case json.Unmarshal([]byte(detail), &object) != nil:
		return rejected("MalformedDetail", "Detail is malformed.")
	}
	// An event for a bus that does not exist is dropped without an error
	// (assumed).
	if b := r.buses[name]; b != nil {
		b.events = append(b.events, Event{
			Bus: name, Source: source, DetailType: aws.ToString(e.DetailType), Detail: detail,
			Resources: slices.Clone(e.Resources), At: r.clock.now,
		})
	}
	return types.PutEventsResultEntry{EventId: aws.String(r.ids.uuid("event"))}
}
