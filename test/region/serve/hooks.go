package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"deployhooks/infra/config"
	"deployhooks/pkg/invoke"
	"deployhooks/test/hooks"
	"deployhooks/test/region"
)

// startHooks runs the built functions in the region until stop is called, swept
// as the stack has them swept unless configured otherwise, and prints what
// they notify operators of.
func (s *sample) startHooks(ctx context.Context, out io.Writer) (stop func(), err error) {
	deployed, err := config.Parse(nil)
	if err != nil {
		return nil, err
	}
	stopRepair, err := s.startHook(ctx, hooks.Repair, deployed.Repair.SweepMinutes, out)
	if err != nil {
		return nil, err
	}
	stopDrain, err := s.startHook(ctx, hooks.Drain, deployed.Drain.SweepMinutes, out)
	if err != nil {
		stopRepair()
		return nil, err
	}
	return func() { stopDrain(); stopRepair() }, nil
}

func (s *sample) startHook(ctx context.Context, f hooks.Function, sweepMinutes int, out io.Writer) (stop func(), err error) {
	log, err := os.Create(s.log(f))
	if err != nil {
		return nil, fmt.Errorf("%w: start this with `make region ARGS=--hooks`, which builds the functions first", err)
	}
	f.OnNotice = func(notice region.Publication) {
		fmt.Fprintf(out, "%s  %s: %s\n", notice.At.Format(time.TimeOnly), f.Name, notice.Subject)
	}
	queue, end, err := f.Start(ctx, s.region, s.url, s.options.build, log)
	if err != nil {
		_ = log.Close()
		return nil, err
	}
	var sweep func()
	sweep = func() {
		queue.Send(invoke.Sweep)
		s.region.After(time.Duration(sweepMinutes)*time.Minute, sweep)
	}
	s.region.After(time.Duration(sweepMinutes)*time.Minute, sweep)
	return func() { end(); _ = log.Close() }, nil
}

// log is where a function's log goes: beside its binary.
func (s *sample) log(f hooks.Function) string { return filepath.Join(s.options.build, f.Name, "log") }
