// Command fill replaces the data of an environment by the newest backup of the one that
// its file names, with backups.fillFrom, after its name was typed. `make fill` runs it:
// fill training.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/infra/config"
	"deployhooks/infra/environment/spec"
)

// interval is the time between two polls of the execution, whose states take half a minute.
const interval = 15 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, interval); err != nil {
		fmt.Fprintln(os.Stderr, "fill:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer, every time.Duration) error {
	if len(args) != 1 {
		return errors.New("one environment is needed, such as training")
	}
	e, err := spec.Read(args[0])
	if err != nil {
		return err
	}
	if e.Backups.FillFrom == "" {
		return fmt.Errorf("environment %s has no fillFrom: set it under backups in the environment file of an environment whose data may be replaced", e.Name)
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(e.Region))
	if err != nil {
		return fmt.Errorf("find AWS credentials: %w", err)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("no AWS credentials: set AWS_PROFILE, and check with `aws sts get-caller-identity` (%w)", err)
	}
	machine, err := machineOf(ctx, cloudformation.NewFromConfig(cfg), e)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "All data of environment %s will be replaced by the newest backup of %s.\nIts services lose the database for some minutes. Type the environment's name to continue: ", e.Name, e.Backups.FillFrom)
	typed, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the name: %w", err)
	}
	if typed = strings.TrimSpace(typed); typed != e.Name {
		return fmt.Errorf("got %q, which is not %s: nothing was done", typed, e.Name)
	}
	return fill(ctx, sfn.NewFromConfig(cfg), machine, e.Name, out, every)
}

// machineOf is the ARN of the environment's state machine for backups.
func machineOf(ctx context.Context, client *cloudformation.Client, e *spec.Environment) (string, error) {
	name := config.EnvironmentStack(e.Name)
	stacks, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	if err != nil {
		return "", fmt.Errorf("find the stack %s: %w", name, err)
	}
	for _, o := range stacks.Stacks[0].Outputs {
		if *o.OutputKey != config.BackupMachineOutput {
			continue
		}
		machine, err := arn.Parse(*o.OutputValue)
		if err != nil {
			return "", fmt.Errorf("read the output %s of %s: %w", *o.OutputKey, name, err)
		}
		if e.Account != "" && machine.AccountID != e.Account {
			return "", fmt.Errorf("the credentials are for account %s, and environment %s is in %s", machine.AccountID, e.Name, e.Account)
		}
		return *o.OutputValue, nil
	}
	return "", fmt.Errorf("the stack %s has no output %s: deploy it again", name, config.BackupMachineOutput)
}
