// Command serve serves a simulated AWS region on this machine, with a service
// in it that is released blue/green, so that the AWS CLI, the SDKs and built
// functions can be tried without AWS. `make region` runs it, and so do the
// end-to-end tests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"deployhooks/test/hooks"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "region:", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	port      int
	speed     float64 // virtual seconds per real one; 0: time passes only on request
	perSecond int     // requests by users
	hooks     bool    // run the built functions
	build     string  // where they are built
}

func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("region", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&o.port, "port", 4599, "the port on 127.0.0.1; 0 for any free one")
	flags.Float64Var(&o.speed, "speed", 60, "how many times as fast as real time the region's passes; 0 lets it\npass only on request, by POST "+controlPath+"advance")
	flags.IntVar(&o.perSecond, "traffic", 10, "how many requests users send to the service a second; 0 for none")
	flags.BoolVar(&o.hooks, "hooks", false, "run the built functions in the region, so that they repair every release and drain\nevery instance with one of their lifecycle hooks")
	flags.StringVar(&o.build, "build", hooks.Folder(), "the folder of the built functions")
	flags.Usage = func() {
		fmt.Fprint(out, "Serves a simulated AWS region, for the AWS CLI and the SDKs.\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("%q is not understood: all options begin with --, see --help", flags.Arg(0))
	case o.speed < 0:
		return o, fmt.Errorf("--speed %g: it must not be negative", o.speed)
	case o.perSecond < 0:
		return o, fmt.Errorf("--traffic %d: it must not be negative", o.perSecond)
	}
	return o, nil
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	// Only for this machine: nothing that is served asks who calls.
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", o.port))
	if err != nil {
		return fmt.Errorf("%w: choose another with --port", err)
	}
	s := newSample("http://"+listener.Addr().String(), o)
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if o.hooks {
		stop, err := s.startHooks(ctx, out)
		if err != nil {
			return errors.Join(err, listener.Close())
		}
		defer stop()
	}
	fmt.Fprint(out, s.guide())
	go s.passTime(ctx, o.speed)
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
