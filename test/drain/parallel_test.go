package drain

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"deployhooks/infra/config"
	"deployhooks/pkg/drain"
	"deployhooks/test/region"
)

// TestTwoEnvironmentsAtOnce has two execution environments of the function work at
// the same time, as the queue's settings allow: on batches of their own, and often
// on the same one. Calls take time, so that what one does comes between any two
// calls of the other. However that falls out, no command runs twice, no instance is
// forgotten, and no message is moved to the dead-letter queue.
func TestTwoEnvironmentsAtOnce(t *testing.T) {
	t.Parallel()
	met, conflicts, heartbeats := 0, 0, 0
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newParallel(t, seed)
				for _, left := range []int{41, 21, 1} {
					p.Queue.Send(sweepMessage)
					p.Scale(p.group, left)
					p.elapse(time.Duration(p.upTo(25)) * time.Second)
				}
				p.elapse(12 * time.Minute)
				p.calm()
				p.elapse(2 * time.Minute)

				p.mustComplete(60)
				p.mustRunOnce(60)
				p.mustCutNothing()
				p.mustBeIdle()
				if n := len(p.outcomes("")) - len(p.outcomes("drained")); n > 0 {
					t.Errorf("%d notifications of something else than what the commands did: %q", n, p.Subjects())
				}
				met += int(p.met.Load())
				conflicts += p.conflicts()
				heartbeats += p.Made("RecordLifecycleActionHeartbeat")
			})
		})
	}
	t.Logf("the environments met %d times, came too late with %d transactions, and sent %d heartbeats", met, conflicts, heartbeats)
	if met == 0 || conflicts == 0 || heartbeats == 0 {
		t.Error("too little is shown")
	}
}

// parallel is a scenario with two execution environments of the function, in
// which calls take time.
type parallel struct {
	*scenario
	mu     sync.Mutex // of random
	random *rand.Rand
	idle   chan *drain.Drainer
	met    atomic.Int32 // how often both worked on one batch
}

func newParallel(t testing.TB, seed uint64) *parallel {
	p := &parallel{
		// A short hook, so that heartbeats are at stake as well, and no schedule
		// of sweeps, which would make up for what is lost.
		scenario: newScenario(t, setup{instances: 61, heartbeat: 150, env: command("stop"), noSweep: true}),
		random:   rand.New(rand.NewPCG(seed, 0)),
		idle:     make(chan *drain.Drainer, config.DrainQueue.Concurrency),
	}
	p.idle <- p.function(nil)
	p.idle <- p.function(nil)
	p.OnCommand(func(region.CommandRun) region.CommandResult {
		return region.CommandResult{Takes: time.Duration(1+p.upTo(40)) * time.Second}
	})
	p.OnCall(func(region.Call) { time.Sleep(p.latency()) })
	p.SetFaults(p.meet)
	// Batches are small, so that one fleet makes several, and what failed comes
	// again soon, while its hook still waits.
	p.Queue.Configure(region.QueueSettings{
		VisibilityTimeout: 30 * time.Second, BatchSize: 10, Window: config.DrainQueue.Window, Concurrency: config.DrainQueue.Concurrency,
	})
	p.Queue.Serve(p.work)
	return p
}

// calm ends the time that calls take, and the faults.
func (p *parallel) calm() {
	p.OnCall(nil)
	p.SetFaults(nil)
}

// elapse lets time pass for the region and for the environments alike.
func (p *parallel) elapse(d time.Duration) {
	const step = 100 * time.Millisecond
	for range d / step {
		p.Advance(step)
		time.Sleep(step)
	}
}

func (p *parallel) upTo(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.random.IntN(n)
}

// latency is how long a call takes: milliseconds as a rule, and now and then
// long enough for the other environment to do a whole reconcile.
func (p *parallel) latency() time.Duration {
	if p.upTo(40) == 0 {
		return time.Duration(p.upTo(6000)) * time.Millisecond
	}
	return time.Duration(p.upTo(60)) * time.Millisecond
}

// meet has two in three transactions fail because another one is at one of its
// items, as DynamoDB's do: so often that some never come through, and the
// message that led to them must come again.
func (p *parallel) meet(c region.Call) region.Fault {
	in, ok := c.Input.(*dynamodb.TransactWriteItemsInput)
	if !ok || p.upTo(3) == 0 {
		return region.Fault{}
	}
	reasons := make([]types.CancellationReason, len(in.TransactItems))
	for i := range reasons {
		reasons[i].Code = aws.String("None")
	}
	reasons[p.upTo(len(reasons))].Code = aws.String("TransactionConflict")
	return region.Fault{Before: &types.TransactionCanceledException{CancellationReasons: reasons}}
}

// work has an environment handle a batch and, often, the other one handle the
// same batch at the same time: SQS may deliver a message twice. A message that
// either of them has done is not delivered again.
func (p *parallel) work(payload []byte) ([]byte, error) {
	at := []*drain.Drainer{<-p.idle}
	if p.upTo(2) == 0 {
		select {
		case other := <-p.idle:
			at = append(at, other)
		default: // it has a batch of its own
		}
	}
	undone := make([]map[string]bool, len(at))
	var round sync.WaitGroup
	for i, fn := range at {
		round.Go(func() {
			undone[i] = p.invoke(fn, payload)
			p.idle <- fn
		})
	}
	round.Wait()
	if len(at) == 2 {
		p.met.Add(1)
		maps.DeleteFunc(undone[0], func(id string, _ bool) bool { return !undone[1][id] })
	}
	var answer batchResponse
	for id := range undone[0] {
		answer.Failures = append(answer.Failures, batchFailure{id})
	}
	return json.Marshal(answer)
}

// batchResponse names to SQS the messages to deliver again.
type batchResponse struct {
	Failures []batchFailure `json:"batchItemFailures"`
}

type batchFailure struct {
	ID string `json:"itemIdentifier"`
}

// invoke has an environment handle a batch, and returns what it has not done.
func (p *parallel) invoke(fn *drain.Drainer, payload []byte) map[string]bool {
	out, err := fn.Invoke(p.t.Context(), payload)
	if err != nil {
		p.t.Errorf("a batch failed as a whole: %v", err)
	}
	var answer batchResponse
	if err := json.Unmarshal(out, &answer); err != nil {
		p.t.Errorf("answered %s: %v", out, err)
	}
	undone := map[string]bool{}
	for _, f := range answer.Failures {
		undone[f.ID] = true
	}
	return undone
}

// conflicts counts the transactions that came too late: the other environment
// had written one of the drains.
func (p *parallel) conflicts() (n int) {
	for _, c := range p.Calls() {
		if c.Operation == "TransactWriteItems" && c.Err != nil && strings.Contains(c.Err.Error(), "ConditionalCheckFailed") {
			n++
		}
	}
	return n
}
