// Command e2e proves the hooks and the tenants without AWS: the real CDK deploys the
// real built functions to a local cloud (MiniStack), a simulated region plays
// CodeDeploy, Auto Scaling and Elastic Load Balancing beside it, PostgreSQL is
// real, and everything goes through the deployed topics, bus, queues and state machines.
//
// It sets itself up below build/e2e, says what it does while it does it, and
// leaves nothing running, whether it succeeds, fails or is interrupted. It
// never reads standard input. `make e2e` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// limit bounds a whole run. A fresh machine, which downloads everything, takes
// about three minutes, and most of the rest is waiting for the schedule.
const limit = 15 * time.Minute

func main() {
	keep := flag.Bool("keep", false, "when all is proven, keep the local cloud and the region running until interrupted, and say how to talk to them")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "Deploys the hooks and the tenants to a local cloud with the real CDK and drives them through their topics, bus, queues and state machines.\nNeeds Go, Node with npx and Python 3; run it from the top directory. Logs and all else go to build/e2e.")
		flag.PrintDefaults()
	}
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	go endWithParent(ctx, cancel)

	err := run(ctx, *keep)
	switch {
	case err == nil:
		return
	case errors.Is(ctx.Err(), context.Canceled):
		fmt.Fprintln(os.Stderr, "\ninterrupted; everything is stopped and cleaned up")
	default:
		fmt.Fprintf(os.Stderr, "\nFAILED: %v\n", err)
	}
	stop()
	os.Exit(1)
}

// endWithParent ends the run when the process that started it is gone: `go
// run` and make do not pass a SIGTERM on.
func endWithParent(ctx context.Context, cancel context.CancelFunc) {
	parent := os.Getppid()
	for os.Getppid() == parent {
		if sleep(ctx, time.Second) != nil {
			return
		}
	}
	cancel()
}

// run is the whole run.
func run(ctx context.Context, keep bool) (err error) {
	begin := time.Now()
	w, err := newRunner()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()

	if err := w.setUp(ctx); err != nil {
		return err
	}
	e, err := newEnvironment(ctx, w)
	if err != nil {
		return err
	}
	defer e.close()
	if err := e.scenario(ctx); err != nil {
		return fmt.Errorf("%w\n\nThe logs are in %s; what the local cloud and the function said last:\n%s", err, w.dir, tail(w.log("ministack"), 40))
	}
	if keep {
		return e.keep(ctx)
	}
	if err := e.destroy(ctx); err != nil {
		return err
	}
	w.printf("\nAll of it works: %s in all. Logs are in %s.", took(begin), w.dir)
	return nil
}

// sleep waits, or ends early with the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// eventually asks until the answer is yes. An error ends the asking; after the
// limit, what is the reason for failing.
func eventually(ctx context.Context, limit time.Duration, what string, ask func() (bool, error)) error {
	deadline := time.Now().Add(limit)
	for {
		ok, err := ask()
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %s still not: %s", limit, what)
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func took(since time.Time) string { return time.Since(since).Round(100 * time.Millisecond).String() }
