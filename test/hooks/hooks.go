// Package hooks runs the built functions in a simulated region, with the queue,
// the table and the topic around them that the stack in infra would make. The
// demo and the served region call it.
package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"deployhooks/infra/build"
	"deployhooks/infra/config"
	"deployhooks/test/lambda"
	"deployhooks/test/region"
)

// Notices is what the region calls the topic that people read.
const Notices = "notices"

// Function is a built function with what the stack in infra puts around it. Its
// queue has its name.
type Function struct {
	Name  string // that of its folder below functions
	Table string
	Keys  []string // of the table
	Queue config.Queue
	// OnNotice, if set, is called with each notification that the function publishes.
	OnNotice func(region.Publication)
}

// The functions.
var (
	Repair = Function{Name: "repair", Table: "baselines", Keys: []string{"application", "deploymentGroup"}, Queue: config.RepairQueue}
	Drain  = Function{Name: "drain", Table: "drains", Keys: []string{"instance"}, Queue: config.DrainQueue}
)

// Folder is where `make` builds the functions for this machine, seen from the
// root of the module.
func Folder() string { return filepath.Join("build", string(architecture())) }

// architecture is this machine's.
func architecture() config.Architecture {
	if runtime.GOARCH == "amd64" {
		return config.X86_64
	}
	return config.Architecture(runtime.GOARCH)
}

// Build builds the functions for this machine into a folder, for tests, which
// must not depend on what `make` has built before.
func Build(ctx context.Context, folder string) error {
	for _, f := range []Function{Repair, Drain} {
		cmd := build.Command(ctx, architecture(), f.binary(folder), "deployhooks/functions/"+f.Name)
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build the %s function: %w\n%s", f.Name, err, said)
		}
	}
	return nil
}

func (f Function) binary(folder string) string { return filepath.Join(folder, f.Name, "bootstrap") }

// Settings are those of the function's queue, as in the stack.
func (f Function) Settings() region.QueueSettings {
	return region.QueueSettings{
		VisibilityTimeout: f.Queue.VisibilityTimeout(), MaxReceive: config.MaxReceives, BatchSize: f.Queue.BatchSize, Window: f.Queue.Window,
	}
}

// Start starts the function that is built in a folder, gives it the region,
// which is served at url, for AWS, and has it work on the queue that it
// returns. That queue is set up as in the stack, but receives every event on the
// default bus. The function uses the real clock, so the region should begin in
// the present; where its time passes faster, drain takes a tick for one that it
// has handled, and only a sweep makes it reconcile. stop ends the function.
func (f Function) Start(ctx context.Context, r *region.Region, url, folder string, log io.Writer) (queue *region.Queue, stop func(), err error) {
	binary := f.binary(folder)
	if _, err := os.Stat(binary); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s is missing: start this with make, which builds the functions first", binary)
	}
	r.AddTable(f.Table, f.Keys...)
	notices := r.Topic(Notices)
	queue = r.Queue(f.Name).Configure(f.Settings())
	fn, err := lambda.Start(ctx, lambda.Options{Binary: binary, Log: log, Timeout: config.Timeout, Env: map[string]string{
		"AWS_ENDPOINT_URL": url,
		"QUEUE_URL":        queue.URL(),
		"TABLE":            f.Table,
		"TOPIC_ARN":        notices.ARN(),
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("start the %s function: %w", f.Name, err)
	}
	queue.Serve(func(payload []byte) ([]byte, error) {
		before := len(notices.Published())
		answer, err := fn.Invoke(ctx, payload)
		if f.OnNotice != nil {
			// Queues are served one after another as time passes, so what is new
			// is this function's.
			for _, notice := range notices.Published()[before:] {
				f.OnNotice(notice)
			}
		}
		return answer, err
	})
	return queue, func() { _ = fn.Close() }, nil
}
