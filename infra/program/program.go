// Package program is what the CDK's command line runs, by way of the infra program: all
// stacks, with the configuration of the context.
package program

import (
	"context"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/build"
	"deployhooks/infra/central"
	"deployhooks/infra/config"
	"deployhooks/infra/constructs"
	"deployhooks/infra/hooks"
	"deployhooks/infra/tenants"
)

// Synthesise writes the templates of the stacks to where the CDK's command line wants
// them. It first builds the functions to the folder programs, so that what is deployed is
// never older than its source. A blueprint or another setting that cannot work is an
// error, not a panic with a stack.
func Synthesise(ctx context.Context, programs string) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case constructs.PropertyError:
			err = p
		default:
			panic(p)
		}
	}()
	app := newApp(nil)
	given, _ := app.Node().GetAllContext(nil).(map[string]any)
	cfg, err := config.Parse(given)
	if err != nil {
		return err
	}
	if cfg.AssetBucket != "" { // which is known only now, and has to be given to the app
		app = newApp(AssetsIn(cfg.AssetBucket))
	}
	if len(cfg.Central) > 0 {
		central.NewStack(app, jsii.String(config.CentralName), &constructs.CentralProps{
			Senders: jsii.Strings(cfg.Central...), NotifyEmails: jsii.Strings(cfg.NotifyEmails...),
		})
		app.Synth(nil)
		return nil
	}
	functions := []string{"repair", "drain"}
	if cfg.Tenants.Blueprint != "" {
		functions = append(functions, "intake", "step")
	}
	if err := build.Functions(ctx, programs, cfg.Architecture, functions...); err != nil {
		return err
	}
	own := config.Own(given)
	h := hooks.NewStack(app, jsii.String(config.HooksName), &constructs.DeploymentHooksProps{Configuration: &own, Programs: &programs})
	if cfg.Tenants.Blueprint != "" {
		tenants.NewStack(app, jsii.String(config.TenantsName), &constructs.TenantsProps{
			Configuration: &own, Programs: &programs, NoticeTopic: h.NoticeTopic, AlarmTopic: h.AlarmTopic,
		})
	}
	app.Synth(nil)
	return nil
}

func newApp(synthesizer awscdk.IReusableStackSynthesizer) awscdk.App {
	return awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false), AutoSynth: jsii.Bool(false), DefaultStackSynthesizer: synthesizer})
}

// AssetsIn has templates read their assets from the bucket <prefix>-<region>, whatever
// account and region they are deployed to, and need nothing of the CDK's bootstrap.
func AssetsIn(prefix string) awscdk.IReusableStackSynthesizer {
	return awscdk.NewCliCredentialsStackSynthesizer(&awscdk.CliCredentialsStackSynthesizerProps{
		FileAssetsBucketName: jsii.String(prefix + "-${AWS::Region}"),
	})
}
