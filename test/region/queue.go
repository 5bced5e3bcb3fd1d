package region

import (
	"fmt"
	"slices"
	"time"
)

// Queue is an SQS standard queue with a dead-letter queue behind it.
type Queue struct {
	r        *Region
	name     string
	settings QueueSettings
	noEvents bool
	messages []*message
	dead     []Message
	serve    func([]byte) ([]byte, error)
	poller   *Principal // whose role the event source mapping has; nil: may do everything
	polling  bool
	working  int       // batches that the function has not answered yet
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
	// Concurrency is how many batches are worked on at once at most
	// (MaximumConcurrency), each in a goroutine of its own, while time goes on.
	// Unless set there is one batch, and time stands still for it.
	Concurrency int
}

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

// Queue is the queue of that name, made on first use. It receives every event
// that AWS's services put on the default bus, as if a rule had it as its
// target; [Queue.WithoutEvents] ends that.
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

// Configure sets the attributes of a queue and of its event source mapping, and
// returns it. It panics on those that AWS would refuse.
func (q *Queue) Configure(s QueueSettings) *Queue {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.settings = s.orDefault()
	must(q.settings.check())
	return q
}

// check holds the limits of queues (SQS API reference, SetQueueAttributes) and
// of event source mappings (Lambda API reference, CreateEventSourceMapping).
func (s QueueSettings) check() error {
	switch {
	case s.VisibilityTimeout < 0 || s.VisibilityTimeout > maxVisibility || s.VisibilityTimeout%time.Second != 0:
		return fmt.Errorf("a visibility timeout of %s: whole seconds from 0 to 12 hours", s.VisibilityTimeout)
	case s.MaxReceive > 1000:
		return fmt.Errorf("a maxReceiveCount of %d: 1 to 1,000", s.MaxReceive)
	case s.BatchSize < 1 || s.BatchSize > 10_000:
		return fmt.Errorf("a batch size of %d: 1 to 10,000", s.BatchSize)
	case s.Window < 0 || s.Window > 300*time.Second || s.Window%time.Second != 0:
		return fmt.Errorf("a batching window of %s: whole seconds from 0 to 300", s.Window)
	case s.BatchSize > 10 && s.Window < time.Second:
		return fmt.Errorf("a batch size of %d takes a batching window of at least a second", s.BatchSize)
	case s.Concurrency != 0 && (s.Concurrency < 2 || s.Concurrency > 1000):
		return fmt.Errorf("a maximum concurrency of %d: 2 to 1,000", s.Concurrency)
	}
	return nil
}

// WithoutEvents takes the queue off the default bus and returns it: what it gets is
// sent to it, or published to a topic that it subscribes to.
func (q *Queue) WithoutEvents() *Queue {
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.noEvents = true
	return q
}

// Match has the queue receive only those events of the default bus that a rule
// lets through, and returns it. The rule is called with the region's lock
// held, so it must not call the region.
func (q *Queue) Match(rule func(Delivery) bool) *Queue {
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
