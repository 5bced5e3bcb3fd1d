// Command record records one real release, to compare the simulated region with: AWS's
// responses while it runs, the events that AWS sends, and the calls in CloudTrail.
// Everything is redacted before it is written.
//
// It only reads, except for a temporary queue and EventBridge rule, which it deletes.
// `make record` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
		stop()
		os.Exit(1)
	}
}

// endings are the signals that end a recording. A terminal that is closed is one, as
// otherwise the queue and the rule would stay.
func endings() []os.Signal { return []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} }

// options are what the command line says.
type options struct {
	application, deploymentGroup string
	folder                       string
	every, most, trail           time.Duration
	words                        []string // to redact besides what is found
}

const usage = `record --application shop --deployment-group web

Records one release with your AWS credentials. Start it, start the release, and press
Ctrl-C when the release is over and the blue instances are gone. Then it waits for
CloudTrail, which is some minutes late; a second Ctrl-C ends the wait.

It is read-only, except for a queue and an EventBridge rule of its own,
deployhooks-record-…, which it deletes when it ends. Account IDs, IP addresses, access
keys, tokens, names of people, user data and request parameters that may hold secrets are
redacted. Read the recording before you share it: names that your company chose stay.

`

func parse(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("record", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&o.application, "application", "", "the CodeDeploy application")
	flags.StringVar(&o.deploymentGroup, "deployment-group", "", "its deployment group")
	flags.StringVar(&o.folder, "out", "build/recording", "the folder to write to, which must not exist")
	flags.DurationVar(&o.every, "every", 3*time.Second, "how often AWS is polled")
	flags.DurationVar(&o.most, "for", 4*time.Hour, "how long to record at most")
	flags.DurationVar(&o.trail, "trail-wait", 15*time.Minute, "how long to wait for CloudTrail afterwards; 0 leaves CloudTrail out")
	redact := flags.String("redact", "", "more words to redact, separated by commas")
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for word := range strings.SplitSeq(*redact, ",") {
		if word = strings.TrimSpace(word); word != "" {
			o.words = append(o.words, word)
		}
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q: see --help", flags.Arg(0))
	case o.application == "" || o.deploymentGroup == "":
		return o, errors.New("give --application and --deployment-group; see --help")
	case o.every < time.Second:
		return o, fmt.Errorf("--every %v would use up the account's rate of calls: give 1s or more", o.every)
	}
	if _, err := os.Stat(o.folder); err == nil {
		return o, fmt.Errorf("%s exists: give another with --out, so that no recording is mixed with another", o.folder)
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args, out)
	if err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMode(aws.RetryModeAdaptive))
	if err != nil {
		return fmt.Errorf("find AWS credentials: %w", err)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("no AWS credentials: set AWS_PROFILE, and check with `aws sts get-caller-identity` (%w)", err)
	}
	r := newRecorder(cfg, o, out)
	r.again = func() (context.Context, context.CancelFunc) {
		return signal.NotifyContext(context.WithoutCancel(ctx), endings()...)
	}
	return r.record(ctx)
}

// wait waits, or ends early with the context's error.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
