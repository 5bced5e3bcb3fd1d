package region

import (
	"slices"
	"time"
)

// delivery is the way of events out of AWS's services.
type delivery struct {
	subscribers []func([]byte)
	hook        func(Delivery) []time.Duration
}

// Delivery is one message on its way to one queue.
type Delivery struct {
	Queue string // its name
	// Via is "EventBridge", "SNS", or "Auto Scaling" where a hook has the
	// queue itself as its notification target.
	Via     string
	Payload []byte // as it is put into the queue
	// Deployment and State are what the message is about: a deployment's ID
	// and START, READY, SUCCESS, FAILURE or STOP. Both are empty for events
	// that callers have put or published. For a lifecycle action the state is
	// EC2_INSTANCE_LAUNCHING or EC2_INSTANCE_TERMINATING.
	Deployment string
	State      string
	// Source and DetailType are those of events on the default bus, such as
	// aws.autoscaling and EC2 Instance-terminate Lifecycle Action.
	Source, DetailType string
	// Instance is set where the message is about one instance, and Hook where
	// a lifecycle hook has sent it.
	Instance string
	Hook     string
}

// OnEvent has f called with every event that AWS's services put on the
// default bus, in EventBridge's shape, as time passes. Delivery faults do not
// apply. f may call the region.
func (r *Region) OnEvent(f func(payload []byte)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delivery.subscribers = append(r.delivery.subscribers, f)
}

// SetDelivery has hook decide what becomes of each message: one copy per
// element, each late by that much; nil means lost. EventBridge and SNS deliver
// at least once, late, and in any order. The hook is called with the region's
// lock held, so it must not call the region. nil removes it.
func (r *Region) SetDelivery(hook func(Delivery) []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delivery.hook = hook
}

// Delivered is the delivery of one copy, in time.
func Delivered() []time.Duration { return []time.Duration{0} }

// Lost is no delivery.
func Lost() []time.Duration { return nil }

// Duplicated is the delivery of n copies, a second apart.
func Duplicated(n int) []time.Duration {
	var d []time.Duration
	for i := range n {
		d = append(d, time.Duration(i)*time.Second)
	}
	return d
}

// Late is the delivery of one copy after a delay.
func Late(d time.Duration) []time.Duration { return []time.Duration{d} }

// sendToBus delivers an event of AWS's services to those who listen to the
// default bus.
func (r *Region) sendToBus(payload []byte, about Delivery) {
	for _, f := range slices.Clone(r.delivery.subscribers) {
		r.after(0, func() { r.outside(func() { f(slices.Clone(payload)) }) })
	}
	about.Via = "EventBridge"
	for _, q := range sorted(r.queues) {
		about.Queue, about.Payload = q.name, payload
		if !q.noEvents && (q.rule == nil || q.rule(about)) {
			r.deliver(q, payload, about)
		}
	}
}

// deliver puts a message into a queue, as the delivery hook will have it.
func (r *Region) deliver(q *Queue, payload []byte, about Delivery) {
	about.Queue, about.Payload = q.name, payload
	copies := Delivered()
	if r.delivery.hook != nil {
		copies = r.delivery.hook(about)
	}
	for _, late := range copies {
		r.after(r.timings.Deliver+late, func() { r.enqueue(q, string(payload), 0) })
	}
}
