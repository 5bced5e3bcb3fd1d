// Command infra defines what deployhooks is on AWS. The CDK's command line
// runs it (see cdk.json): npx aws-cdk synth, diff, deploy, destroy.
//
// Everything an operator may configure is a context key "deployhooks:…"; package
// config lists them.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/build"
	"deployhooks/infra/config"
	"deployhooks/infra/constructs"
	"deployhooks/infra/hooks"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, usage)
		jsii.Close() // it has made a directory already
		os.Exit(2)
	}
	err := synthesise()
	if err != nil {
		fmt.Fprintf(os.Stderr, "deployhooks: %v\n", err)
	}
	// Closing waits twice at once for the Node process, and says of one of the two
	// that there is no child process, without a line's end. What is worth reading
	// has been written.
	_ = os.Stderr.Close()
	jsii.Close()
	if err != nil {
		os.Exit(1)
	}
}

// usage is for people who run this program by hand.
const usage = `infra takes no arguments. The CDK runs it:

  make synth                                           the templates, in cdk.out
  make deploy                                          the stack, on AWS
  npx aws-cdk deploy -c deployhooks:repairMode=plan    with a context key

README.md, "Configuration", has the table of the context keys.`

// programs is the folder of the built functions.
const programs = "build"

// synthesise builds the functions, so that what is deployed is never older than
// its source, and writes the templates to where the CDK's command line wants them.
func synthesise() error {
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	given, _ := app.Node().GetAllContext(nil).(map[string]any)
	cfg, err := config.Parse(given)
	if err != nil {
		return err
	}
	if err := build.Functions(context.Background(), programs, cfg.Architecture); err != nil {
		return err
	}
	settings := config.Own(given)
	hooks.NewStack(app, jsii.String(config.HooksName), &constructs.DeploymentHooksProps{
		Configuration: &settings, Programs: jsii.String(programs),
	})
	app.Synth(nil)
	return nil
}
