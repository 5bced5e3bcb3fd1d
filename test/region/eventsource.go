package region

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// maxPayload is how much the messages of one batch may hold ("Invocation
// payload", Lambda quotas).
const maxPayload = 6 << 20

// Serve hands the queue's messages to a function as Lambda's event source
// mapping does: in batches, with partial batch responses. It replaces the
// function served before; nil ends it.
func (q *Queue) Serve(function func(payload []byte) ([]byte, error)) {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.serve = function
	q.r.poll(q)
}

// PolledBy has Lambda poll the queue with a function's role, which takes
// sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes ("Using
// Lambda with Amazon SQS", execution role permissions). Without them no message
// is handed out. nil is a role that may do everything.
func (q *Queue) PolledBy(p *Principal) *Queue {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.poller = p
	return q
}

func (p *Principal) mayPoll(q *Queue) bool {
	for _, action := range []string{"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"} {
		if p.authorize(Call{}, need{action: action}.on(q.ARN())[0]) != nil {
			return false
		}
	}
	return true
}

// poll lets a served queue hand out messages soon.
func (r *Region) poll(q *Queue) {
	if q.serve == nil || q.polling || q.busy() {
		return
	}
	q.polling = true
	r.after(r.timings.Receive, func() {
		q.polling = false
		if q.busy() {
			return // who is done first polls
		}
		if q.gathering() {
			r.poll(q)
			return
		}
		if q.poller != nil && !q.poller.mayPoll(q) {
			return
		}
		batch := r.receive(q, q.settings.BatchSize, q.settings.VisibilityTimeout)
		if len(batch) == 0 || q.serve == nil {
			return
		}
		payload, function := q.lambdaEvent(batch), q.serve
		q.working++
		work := func() {
			response, err := function(payload)
			r.mu.Lock()
			defer r.mu.Unlock()
			q.working--
			r.settle(q, batch, response, err)
			r.poll(q) // there may be more
		}
		if q.settings.Concurrency == 0 {
			r.outside(work)
			return
		}
		r.outside(func() { go work() })
		r.poll(q)
	})
}

// busy reports whether no other batch may be worked on now.
func (q *Queue) busy() bool {
	return q.settings.Concurrency > 0 && q.working >= q.settings.Concurrency
}

// gathering reports whether a batch waits for more messages.
func (q *Queue) gathering() bool {
	if q.settings.Window == 0 {
		return false
	}
	now, ready := q.r.clock.now, 0
	for _, m := range q.messages {
		if !m.visible.After(now) {
			ready++
		}
	}
	if q.gathers.IsZero() {
		q.gathers = now
	}
	if ready > 0 && ready < q.settings.BatchSize && now.Sub(q.gathers) < q.settings.Window {
		return true
	}
	q.gathers = time.Time{}
	return false
}

// settle deletes what a function has done and leaves the rest for its
// visibility timeout ("Implementing partial batch responses": an error, or an
// identifier that is not in the batch, fails all of it).
func (r *Region) settle(q *Queue, batch []*message, response []byte, err error) {
	failed := map[string]bool{}
	all := err != nil
	var answer struct {
		BatchItemFailures []struct {
			ItemIdentifier string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err == nil && len(response) > 0 && json.Unmarshal(response, &answer) != nil {
		answer.BatchItemFailures = nil // an answer of another shape is success
	}
	for _, f := range answer.BatchItemFailures {
		failed[f.ItemIdentifier] = true
		if !slices.ContainsFunc(batch, func(m *message) bool { return m.ID == f.ItemIdentifier }) {
			all = true
		}
	}
	for _, m := range batch {
		if all || failed[m.ID] {
			r.at(m.visible, func() { r.poll(q) })
			continue
		}
		q.remove(m)
	}
}

// lambdaEvent is the batch as Lambda gets it ("Using Lambda with Amazon SQS",
// example event).
func (q *Queue) lambdaEvent(batch []*message) []byte {
	type record struct {
		MessageID      string            `json:"messageId"`
		ReceiptHandle  string            `json:"receiptHandle"`
		Body           string            `json:"body"`
		Attributes     map[string]string `json:"attributes"`
		MessageAttrs   map[string]any    `json:"messageAttributes"`
		MD5OfBody      string            `json:"md5OfBody"`
		EventSource    string            `json:"eventSource"`
		EventSourceARN string            `json:"eventSourceARN"`
		AWSRegion      string            `json:"awsRegion"`
	}
	var event struct {
		Records []record `json:"Records"`
	}
	for _, m := range batch {
		event.Records = append(event.Records, record{
			MessageID: m.ID, ReceiptHandle: q.receipt(m), Body: m.Body,
			Attributes:   m.attributes([]types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll}),
			MessageAttrs: map[string]any{},
			MD5OfBody:    md5Hex(m.Body),
			EventSource:  "aws:sqs", EventSourceARN: q.ARN(), AWSRegion: Name,
		})
	}
	return encode(event)
}

func (q *Queue) receipt(m *message) string {
	handle := m.ID + "#" + strconv.Itoa(m.Receives)
	q.receipts[handle] = m
	return handle
}

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}
