package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"deployhooks/infra/config"
	"deployhooks/test/region"
)

// notSimulated is the statement that the local cloud's policy simulation denies: it does not
// know the context keys that a simulation is given, and the statement has a condition.
const notSimulated = "RunItOnScaledInstances"

// smoke checks the deployment as an operator does, with `make smoke`. Nothing else may fail.
func (c *cloud) smoke(ctx context.Context) (string, error) {
	said, err := c.w.run(ctx, "smoke", c.env, "go", "run", "./infra/smoke", filepath.Join(c.w.tmp, "cdk.out"))
	states := map[string]int{}
	for line := range strings.Lines(said) {
		state, _, _ := strings.Cut(line, " ")
		if state == "FAILED" && strings.Contains(line, notSimulated) {
			state = notSimulated
		}
		states[state]++
	}
	if states["FAILED"] > 0 || states[notSimulated] != 1 || states["ok"] == 0 {
		return "", fmt.Errorf("%d checks failed, and %d of the one that cannot be simulated here: %w", states["FAILED"], states[notSimulated], err)
	}
	return fmt.Sprintf("%d checks, %d of them without data yet", states["ok"]+states["wait"], states["wait"]), nil
}

// otherAccount is one that there are no credentials for.
const otherAccount = "999999999999"

// refuseOtherAccount has the CDK deploy a stack of another account than the credentials'.
func (c *cloud) refuseOtherAccount(ctx context.Context) (string, error) {
	folder := filepath.Join(c.w.tmp, "other-account")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	for name, text := range map[string]string{
		"manifest.json": `{"version": "36.0.0", "artifacts": {"shop": {"type": "aws:cloudformation:stack", "environment": "aws://` + otherAccount + "/" + region.Name +
			`", "properties": {"templateFile": "shop.template.json"}}}}`,
		"shop.template.json": `{"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	_, err := c.w.run(ctx, "other-account", c.env, "npx", "--yes", cdkPackage, "deploy", "--all", "--require-approval", "never", "--app", folder, "--ci", "--no-notices")
	switch {
	case err == nil:
		return "", errors.New("a stack of another account was deployed to this one")
	case !strings.Contains(err.Error(), "Need to perform AWS calls for account "+otherAccount+", but the current credentials are for "+region.Account):
		return "", fmt.Errorf("it was refused for another reason: %w", err)
	}
	return "the CDK names both", nil
}

// stackSet deploys the hooks once more, without the CDK and its bootstrap, from a bucket, as
// StackSets do, and removes them again. It only plans, as the first stack does the work, whose
// table it reads.
func (c *cloud) stackSet(ctx context.Context) (result string, err error) {
	const prefix, stack = "published", "deployhooks-stackset"
	assembly := filepath.Join(c.w.tmp, "stackset")
	if err := c.aws(ctx, nil, "s3api", "create-bucket", "--bucket", prefix+"-"+region.Name, "--create-bucket-configuration", "LocationConstraint="+region.Name); err != nil {
		return "", err
	}
	settings := []string{"assetBucket=" + prefix, "architecture=" + architecture(), "repairMode=plan", "drainMode=plan", "baselineTable=" + c.outputs[config.TableOutput]}
	args := []string{"--yes", cdkPackage, "synth", "--quiet", "--output", assembly, "--ci", "--no-notices"}
	for _, s := range settings {
		args = append(args, "-c", config.Prefix+s)
	}
	// The first synthesis has validated the templates.
	if _, err := c.w.run(ctx, "stackset", append([]string{"CDK_VALIDATION=false"}, c.env...), "npx", args...); err != nil {
		return "", err
	}
	// W3005: see lint.
	if _, err := c.w.run(ctx, "cfn-lint", nil, c.w.tool("cfn-lint"), "--ignore-checks", "W3005", "--regions", region.Name, "us-east-1", "--", filepath.Join(assembly, config.HooksName+".template.json")); err != nil {
		return "", err
	}
	said, err := c.w.run(ctx, "stackset", c.env, "go", "run", "./infra/publish", assembly)
	if err != nil {
		return "", err
	}
	_, after, _ := strings.Cut(said, ".amazonaws.com/") // of --template-url
	key, _, found := strings.Cut(after, " ")
	if !found {
		return "", fmt.Errorf("the template's address is not said:\n%s", said)
	}
	if err := c.aws(ctx, nil, "cloudformation", "create-stack", "--stack-name", stack, "--capabilities", "CAPABILITY_IAM",
		"--template-url", c.url+"/"+prefix+"-"+region.Name+"/"+key); err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, c.aws(ctx, nil, "cloudformation", "delete-stack", "--stack-name", stack), c.becomes(ctx, stack, "DELETE_COMPLETE"))
	}()
	if err := c.becomes(ctx, stack, "CREATE_COMPLETE"); err != nil {
		return "", err
	}
	var function string
	query := "Stacks[0].Outputs[?OutputKey=='" + config.DrainFunctionOutput + "'].OutputValue | [0]"
	if err := c.aws(ctx, &function, "cloudformation", "describe-stacks", "--stack-name", stack, "--query", query); err != nil {
		return "", err
	}
	return "its function answers", c.aws(ctx, nil, "lambda", "invoke", "--function-name", function, "--payload", `{"action":"status"}`, filepath.Join(c.w.tmp, "answer.json"))
}

// becomes waits for a stack's status, more closely than the CLI's own waiting does.
func (c *cloud) becomes(ctx context.Context, stack, status string) error {
	return eventually(ctx, time.Minute, stack+" is in "+status, func() (bool, error) {
		var now string
		err := c.aws(ctx, &now, "cloudformation", "list-stacks", "--query", "StackSummaries[?StackName=='"+stack+"'].StackStatus | [0]")
		if err == nil && strings.Contains(now, "ROLLBACK") {
			err = fmt.Errorf("%s is in %s", stack, now)
		}
		return now == status, err
	})
}
