// Command demo plays a release with and without the hooks, in a simulated AWS
// region with a virtual clock, launches two tenants with a real PostgreSQL, and writes
// what users felt and what the launches took to build/demo/report.html and report.json.
// `make demo` builds the functions and calls it.
//
// What runs is real where it can be: the built function, as a process behind a
// local Lambda runtime API, the AWS SDK on the wire, and the recorded payloads
// of package events. Only AWS and its clock are simulated.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"deployhooks/test/hooks"
)

func main() {
	flags := flag.NewFlagSet("demo", flag.ExitOnError)
	build := flags.String("build", hooks.Folder(), "folder of the built functions")
	out := flags.String("out", filepath.Join("build", "demo"), "folder to write the report to")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "demo plays a release and a scale-in, with and without the hooks, in a simulated AWS region, and launches two tenants.")
		flags.PrintDefaults()
	}
	_ = flags.Parse(os.Args[1:]) // exits by itself
	if err := demo(*build, *out); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(build, out string) error {
	began := time.Now()
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(out, "functions.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	var scenarios []Scenario
	for _, play := range []func(context.Context, string, io.Writer) (Scenario, error){blueGreen, scaleIn} {
		scenario, err := play(context.Background(), build, log)
		if err != nil {
			return fmt.Errorf("%w (the functions' log is in %s)", err, log.Name())
		}
		scenarios = append(scenarios, scenario)
	}
	launches, err := launchTenants(context.Background())
	if err != nil {
		return err
	}
	if err := write(out, scenarios, launches); err != nil {
		return err
	}
	fmt.Printf("\nSome eight minutes of releases and two launches took %.1f s. Look at it: %s\nThe same figures as JSON: %s\n",
		time.Since(began).Seconds(), filepath.Join(out, "report.html"), filepath.Join(out, "report.json"))
	var failed error
	for _, s := range scenarios {
		if s.With.Failed > 0 {
			failed = errors.Join(failed, fmt.Errorf("%s: %d requests failed although the hooks were there", s.Name, s.With.Failed))
		}
		if s.Without.Failed == 0 {
			failed = errors.Join(failed, fmt.Errorf("%s: nothing failed without the hooks, so the scenario shows nothing", s.Name))
		}
	}
	return failed
}

func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
