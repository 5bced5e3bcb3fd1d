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
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"deployhooks/test/lambda"
	"deployhooks/test/region"
)

// What the region calls the things that the stack in infra makes.
const (
	Queue   = "repair"
	Table   = "baselines"
	Notices = "notices"
)

// invocation bounds one invocation, as the stack does.
const invocation = time.Minute

// Folder is where `make` builds the functions for this machine, seen from the
// root of the module.
func Folder() string {
	architecture := runtime.GOARCH
	if architecture == "amd64" {
		architecture = "x86_64"
	}
	return filepath.Join("build", architecture)
}

// Build builds the functions for this machine into a folder, for tests, which
// must not depend on what `make` has built before.
func Build(ctx context.Context, folder string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
		"-o", binary(folder), "deployhooks/functions/repair")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the repair function: %w\n%s", err, said)
	}
	return nil
}

func binary(folder string) string { return filepath.Join(folder, "repair", "bootstrap") }

// StartRepair starts the repair function that is built in a folder, gives it
// the region, which is served at url, for AWS, and has it work on the queue
// that it returns. That queue hears every event on the default bus. The
// function looks at the real clock, so the region should begin in the present.
// stop ends the function.
func StartRepair(ctx context.Context, r *region.Region, url, folder string, log io.Writer) (queue *region.Queue, stop func(), err error) {
	if _, err := os.Stat(binary(folder)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s is missing: start this with make, which builds the functions first", binary(folder))
	}
	r.AddTable(Table, "application", "deploymentGroup")
	queue = r.Queue(Queue)
	fn, err := lambda.Start(ctx, lambda.Options{Binary: binary(folder), Log: log, Env: map[string]string{
		"AWS_ENDPOINT_URL": url,
		"QUEUE_URL":        queue.URL(),
		"TABLE":            Table,
		"TOPIC_ARN":        r.Topic(Notices).ARN(),
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("start the repair function: %w", err)
	}
	queue.Serve(func(payload []byte) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, invocation)
		defer cancel()
		return fn.Invoke(ctx, payload)
	})
	return queue, func() { _ = fn.Close() }, nil
}
