// Package infra asserts on the synthesised templates.
//
// The CDK runs in a Node process behind jsii, which is not safe for concurrent
// use, ends the whole process when an assertion of its own fails, and has a
// data race in its clean-up that the race detector reports. So [TestMain] has a
// second process, another run of the test binary, synthesise every variant,
// and takes over the templates as JSON. The tests run in parallel on those. All
// infrastructure tests are in this package, so that this happens once.
package infra

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"deployhooks/infra/config"
	"deployhooks/infra/constructs"
	"deployhooks/infra/hooks"
	"deployhooks/infra/program"
	"deployhooks/infra/tenants"
)

var (
	update    = flag.Bool("update", false, "write the golden files instead of comparing with them")
	templates = flag.String("templates", "", "write the template of every variant to this folder, and run no tests")
)

// What [TestMain] had synthesised; nothing writes to it afterwards.
var (
	plain      template // nothing configured
	configured template // as much as possible configured
	planning   template // both modes plan
	replacing  template // what configured has not: instances replaced, a document for a command
	intel      template // architecture x86_64
	encrypted  template // with a key, a boundary, tags and an environment's name
	twice      template // two DeploymentHooks in one stack, one of them with topics of the stack's
	tenancy    template // the tenants stack with the example blueprint, nothing else configured
	tenancyNet template // the same with as much as possible configured
	warnings   map[string][]string
	refusals   map[string]string
	findings   []finding
	fleets     map[string]fleet // by scenario, see drainhook_test.go

	environments map[string]template // the stacks of environments, see environments_test.go
)

// synthesis is what the second process hands over.
type synthesis struct {
	Plain, Configured, Planning, Replacing, Intel, Encrypted, Twice, Tenancy, TenancyNet template
	// Warnings are those of the synthesis, by variant.
	Warnings map[string][]string
	// Refusals are the panics of constructors, by scenario.
	Refusals map[string]string
	// Findings are cdk-nag's.
	Findings []finding
	// Fleets are stacks of users that have a DrainHook.
	Fleets map[string]fleet
	// Environments are their stacks.
	Environments map[string]template
}

// finding is what cdk-nag has against a resource.
type finding struct{ Rule, Resource string }

const alarmTopic = "arn:aws:sns:eu-west-1:123456789012:alarms"

// fullContext configures every key that changes the template.
func fullContext() map[string]any {
	return map[string]any{
		"deployhooks:repairSweepMinutes":          "15",
		"deployhooks:applications":                []any{"shop", "team/search", "north, south"},
		"deployhooks:deploymentGroups":            "*-production",
		"deployhooks:repairTag":                   "hooks=on",
		"deployhooks:attachDuringTerminationWait": "true",
		"deployhooks:instancesWithoutRevision":    "standby",
		"deployhooks:blueGroupThatStays":          "detach",
		"deployhooks:hookRoleArns":                "arn:aws:iam::123456789012:role/queue-hooks",
		"deployhooks:parameterPrefix":             "/platform/groups",
		"deployhooks:baselineTable":               "deployhooks-baselines",

		"deployhooks:drainSweepMinutes":          "2",
		"deployhooks:drainShortestHookSeconds":   "600",
		"deployhooks:drainHooks":                 "bye-*",
		"deployhooks:drainTag":                   "drain=on",
		"deployhooks:drainDeadlineMinutes":       "20",
		"deployhooks:drainTargetGroups":          "admin,internal",
		"deployhooks:drainFindTargetGroups":      "true",
		"deployhooks:networkTargetWaitSeconds":   "60",
		"deployhooks:drainReleasesPerSecond":     "20",
		"deployhooks:drainCommand":               "systemctl stop app",
		"deployhooks:drainTagDocuments":          "AWS-RunShellScript,stop-app",
		"deployhooks:drainCommandTimeoutMinutes": "2",
		"deployhooks:onSpotInterruption":         "off",
		"deployhooks:onStateChange":              "drain",
		"deployhooks:onRebalance":                "drain",
		"deployhooks:onMaintenance":              "drain",

		"deployhooks:notifyEmails":     "ops@example.com",
		"deployhooks:alarmTopicArn":    alarmTopic,
		"deployhooks:eventBus":         "platform",
		"deployhooks:acceptEventsFrom": "210987654321/eu-west-1",
		"deployhooks:logLevel":         "WARN",
		"deployhooks:logRetentionDays": "7",
	}
}

// asInfra is the variable that has the test binary run as the infra program.
const asInfra = "DEPLOYHOOKS_TEST_AS_INFRA"

// handOver is the variable that names the folder that the second process writes to.
const handOver = "DEPLOYHOOKS_TEST_SYNTHESIS"

func TestMain(m *testing.M) {
	flag.Parse()
	second := map[string]func(string) error{
		handOver: synthesise,
		asInfra:  func(programs string) error { return program.Synthesise(context.Background(), programs) },
	}
	for variable, run := range second {
		if value := os.Getenv(variable); value != "" {
			os.Exit(asSecond(run, value))
		}
	}
	jsii.Close() // which has made a directory, though nothing has used it yet
	if err := takeOver(); err != nil {
		fmt.Fprintln(os.Stderr, "synthesise the templates under test:", err)
		os.Exit(1)
	}
	if *templates != "" {
		if err := writeTemplates(*templates); err != nil {
			fmt.Fprintln(os.Stderr, "write the templates:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// asSecond runs one thing with the CDK and returns the status to exit with.
func asSecond(run func(string) error, value string) int {
	err := run(value)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	_ = os.Stderr.Close() // see the infra program
	jsii.Close()
	if err != nil {
		return 1
	}
	return 0
}

// takeOver runs the second process and fills the variables above. The CDK's
// validation takes most of the time of a synthesis, and is left to `make synth`.
func takeOver() (err error) {
	if _, err := exec.LookPath("node"); err != nil {
		return errors.New("node is not installed, and the CDK runs on it: install Node 22 or later (nodejs.org)")
	}
	dir, err := os.MkdirTemp("", "deployhooks-infra-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), handOver+"="+dir, "TMPDIR="+dir, "CDK_VALIDATION=false", "GORACE=exitcode=0",
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=18,20,22,24")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w:\n%s", err, said)
	}
	b, err := os.ReadFile(filepath.Join(dir, "synthesis.json"))
	if err != nil {
		return err
	}
	var s synthesis
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	plain, configured, planning, replacing = s.Plain, s.Configured, s.Planning, s.Replacing
	intel, encrypted, twice = s.Intel, s.Encrypted, s.Twice
	tenancy, tenancyNet = s.Tenancy, s.TenancyNet
	warnings, refusals, findings, fleets = s.Warnings, s.Refusals, s.Findings, s.Fleets
	environments = s.Environments
	return nil
}

// synthesise is what the second process does.
func synthesise(dir string) (err error) {
	build := filepath.Join(dir, "build")
	for architecture, machine := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "x86_64": elf.EM_X86_64} {
		for _, function := range []string{"repair", "drain", "intake", "step", "deploymentgroup", "backup"} {
			if err := writeProgram(filepath.Join(build, architecture, function), machine); err != nil {
				return err
			}
		}
	}
	s := synthesis{Warnings: map[string][]string{}}
	for name, v := range map[string]struct {
		template *template
		settings map[string]any
	}{
		"plain":      {&s.Plain, nil},
		"configured": {&s.Configured, fullContext()},
		"planning": {&s.Planning, map[string]any{
			"deployhooks:repairMode": "plan", "deployhooks:drainMode": "plan",
			"deployhooks:hookRoleArns": "arn:aws:iam::123456789012:role/queue-hooks", "deployhooks:drainCommand": "sync",
			"deployhooks:instancesWithoutRevision": "standby", "deployhooks:blueGroupThatStays": "detach",
		}},
		"replacing": {&s.Replacing, map[string]any{"deployhooks:instancesWithoutRevision": "replace", "deployhooks:drainDocument": "stop-app", "deployhooks:logLevel": "DEBUG"}},
		"intel":     {&s.Intel, map[string]any{"deployhooks:architecture": "x86_64"}},
	} {
		stack := newHooks(newApp(""), v.settings, build)
		if *v.template, err = templateOf(stack); err != nil {
			return err
		}
		s.Warnings[name] = annotations(stack, "aws:cdk:warning")
	}
	if s.Encrypted, err = templateOf(newEncrypted(build)); err != nil {
		return err
	}
	if s.Twice, err = templateOf(newTwice(build)); err != nil {
		return err
	}
	if s.Tenancy, err = templateOf(newTenancy(newApp(""), tenantSettings(), build)); err != nil {
		return err
	}
	if s.TenancyNet, err = templateOf(newTenancy(newApp(""), fullTenantSettings(), build)); err != nil {
		return err
	}
	if s.Findings, err = nag(build, filepath.Join(dir, "nag")); err != nil {
		return err
	}
	var found []finding
	if s.Environments, found, err = newEnvironments(dir, build); err != nil {
		return err
	}
	s.Findings = append(s.Findings, found...)
	if s.Refusals, err = refuse(dir, build); err != nil {
		return err
	}
	if s.Fleets, err = newFleets(); err != nil {
		return err
	}
	if err := addDeploymentGroups(s.Fleets, build); err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "synthesis.json"), b, 0o644)
}

// newApp makes an app; out is where it synthesises to, empty for a temporary
// directory.
func newApp(out string) awscdk.App {
	props := &awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)}
	if out != "" {
		props.Outdir = &out
	}
	return awscdk.NewApp(props)
}

func templateOf(stack awscdk.Stack) (template, error) {
	return newTemplate(*assertions.Template_FromStack(stack, nil).ToJSON())
}

// newHooks makes a hooks stack as the infra program does.
func newHooks(app awscdk.App, settings map[string]any, build string) awscdk.Stack {
	return awscdk.Stack_Of(hooks.NewStack(app, jsii.String(config.HooksName), nil, &constructs.DeploymentHooksProps{Configuration: &settings, Programs: &build}))
}

// newTenancy makes a hooks stack and a tenants stack, as the infra program does, and
// returns the latter.
func newTenancy(app awscdk.App, settings map[string]any, build string) awscdk.Stack {
	h := hooks.NewStack(app, jsii.String(config.HooksName), nil, &constructs.DeploymentHooksProps{Configuration: &settings, Programs: &build})
	return awscdk.Stack_Of(tenants.NewStack(app, jsii.String(config.TenantsName), nil, &constructs.TenantsProps{
		Configuration: &settings, Programs: &build, NoticeTopic: h.NoticeTopic, AlarmTopic: h.AlarmTopic,
	}))
}

// nag asks cdk-nag what it thinks, and reads its answer where the CDK's command
// line reads it: in the metadata of the cloud assembly.
func nag(build, out string) ([]finding, error) {
	app := newApp(out)
	newTenancy(app, tenantSettings(), build)
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(nil), nil)
	app.Synth(nil)
	var found []finding
	for _, stack := range []string{config.HooksName, config.TenantsName} {
		against, err := findingsOf(out, stack)
		if err != nil {
			return nil, err
		}
		found = append(found, against...)
	}
	return found, nil
}

// findingsOf are cdk-nag's against one stack of a cloud assembly.
func findingsOf(out, stack string) ([]finding, error) {
	b, err := os.ReadFile(filepath.Join(out, stack+".metadata.json"))
	if err != nil {
		return nil, err
	}
	var metadata map[string][]struct {
		Type string
		Data any
	}
	if err := json.Unmarshal(b, &metadata); err != nil {
		return nil, err
	}
	var found []finding
	for construct, entries := range metadata {
		for _, entry := range entries {
			text, ok := entry.Data.(string)
			if rule, _, cut := strings.Cut(text, ": "); ok && cut && strings.HasPrefix(rule, "AwsSolutions-") {
				found = append(found, finding{rule, strings.TrimPrefix(strings.TrimPrefix(construct, "/"+stack+"/"), "Default/")})
			}
		}
	}
	return found, nil
}

// writeProgram writes the smallest file that is a Linux program for a machine
// as far as its header goes. What it would do does not matter here.
func writeProgram(dir string, machine elf.Machine) error {
	header := elf.Header64{
		Ident:   [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:    uint16(elf.ET_EXEC),
		Machine: uint16(machine),
		Version: uint32(elf.EV_CURRENT),
		Ehsize:  64,
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, header); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "bootstrap"), b.Bytes(), 0o755)
}
