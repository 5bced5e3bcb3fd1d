// Command smoke checks a deployment in a real account: what was synthesised is what is
// deployed, and it works. It changes nothing: it invokes functions with read-only requests,
// and asks IAM by policy simulation what roles may do.
//
// `make smoke` synthesises and runs it: smoke cdk.out. The exit status is 1 if anything
// failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"deployhooks/infra/assembly"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "smoke:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("smoke", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprint(out, "smoke <cloud assembly>, such as cdk.out\n\nChecks the deployed stacks with your AWS credentials: functions answer, alarms are OK,\ndead-letter queues are empty, subscriptions are confirmed, and roles may do what the\ntemplates say and nothing else that is known. It changes nothing.\n\n"+
			"It needs ReadOnlyAccess, lambda:InvokeFunction and iam:SimulatePrincipalPolicy.\n")
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return errors.New("one cloud assembly is needed")
	}
	stacks, err := assembly.Read(os.DirFS(flags.Arg(0)))
	if err != nil {
		return fmt.Errorf("read %s: %w", flags.Arg(0), err)
	}
	if len(stacks) == 0 {
		return fmt.Errorf("%s has no stacks, so there is nothing to check", flags.Arg(0))
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("find AWS credentials: %w", err)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("no AWS credentials: set AWS_PROFILE, and check with `aws sts get-caller-identity` (%w)", err)
	}
	s := &smoke{}
	for _, stack := range stacks {
		s.in(cfg, stack.Region)
		s.stack(ctx, stack)
	}
	if failed := s.print(out); failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(s.results))
	}
	return nil
}

// smoke is one run.
type smoke struct {
	stacks    *cloudformation.Client
	functions *lambda.Client
	alarms    *cloudwatch.Client
	queues    *sqs.Client
	topics    *sns.Client
	iam       *iam.Client

	results []result
}

// in has what follows be checked in a region; empty means that of the credentials.
func (s *smoke) in(cfg aws.Config, region string) {
	if region != "" {
		cfg.Region = region
	}
	s.stacks, s.functions, s.alarms = cloudformation.NewFromConfig(cfg), lambda.NewFromConfig(cfg), cloudwatch.NewFromConfig(cfg)
	s.queues, s.topics, s.iam = sqs.NewFromConfig(cfg), sns.NewFromConfig(cfg), iam.NewFromConfig(cfg)
}

// state is what a check found.
type state string

const (
	ok      state = "ok"
	waiting state = "wait" // it may become ok by itself
	failed  state = "FAILED"
)

// result is one line of the table.
type result struct {
	state                 state
	stack, check, subject string
	found                 string
}

// print writes the table, and returns how many checks failed.
func (s *smoke) print(out io.Writer) (failures int) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "RESULT\tSTACK\tCHECK\tSUBJECT\tFOUND")
	for _, r := range s.results {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", r.state, r.stack, r.check, r.subject, r.found)
		if r.state == failed {
			failures++
		}
	}
	_ = table.Flush() // to a terminal
	return failures
}
