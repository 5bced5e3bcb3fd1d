// Package lambda runs a built function, a bootstrap binary, as AWS Lambda does:
// as a process of its own, with the environment that Lambda sets, against a
// local runtime API.
//
//	fn, err := lambda.Start(ctx, lambda.Options{Binary: "build/repair/bootstrap", Env: env})
//	...
//	defer fn.Close()
//	answer, err := fn.Invoke(ctx, payload)
//
// The demo, the benchmarks and the tests call it, so that what they show is
// the artefact that is deployed, without Docker and without AWS. A Function is
// one execution environment: it takes one invocation at a time, and once its
// process has ended it is not started again, unlike in AWS.
//
// The runtime API is documented at
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
package lambda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// The identity of functions unless [Options] says otherwise; that of the
// simulated region.
const (
	DefaultRegion  = "eu-west-1"
	DefaultAccount = "123456789012"
)

// Limits of Lambda.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const (
	// MaxTimeout is the longest that an invocation may take.
	MaxTimeout = 900 * time.Second
	// MaxPayload bounds, in bytes, what goes into a synchronous invocation and
	// what comes out.
	MaxPayload = 6 << 20
)

// Options say what to start.
type Options struct {
	// Binary is the path of the built function. Required.
	Binary string
	// Name is the function's name; by default that of the binary's directory.
	Name string
	// Env is added to the environment that Lambda sets, and prevails over it.
	// Nothing of this process's own environment is handed on.
	Env map[string]string
	// Log takes what the function writes to its standard output and error.
	// It is written to from another goroutine until Close returns. By default
	// the log is dropped.
	Log io.Writer
	// Timeout bounds one invocation; by default it is MaxTimeout. As in AWS,
	// the process is killed when it takes longer.
	Timeout time.Duration
	// MemoryMB is the memory size that the function sees; 128 by default.
	// Nothing enforces it.
	MemoryMB int
	// Region and Account are those of the function's ARN.
	Region, Account string
}

func (o Options) withDefaults() (Options, error) {
	if o.Binary == "" {
		return o, errors.New("no binary given: set Options.Binary to a built bootstrap")
	}
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return o, err
	}
	o.Binary = binary
	o.Name = cmp.Or(o.Name, filepath.Base(filepath.Dir(binary)))
	o.Timeout = cmp.Or(o.Timeout, MaxTimeout)
	o.MemoryMB = cmp.Or(o.MemoryMB, 128)
	o.Region = cmp.Or(o.Region, DefaultRegion)
	o.Account = cmp.Or(o.Account, DefaultAccount)
	if o.Log == nil {
		o.Log = io.Discard
	}
	return o, nil
}

// Function is a running function. Its methods are safe for concurrent use.
type Function struct {
	// FirstPoll is the time from the start of the process to its first request
	// for an invocation, which is the part of a cold start that is the
	// function's own.
	FirstPoll time.Duration

	options Options
	arn     string
	api     *runtimeAPI
	server  *http.Server
	process *process
	turn    chan struct{} // holds a token while an invocation is under way
}

// Start starts the function and returns when it is ready: when it has asked
// for its first invocation. It fails with an [*ExitError] when the process
// ends before that, with a [*FunctionError] when it reports that it cannot
// initialise, and with ctx's error when ctx ends first. ctx does not bound the
// function's life; [Function.Close] ends it.
func Start(ctx context.Context, options Options) (*Function, error) {
	o, err := options.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("start a function: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start function %s: %w", o.Name, err)
	}
	f := &Function{
		options: o,
		arn:     "arn:aws:lambda:" + o.Region + ":" + o.Account + ":function:" + o.Name,
		api:     newRuntimeAPI(),
		turn:    make(chan struct{}, 1),
	}
	f.server = &http.Server{Handler: f.api.handler()}
	go func() { _ = f.server.Serve(listener) }() // ends with Close

	started := time.Now()
	f.process, err = startProcess(o, listener.Addr().String())
	if err != nil {
		_ = f.server.Close()
		return nil, fmt.Errorf("start function %s: %w", o.Name, explain(err))
	}
	if err := f.ready(ctx); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("start function %s: %w", o.Name, err)
	}
	f.FirstPoll = f.api.firstPoll.Sub(started)
	return f, nil
}

// explain adds the remedy where the binary cannot be run.
func explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: build it first", err)
	case errors.Is(err, syscall.ENOEXEC):
		return fmt.Errorf("%w: build it for %s/%s", err, runtime.GOOS, runtime.GOARCH)
	}
	return err
}

// ready waits for the first poll.
func (f *Function) ready(ctx context.Context) error {
	select {
	case <-f.api.polled:
		return nil
	case err := <-f.api.initError:
		return err
	case <-f.process.ended:
		// What it reported last counts more than how it ended.
		select {
		case err := <-f.api.initError:
			return err
		default:
			return f.process.exitError()
		}
	case <-ctx.Done():
		return fmt.Errorf("it has not asked for its first invocation: %w", context.Cause(ctx))
	}
}

// Invoke invokes the function and returns what it answers. It fails with a
// [*FunctionError] when the function reports an error, with an [*ExitError]
// when its process has ended or ends before it answers, and with ctx's error
// or [context.DeadlineExceeded] when ctx or the function's time-out ends
// first; the process is then killed, as it would go on with work that nobody
// waits for.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	answer, err := f.invoke(ctx, payload)
	if err != nil {
		return nil, fmt.Errorf("invoke function %s: %w", f.options.Name, err)
	}
	return answer, nil
}

func (f *Function) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	if len(payload) > MaxPayload {
		return nil, fmt.Errorf("the payload has %d bytes, more than the %d that Lambda takes", len(payload), MaxPayload)
	}
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, f.options.Timeout)
	defer cancel()
	i := f.api.begin(payload, f.arn, time.Now().Add(f.options.Timeout))
	defer f.api.end()
	select {
	case f.api.next <- i:
	case <-f.process.ended:
		return nil, f.process.exitError()
	case <-ctx.Done():
		return nil, f.giveUp(ctx)
	}
	select {
	case o := <-i.outcome:
		return o.answer, o.err
	case <-f.process.ended:
		select {
		case o := <-i.outcome: // it answered, and then ended
			return o.answer, o.err
		default:
			return nil, f.process.exitError()
		}
	case <-ctx.Done():
		return nil, f.giveUp(ctx)
	}
}

func (f *Function) giveUp(ctx context.Context) error {
	f.process.kill()
	return fmt.Errorf("it has not answered and is killed: %w", context.Cause(ctx))
}

// Close ends the function: it kills the process, waits for its end and for the
// last of its log, and stops the runtime API. A pending Invoke fails.
func (f *Function) Close() error {
	f.process.kill()
	<-f.process.ended
	return f.server.Close()
}
