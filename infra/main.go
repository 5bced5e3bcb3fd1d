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

	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/program"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, usage)
		jsii.Close() // it has made a directory already
		os.Exit(2)
	}
	err := program.Synthesise(context.Background(), "build")
	if err != nil {
		fmt.Fprintf(os.Stderr, "deployhooks: %v\n", err)
	}
	// jsii.Close waits for the Node process twice at once, and prints of one of the
	// two that there is no child process. Everything worth reading is written by now.
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
