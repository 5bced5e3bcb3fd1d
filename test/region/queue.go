package region

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Queue is an SQS standard queue with a dead-letter queue behind it.
type Queue struct {
	r        *Region
	name     string
	settings QueueSettings
	deaf     bool
	messages []*message
	dead     []Message
	serve    func([]byte) ([]byte, error)
	polling  bool
	gathers  time.Time // since when, for a batch; zero while there is nothing
	rule     func(Delivery) bool
	receipts map[string]*message
}

// QueueSettings are a queue's attributes, with AWS's names. Zero fields take
// their defaults.
type QueueSettings struct {
	VisibilityTimeout time.Duration // 30 s
	// MaxReceive is how often a message is handed out before it goes to the
	// dead-letter queue (maxReceiveCount); 5 unless set, negative for never.
	MaxReceive int
	// BatchSize is how many messages a served queue hands out at once; 10
	// unless set, 10,000 at most.
	BatchSize int
	// Window is how long a served queue gathers messages for a batch that is
	// not full (MaximumBatchingWindowInSeconds); not at all unless set.
	Window time.Duration
}

// maxPayload is how much the messages of one batch may hold ("Invocation
// payload", Lambda quotas).
const maxPayload = 6 << 20

// Message is a message as it was put into a queue.
type Message struct {
	ID       string
	Body     string
	Receives int
	Sent     time.Time
}

type message struct {
	Message
	visible time.Time
	first   time.Time // of its receives
	deleted bool
}

// Queue is the queue of that name, made on first use. It hears every event
// that AWS's services put on the default bus, as if a rule had it as its
// target; [Queue.Deaf] ends that.
func (r *Region) Queue(name string) *Queue {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queue(name)
}

func (r *Region) queue(name string) *Queue {
	q := r.queues[name]
	if q == nil {
		q = &Queue{r: r, name: name, receipts: map[string]*message{}}
		q.settings = QueueSettings{}.orDefault()
		r.queues[name] = q
	}
	return q
}

func (s QueueSettings) orDefault() QueueSettings {
	if s.VisibilityTimeout == 0 {
		s.VisibilityTimeout = 30 * time.Second
	}
	if s.MaxReceive == 0 {
		s.MaxReceive = 5
	}
	if s.BatchSize == 0 {
		s.BatchSize = 10
	}
	return s
}

// Configure sets a queue's attributes and returns it.
func (q *Queue) Configure(s QueueSettings) *Queue {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.settings = s.orDefault()
	return q
}

// Deaf takes the queue off the default bus and returns it: what it gets is
// sent to it, or published to a topic that it subscribes to.
func (q *Queue) Deaf() *Queue {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.deaf = true
	return q
}

// Hears has the queue hear only those events of the default bus that a rule
// lets through, and returns it. The rule is called with the region's lock
// held, so it must not call the region.
func (q *Queue) Hears(rule func(Delivery) bool) *Queue {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.rule = rule
	return q
}

// URL is the queue's address for SendMessage.
func (q *Queue) URL() string {
	return "https://sqs." + Name + ".amazonaws.com/" + Account + "/" + q.name
}

// ARN is the queue's Amazon Resource Name.
func (q *Queue) ARN() string { return arn("sqs", q.name) }

// Send puts a message into the queue.
func (q *Queue) Send(body string) {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.r.enqueue(q, body, 0)
}

// Len is the number of messages in the queue, in flight and delayed ones
// included.
func (q *Queue) Len() int {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	return len(q.messages)
}

// Messages are the messages in the queue.
func (q *Queue) Messages() []Message {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	var all []Message
	for _, m := range q.messages {
		all = append(all, m.Message)
	}
	return all
}

// DeadLetters are the messages that were handed out too often.
func (q *Queue) DeadLetters() []Message {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	return slices.Clone(q.dead)
}

// Serve hands the queue's messages to a function as Lambda's event source
// mapping does: in batches, with partial batch responses. It replaces the
// function served before; nil ends it.
func (q *Queue) Serve(function func(payload []byte) ([]byte, error)) {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.serve = function
	q.r.poll(q)
}

func (r *Region) enqueue(q *Queue, body string, delay time.Duration) *message {
	m := &message{Message: Message{ID: r.ids.uuid("message"), Body: body, Sent: r.clock.now}, visible: r.clock.now.Add(delay)}
	q.messages = append(q.messages, m)
	r.after(delay, func() { r.poll(q) })
	return m
}

// receive hands out up to n visible messages. One that was handed out too
// often goes to the dead-letter queue instead.
func (r *Region) receive(q *Queue, n int, visibility time.Duration) []*message {
	var batch []*message
	var size int
	for _, m := range slices.Clone(q.messages) {
		if len(batch) == n {
			break
		}
		if m.visible.After(r.clock.now) {
			continue
		}
		if size += len(m.Body); size > maxPayload {
			break
		}
		if q.settings.MaxReceive > 0 && m.Receives >= q.settings.MaxReceive {
			q.remove(m)
			q.dead = append(q.dead, m.Message)
			continue
		}
		m.Receives++
		if m.Receives == 1 {
			m.first = r.clock.now
		}
		m.visible = r.clock.now.Add(visibility)
		batch = append(batch, m)
	}
	return batch
}

func (q *Queue) remove(m *message) {
	m.deleted = true
	q.messages = slices.DeleteFunc(q.messages, func(other *message) bool { return other == m })
}

// poll lets a served queue hand out messages soon.
func (r *Region) poll(q *Queue) {
	if q.serve == nil || q.polling {
		return
	}
	q.polling = true
	r.after(r.timings.Receive, func() {
		q.polling = false
		if q.gathering() {
			r.poll(q)
			return
		}
		batch := r.receive(q, q.settings.BatchSize, q.settings.VisibilityTimeout)
		if len(batch) == 0 || q.serve == nil {
			return
		}
		payload, function := q.lambdaEvent(batch), q.serve
		r.outside(func() {
			response, err := function(payload)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.settle(q, batch, response, err)
			r.poll(q) // there may be more
		})
	})
}

// gathering says whether a batch waits for more messages.
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
			Attributes: map[string]string{
				"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
				"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
				"SenderId":                         "AIDAIENQZJOLO23YVJ4VO",
				"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.first.UnixMilli(), 10),
			},
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
