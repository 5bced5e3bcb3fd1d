// Command infra defines what deployhooks is on AWS. The CDK's command line
// runs it (see cdk.json): npx aws-cdk synth, diff, deploy, destroy.
//
// Everything an operator may decide is a context key "deployhooks:…"; package
// config lists them.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/config"
	"deployhooks/infra/stack"
)

func main() {
	err := synthesise()
	jsii.Close()
	if err != nil {
		fmt.Fprintf(os.Stderr, "deployhooks: %v\n", err)
		os.Exit(1)
	}
}

// synthesise writes the templates to where the CDK's command line wants them.
func synthesise() error {
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	cfg, err := config.Parse(stack.Context(app))
	if err != nil {
		return err
	}
	if _, err := stack.NewHooks(app, cfg, "build"); err != nil {
		return err
	}
	app.Synth(nil)
	return nil
}
