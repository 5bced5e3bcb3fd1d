package event

import (
	"bytes"
	"strconv"
	"strings"
)

// Parse opens an invocation's payload.
//
// It fails, with a [*MalformedError], where no message could be reported by
// itself: the payload is not JSON, or it is one malformed message without a
// record. In a payload of several records, a malformed one sets only its own
// [Message.Err].
//
// What is well formed but of no known kind becomes [Unknown]; it is no error.
// A payload without records gives an empty batch.
func Parse(payload []byte) (Batch, error) {
	var faults faults
	root := readObject(payload, MaxPayload, nil, &faults)
	if root == nil {
		return Batch{}, faults.err()
	}
	if root.has("Records") {
		return openRecords(root)
	}
	var message Message
	message.Event = message.open(root, 0)
	if err := faults.err(); err != nil {
		return Batch{}, err
	}
	return Batch{Messages: []Message{message}}, nil
}

// openRecords opens the records that SQS or SNS hands to Lambda. A fault in
// what they write around the messages fails the whole, because such a record
// cannot be reported by its ID.
func openRecords(root *object) (Batch, error) {
	records := root.array("Records")
	if len(records) > maxRecords {
		root.fault("Records", "has "+strconv.Itoa(len(records))+" elements, more than the "+strconv.Itoa(maxRecords)+" that Lambda hands over")
		records = nil
	}
	batch := Batch{Messages: make([]Message, 0, len(records))}
	list := root.at.in("Records")
	for i, text := range records {
		if text[0] != '{' {
			root.faults.add(list.at(i), mismatch(text, "an object"))
			continue
		}
		record := newObject(text, list.at(i), root.faults)
		switch {
		case record.has("body") || record.peek("eventSource") == "aws:sqs":
			batch.Queued = true
			batch.Messages = append(batch.Messages, openQueued(record))
		case record.has("Sns"):
			batch.Messages = append(batch.Messages, openPublished(record))
		default:
			source := Unknown{Source: cut(record.peek("eventSource"))}
			batch.Messages = append(batch.Messages, Message{Event: source})
		}
	}
	if err := root.faults.err(); err != nil {
		return Batch{}, err
	}
	return batch, nil
}

// openQueued opens an SQS message.
func openQueued(record *object) Message {
	message := Message{
		ID:       record.name("messageId", maxMessageID),
		Receives: receives(record),
	}
	message.openApart(record, func(record *object) Event {
		return identify(message.openText(record, "body", "", 1), message.ID)
	})
	return message
}

// receives reads how often SQS has handed a message out; 0 where that cannot be
// read.
func receives(record *object) int {
	if value := record.find("attributes"); value != nil && value[0] == '{' {
		attributes := newObject(value, nil, record.faults)
		count, err := strconv.Atoi(attributes.peek("ApproximateReceiveCount"))
		if err == nil && count > 0 {
			return count
		}
	}
	return 0
}

// openPublished opens an SNS notification that came straight to Lambda.
func openPublished(record *object) Message {
	var message Message
	message.openApart(record, func(record *object) Event {
		notification := record.object("Sns")
		if notification == nil {
			return nil
		}
		return message.openNotification(notification, 0)
	})
	return message
}

// openApart opens one message of several, so that its faults are its own.
func (m *Message) openApart(record *object, open func(*object) Event) {
	var faults faults
	apart := *record
	apart.faults = &faults
	m.Event = open(&apart)
	if err := faults.err(); err != nil {
		m.Event, m.Err = nil, err
	}
}

// openNotification opens what SNS says about a message: the notification
// itself, or the request to confirm a subscription.
func (m *Message) openNotification(notification *object, envelopes int) Event {
	m.Enveloped = true
	if kind := notification.peek("Type"); kind != "" && kind != "Notification" {
		return Unknown{Source: "aws.sns", Kind: cut(kind)}
	}
	e := m.openText(notification, "Message", notification.peek("Subject"), envelopes+1)
	return published(identify(e, notification.peek("MessageId")), notification.peek("Timestamp"))
}

// openText opens a message that travels as a string in a field of its
// envelope. The subject is what the envelope says above it, if anything.
func (m *Message) openText(envelope *object, field, subject string, envelopes int) Event {
	if envelopes > maxEnvelopes {
		envelope.fault(field, "is wrapped more than "+strconv.Itoa(maxEnvelopes)+" times")
		return nil
	}
	value := envelope.find(field)
	switch {
	case value == nil:
		envelope.fault(field, "is missing")
		return nil
	case value[0] != '"':
		envelope.fault(field, mismatch(value, "a string"))
		return nil
	}
	text := unquote(value)
	if isTriggerTest(subject, text) {
		return Test{Service: codeDeploy}
	}
	message := readObject([]byte(text), MaxMessage, envelope.at.in(field), envelope.faults)
	if message == nil {
		return nil
	}
	return m.open(message, envelopes)
}

// open opens a message, or the next envelope around it.
func (m *Message) open(message *object, envelopes int) Event {
	switch {
	case message.has("TopicArn") && message.has("Type"):
		return m.openNotification(message, envelopes)
	case message.has("detail-type"):
		return m.openEventBridge(message)
	case isLifecycleAction(message): // it may have an "Action", which is no request
		return readLifecycleMessage(message)
	case message.has("action"):
		return readRequest(message)
	case message.has("continue"):
		return readContinuation(message)
	case isTenantRequest(message):
		return readTenantRequest(message)
	}
	if read := readerOfShape(message); read != nil {
		return read(message)
	}
	return Unknown{Source: cut(message.peek("Service"))}
}

// openEventBridge opens an event in EventBridge's envelope (EventBridge User
// Guide, "Event structure").
func (m *Message) openEventBridge(event *object) Event {
	m.Enveloped = true
	kind := eventKind{
		source:     event.name("source", maxSource),
		detailType: event.name("detail-type", maxDetailType),
	}
	read := readerOfEvent(kind)
	if read == nil {
		return Unknown{Source: kind.source, Kind: kind.detailType}
	}
	detail := event.object("detail")
	if detail == nil {
		return nil
	}
	return read(event, detail)
}

// readRequest reads an operator's request. What else is in it is the domain's,
// which decodes it with [Request.Decode].
func readRequest(message *object) Event {
	return Request{
		Action: message.name("action", maxWord),
		Body:   bytes.Clone(bytes.TrimSpace(message.text)),
	}
}

// readContinuation reads a function's own work, which the domain decodes with
// [Continuation.Decode].
func readContinuation(message *object) Event {
	value := message.find("continue")
	if value[0] != '{' {
		message.fault("continue", mismatch(value, "an object"))
		return nil
	}
	return Continuation{Body: bytes.Clone(value)}
}

// isTriggerTest reports the message that CodeDeploy publishes when a trigger
// is created. It is the only one that is plain text: "Your AWS CodeDeploy
// trigger arn:… is able to send notifications …", under the subject "SUCCESS:
// AWS CodeDeploy notification setup for trigger …" (recorded 2016). Raw
// delivery leaves the subject out.
func isTriggerTest(subject, text string) bool {
	if strings.HasPrefix(text, "{") {
		return false
	}
	return strings.Contains(subject, "CodeDeploy notification setup") ||
		strings.HasPrefix(text, "Your ") && strings.Contains(text, "CodeDeploy trigger ")
}
