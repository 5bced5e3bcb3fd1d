package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventbridgetypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"deployhooks/infra/config"
	"deployhooks/test/region"
)

//go:embed ministack.py
var ministack string

//go:embed environment.py
var environmentTypes string

// launcher starts MiniStack, changed.
func launcher() string {
	return ministack + environmentTypes + "\nfrom ministack.app import main\n\nmain()\n"
}

//go:embed ask.py
var ask string

// cdkPackage is the CDK's command line. Newer is not better: 3.0.0 was
// published by accident and rejects what the library writes.
const cdkPackage = "aws-cdk@2.1148.1"

// secret goes with the account's ID as the access key, which is how MiniStack
// knows the account's root user.
const secret = "test"

// simulated are the services that the region plays, as environment variables
// name them. The others are MiniStack's.
func simulated() []string {
	return []string{"AUTO_SCALING", "CODEDEPLOY", "ELASTIC_LOAD_BALANCING_V2", "SSM"}
}

// cloud is a running MiniStack, and the stack in it.
type cloud struct {
	w       *runner
	url     string
	env     []string // for programs that talk to it
	config  aws.Config
	outputs map[string]string // of both stacks

	blueprint string // the folder of the blueprint that is deployed
}

// startCloud starts MiniStack. What its functions ask of the services that the
// region simulates goes to regionURL: functions inherit MiniStack's
// environment.
func startCloud(ctx context.Context, w *runner, regionURL string, t *tenants) (*cloud, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c := &cloud{w: w, url: "http://127.0.0.1:" + port, blueprint: t.blueprint}
	c.env = []string{
		"AWS_ENDPOINT_URL=" + c.url,
		"AWS_ACCESS_KEY_ID=" + region.Account,
		"AWS_SECRET_ACCESS_KEY=" + secret,
		"AWS_REGION=" + region.Name,
		"AWS_DEFAULT_REGION=" + region.Name,
	}
	c.config = aws.Config{
		Region:       region.Name,
		BaseEndpoint: &c.url,
		Credentials:  credentials.NewStaticCredentialsProvider(region.Account, secret, ""),
	}
	env := append([]string{
		"BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + port, "IOT_MTLS_ENABLED=0", "AUTH=true", "PYTHONUNBUFFERED=1",
		"MINISTACK_ACCOUNT_ID=" + region.Account, "MINISTACK_REGION=" + region.Name,
		// Functions trust the tenants' pages, and address buckets by path. Retries and
		// waits of state machines take a tenth of their time.
		"SSL_CERT_FILE=" + t.pages.file, "AWS_ENDPOINT_URL_S3=" + c.url, "SFN_WAIT_SCALE=0.1",
	}, c.env...)
	for _, service := range simulated() {
		env = append(env, "AWS_ENDPOINT_URL_"+service+"="+regionURL)
	}
	env = append(env, "ACCEPTED_TYPES="+strings.Join(acceptedTypes(), ","), "REGION_TYPES="+strings.Join(regionTypes(), ","))
	server, err := w.start("ministack", env, w.tool("python"), "-c", launcher())
	if err != nil {
		return nil, err
	}
	server.beforeStop = c.endFunctions
	return c, eventually(ctx, time.Minute, "MiniStack answers", func() (bool, error) {
		select {
		case <-server.done:
			return false, fmt.Errorf("MiniStack has ended (%v):\n%s", server.err, tail(w.log("ministack"), 20))
		default:
		}
		return answers(ctx, c.url+"/_ministack/health"), nil
	})
}

// endFunctions has MiniStack end the processes of its functions itself, which
// would lose their parent otherwise. If it does not answer they are killed with
// it all the same.
func (c *cloud) endFunctions() {
	client := http.Client{Timeout: grace}
	if resp, err := client.Post(c.url+"/_ministack/reset", "application/json", nil); err == nil {
		_ = resp.Body.Close()
	}
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// freePort finds a port that nobody uses now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// cdk runs the CDK's command line.
func (c *cloud) cdk(ctx context.Context, log string, args ...string) (string, error) {
	args = append([]string{"--yes", cdkPackage}, args...)
	return c.w.run(ctx, log, c.env, "npx", append(args, "--ci", "--no-notices")...)
}

// cdkDeploy deploys what the app of cdk.json makes of settings, and reads the outputs, by
// stack. The cloud assembly is written to a folder for the time of the run.
func (c *cloud) cdkDeploy(ctx context.Context, folder string, settings map[string]string) (outputs map[string]map[string]string, said string, err error) {
	file := filepath.Join(c.w.tmp, folder+".json")
	args := []string{"deploy", "--all", "--require-approval", "never", "--progress", "events", "--outputs-file", file, "--output", c.assembly(folder),
		"-c", config.Prefix + "architecture=" + architecture()}
	for key, value := range settings {
		args = append(args, "-c", config.Prefix+key+"="+value)
	}
	if said, err = c.cdk(ctx, "deploy", args...); err != nil {
		return nil, "", err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, "", err
	}
	if err := json.Unmarshal(b, &outputs); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", file, err)
	}
	return outputs, said, nil
}

// assembly is a cloud assembly of this run.
func (c *cloud) assembly(folder string) string { return filepath.Join(c.w.tmp, folder) }

// cdkDestroy removes the stacks that were deployed from a cloud assembly.
func (c *cloud) cdkDestroy(ctx context.Context, folder string) error {
	_, err := c.cdk(ctx, "destroy", "destroy", "--all", "--force", "--app", c.assembly(folder))
	return err
}

func (c *cloud) bootstrap(ctx context.Context) (string, error) {
	_, err := c.cdk(ctx, "bootstrap", "bootstrap", "aws://"+region.Account+"/"+region.Name)
	return "", err
}

// hooksAssembly is the folder of the assembly of the hooks and the tenants.
const hooksAssembly = "cdk.out"

// deploy deploys both stacks and reads their outputs. A terminating instance leaves a
// target group that its Auto Scaling group does not know of, and runs a command.
func (c *cloud) deploy(ctx context.Context, sweepEveryMinutes int) (string, error) {
	outputs, said, err := c.cdkDeploy(ctx, hooksAssembly, map[string]string{
		"blueprint": c.blueprint, "removalDelayHours": "0",
		"applications":       "shop", // the environment that is deployed as well has hooks of its own
		"repairSweepMinutes": strconv.Itoa(sweepEveryMinutes), "drainSweepMinutes": strconv.Itoa(sweepEveryMinutes),
		"drainShortestHookSeconds": strconv.Itoa(heartbeatSeconds), "drainTargetGroups": unattached, "drainCommand": shutdown,
	})
	if err != nil {
		return "", err
	}
	all := outputs[config.TenantsName]
	maps.Copy(all, outputs[config.HooksName]) // both have a dashboard, which nobody asks for here
	if c.outputs == nil {
		c.outputs = all // later ones are the same, and others may read these now
	}
	return said, nil
}

// question is one thing to ask the local cloud: an operation in the names of botocore, and
// what of the answer is wanted.
type question struct {
	service, operation string
	parameters         map[string]string
	query              string
}

// ask asks several things at once, and decodes each answer.
func (c *cloud) ask(ctx context.Context, questions []question, answers ...any) error {
	var all [][]any
	for _, q := range questions {
		parameters := q.parameters
		if parameters == nil {
			parameters = map[string]string{}
		}
		all = append(all, []any{q.service, q.operation, parameters, q.query})
	}
	b, err := json.Marshal(all)
	if err != nil {
		return err
	}
	out, err := c.w.run(ctx, "aws", c.env, c.w.tool("python"), "-c", ask, string(b))
	if err != nil {
		return err
	}
	var raw []json.RawMessage
	if err := json.Unmarshal([]byte(out), &raw); err != nil || len(raw) != len(answers) {
		return fmt.Errorf("the answer to %s is %q: %w", b, out, err)
	}
	for i := range raw {
		if err := json.Unmarshal(raw[i], answers[i]); err != nil {
			return fmt.Errorf("the answer to %v is %q: %w", all[i], raw[i], err)
		}
	}
	return nil
}

// aws runs the AWS CLI, which is not the SDK that the functions use, and
// decodes what it answers.
func (c *cloud) aws(ctx context.Context, answer any, args ...string) error {
	out, err := c.w.run(ctx, "aws", c.env, c.w.tool("aws"), append(args, "--endpoint-url", c.url, "--output", "json")...)
	if err != nil || answer == nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		return fmt.Errorf("aws %s answers %q: %w", strings.Join(args, " "), out, err)
	}
	return nil
}

// invoke asks a function, which an output names, something, as an operator
// does.
func (c *cloud) invoke(ctx context.Context, function, payload string, answer any) error {
	file, err := os.CreateTemp(c.w.tmp, "answer-")
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := c.aws(ctx, nil, "lambda", "invoke", "--function-name", c.outputs[function], "--payload", payload, file.Name()); err != nil {
		return err
	}
	b, err := os.ReadFile(file.Name())
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("the function answers %q: %w", b, err)
	}
	return nil
}

// putEvent puts an event on the bus, as the service does that it is of.
func (c *cloud) putEvent(ctx context.Context, payload []byte) error {
	var event struct {
		Source     string          `json:"source"`
		DetailType string          `json:"detail-type"`
		Resources  []string        `json:"resources"`
		Detail     json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		return fmt.Errorf("event %s: %w", payload, err)
	}
	out, err := eventbridge.NewFromConfig(c.config).PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []eventbridgetypes.PutEventsRequestEntry{{
		Source: &event.Source, DetailType: &event.DetailType, Resources: event.Resources, Detail: aws.String(string(event.Detail)),
	}}})
	if err != nil {
		return fmt.Errorf("put event %s: %w", payload, err)
	}
	if out.FailedEntryCount > 0 {
		return fmt.Errorf("put event %s: %s", payload, aws.ToString(out.Entries[0].ErrorMessage))
	}
	return nil
}
