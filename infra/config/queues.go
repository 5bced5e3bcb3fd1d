package config

import (
	"cmp"
	"time"
)

const (
	// Timeout bounds one invocation of a function. Most take a second or two; a
	// sweep of a large account under throttling takes the longest.
	Timeout = time.Minute
	// MaxReceives is how often a message is tried before it is moved to the
	// dead-letter queue; AWS advises five at least (Lambda developer guide, "Using
	// Lambda with Amazon SQS").
	MaxReceives = 5
)

// Queue is how a function's queue hands it messages. The simulated region sets
// its queues up by it too.
type Queue struct {
	// BatchSize is how many messages one invocation takes at most; more than ten
	// need a window (Lambda API reference, CreateEventSourceMapping).
	BatchSize int
	// Window is how long Lambda waits for a batch to fill.
	Window time.Duration
	// Concurrency bounds how many batches are processed at once: Auto Scaling's
	// calls share one bucket of tokens per account and region with everything
	// else. Two is the least that Lambda takes. It takes nothing from the
	// account's concurrency, as reserved concurrency would.
	Concurrency int
	// Visibility is how long a message that failed stays invisible before it is
	// delivered again; longer than Timeout, 0 for AWS's advice.
	Visibility time.Duration
}

// The functions' queues.
var (
	RepairQueue = Queue{BatchSize: 10, Concurrency: 5}
	// IntakeQueue's messages are a transaction each, and people wait for the answer.
	IntakeQueue = Queue{BatchSize: 10, Concurrency: 5}
	// DrainQueue has large batches, and few at a time: when a whole fleet
	// terminates, its events share what they read. What failed is delivered again
	// soon: a second delivery does no harm there, and a lifecycle hook does not
	// wait.
	DrainQueue = Queue{BatchSize: 1000, Window: time.Second, Concurrency: 2, Visibility: Timeout + 30*time.Second}
)

// VisibilityTimeout is what is set or, unless it is, six times the timeout and
// the window on top, as AWS advises for a queue that Lambda reads (same guide),
// so that a slow batch is not delivered twice.
func (q Queue) VisibilityTimeout() time.Duration {
	return cmp.Or(q.Visibility, 6*Timeout+q.Window)
}
