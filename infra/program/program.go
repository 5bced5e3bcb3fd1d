// Package program is what the CDK's command line runs, by way of the infra program: all
// stacks, with the configuration of the context.
package program

import (
	"context"
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/build"
	"deployhooks/infra/central"
	"deployhooks/infra/config"
	"deployhooks/infra/constructs"
	"deployhooks/infra/environment"
	"deployhooks/infra/environment/spec"
	"deployhooks/infra/hooks"
	"deployhooks/infra/tenants"
)

// Synthesise writes the templates of the stacks to where the CDK's command line wants
// them. It first builds the functions to the folder programs, so that what is deployed is
// never older than its source; and before that it checks what it was given, which takes a
// second. An environment, a blueprint or another setting that cannot work is an error, not
// a panic with a stack.
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
	d, err := Read(given)
	if err != nil {
		return err
	}
	if d.cfg.AssetBucket != "" { // which is known only now, and has to be given to the app
		app = newApp(AssetsIn(d.cfg.AssetBucket))
	}
	if functions := d.functions(); len(functions) > 0 {
		if err := build.Functions(ctx, programs, d.cfg.Architecture, functions...); err != nil {
			return err
		}
	}
	d.AddStacks(app, programs)
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

// Deployment is what is deployed together.
type Deployment struct {
	cfg         config.Hooks
	settings    map[string]any
	environment *spec.Environment // nil for the hooks, and tenants, alone
}

// Read checks the CDK's context, and all that it names.
func Read(given map[string]any) (*Deployment, error) {
	d := &Deployment{}
	settings := maps.Clone(given)
	if name, ok := given[config.Prefix+config.EnvironmentKey].(string); ok && name != "" {
		e, err := spec.Read(name)
		if err != nil {
			return nil, err
		}
		d.environment = e
		maps.Copy(settings, e.Configuration(given))
	}
	cfg, err := config.Parse(settings)
	if err != nil {
		return nil, err
	}
	if cfg.Tenants.Blueprint != "" {
		if err := constructs.CheckBlueprint(cfg.Tenants.Blueprint); err != nil {
			return nil, err
		}
	}
	d.cfg, d.settings = cfg, config.Own(settings)
	return d, nil
}

// functions are the functions that are deployed.
func (d *Deployment) functions() []string {
	if len(d.cfg.Central) > 0 {
		return nil
	}
	functions := []string{"repair", "drain"}
	if d.cfg.Tenants.Blueprint != "" {
		functions = append(functions, "intake", "step")
	}
	if d.environment != nil {
		functions = append(functions, "deploymentgroup")
		if d.environment.Database != nil {
			functions = append(functions, "backup")
		}
	}
	return functions
}

// AddStacks adds the stacks, with the functions that were built to the folder programs.
func (d *Deployment) AddStacks(app awscdk.App, programs string) {
	if len(d.cfg.Central) > 0 {
		central.NewStack(app, jsii.String(config.CentralName), &constructs.CentralProps{
			Senders: jsii.Strings(d.cfg.Central...), NotifyEmails: jsii.Strings(d.cfg.NotifyEmails...),
		})
		return
	}
	var place *awscdk.Environment
	var name string
	props := &constructs.DeploymentHooksProps{Configuration: &d.settings, Programs: &programs}
	if d.environment != nil {
		place, name, props.EnvironmentName = environment.Place(d.environment), d.environment.Name, &d.environment.Name
	}
	h := hooks.NewStack(app, jsii.String(config.HooksStack(name)), place, props)
	t := &constructs.TenantsProps{Configuration: &d.settings, Programs: &programs, NoticeTopic: h.NoticeTopic, AlarmTopic: h.AlarmTopic}
	if d.environment != nil {
		e := environment.NewStack(app, jsii.String(config.EnvironmentStack(name)), &constructs.EnvironmentProps{
			Spec: d.environment, Configuration: &d.settings, Programs: &programs, NoticeTopic: h.NoticeTopic, TriggerTopic: h.TriggerTopic, AlarmTopic: h.AlarmTopic,
		})
		if e.Database != nil && len(d.cfg.Tenants.DatabaseSubnets) == 0 {
			t.DatabaseSubnets, t.DatabaseSecurityGroups = e.PrivateSubnets(), &[]*string{e.DatabaseClients.SecurityGroupId()}
		}
	}
	if d.cfg.Tenants.Blueprint != "" {
		tenants.NewStack(app, jsii.String(config.TenantsStack(name)), place, t)
	}
	if d.environment != nil && d.environment.Protected {
		// All of them, as a destroy begins with the tenants and would end at the environment.
		for _, child := range *app.Node().Children() {
			if stack, is := child.(awscdk.Stack); is {
				stack.SetTerminationProtection(jsii.Bool(true))
			}
		}
	}
}
