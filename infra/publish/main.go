// Command publish uploads the assets of a cloud assembly (templates, and the functions'
// code) to the bucket <assetBucket>-<region> of each region, so that the templates can be
// deployed there without the CDK, by CloudFormation StackSets for example. `make publish` runs it
// on an assembly that was synthesised with the setting deployhooks:assetBucket.
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

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "publish:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("publish", flag.ContinueOnError)
	flags.SetOutput(out)
	regions := flags.String("regions", "", "the regions to publish to, separated by commas or spaces; none means the region of the AWS configuration")
	flags.Usage = func() {
		fmt.Fprint(out, "publish [--regions eu-west-1,us-east-1] <cloud assembly>\n\nUploads code and templates to the bucket <deployhooks:assetBucket>-<region> of each region,\nwith your AWS credentials. The buckets must exist. What they have already is not uploaded again.\n\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return errors.New("one cloud assembly is needed, such as build/stackset")
	}
	assembly := flags.Arg(0)
	assets, err := readAssets(assembly)
	if err != nil {
		return fmt.Errorf("read %s: %w", assembly, err)
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("find AWS credentials: %w", err)
	}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return fmt.Errorf("no AWS credentials: set AWS_PROFILE, and check with `aws sts get-caller-identity` (%w)", err)
	}
	to := strings.FieldsFunc(*regions, func(r rune) bool { return r == ',' || r == ' ' })
	if len(to) == 0 {
		to = []string{cfg.Region}
	}
	for _, region := range to {
		if region == "" {
			return errors.New("no region: give REGIONS=eu-west-1, or set AWS_REGION")
		}
		client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.Region = region })
		if err := publish(ctx, client, region, assets, out); err != nil {
			return fmt.Errorf("publish to %s: %w", region, err)
		}
	}
	fmt.Fprint(out, next(assets, to[0]))
	return nil
}

// next says how the templates are deployed. CloudFormation takes a template of more than
// 51,200 bytes from S3 only (AWS CloudFormation user guide, "CloudFormation quotas").
func next(assets []asset, region string) string {
	var b strings.Builder
	for _, a := range assets {
		if a.template == "" {
			continue
		}
		fmt.Fprintf(&b, `
Deploy %[1]s to all accounts of an organization, for example:

  aws cloudformation create-stack-set --stack-set-name %[1]s --region %[2]s \
    --template-url https://%[3]s.s3.%[2]s.amazonaws.com/%[4]s \
    --capabilities CAPABILITY_IAM --permission-model SERVICE_MANAGED \
    --auto-deployment Enabled=true,RetainStacksOnAccountRemoval=false
  aws cloudformation create-stack-instances --stack-set-name %[1]s --region %[2]s \
    --deployment-targets OrganizationalUnitIds=ou-… --regions %[2]s
`, a.template, region, a.bucketIn(region), a.key)
	}
	return b.String()
}
