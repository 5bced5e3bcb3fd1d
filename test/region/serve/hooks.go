package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"deployhooks/test/hooks"
)

// sweepEvery is the stack's default.
const sweepEvery = 5 * time.Minute

// startHooks runs the built repair function in the region until stop is called,
// and says on out what it tells people.
func (s *sample) startHooks(ctx context.Context, out io.Writer) (stop func(), err error) {
	s.log = filepath.Join(s.options.build, "repair", "log")
	log, err := os.Create(s.log)
	if err != nil {
		return nil, fmt.Errorf("%w: start this with `make region ARGS=--hooks`, which builds the function first", err)
	}
	queue, end, err := hooks.Repair.Start(ctx, s.region, s.url, s.options.build, log)
	if err != nil {
		_ = log.Close()
		return nil, err
	}
	var sweep func()
	sweep = func() {
		queue.Send(`{"action":"sweep"}`)
		s.region.After(sweepEvery, sweep)
	}
	s.region.After(sweepEvery, sweep)
	told := 0
	s.tell = func() {
		published := s.region.Topic(hooks.Notices).Published()
		for _, notice := range published[told:] {
			fmt.Fprintf(out, "%s  deployhooks: %s\n", notice.At.Format(time.TimeOnly), notice.Subject)
		}
		told = len(published)
	}
	return func() { end(); _ = log.Close() }, nil
}
