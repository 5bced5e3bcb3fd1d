package infra

import (
	"context"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"deployhooks/infra/build"
	"deployhooks/infra/config"
	"deployhooks/infra/program"
)

// otherModule is a CDK application that imports the constructs.
const otherModule = `package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/jsii-runtime-go"

	"deployhooks/infra/constructs"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	stack := awscdk.NewStack(app, jsii.String("platform"), nil)
	constructs.NewDeploymentHooks(stack, jsii.String("Hooks"), nil)
	constructs.NewDrainHook(stack, jsii.String("Drain"), &constructs.DrainHookProps{
		AutoScalingGroup: awsautoscaling.AutoScalingGroup_FromAutoScalingGroupName(stack, jsii.String("Group"), jsii.String("web")),
	})
	app.Synth(nil)
}
`

// top is the module's top folder.
func top(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// write writes a file of a module under test.
func write(t *testing.T, folder, name, text string) {
	t.Helper()
	file := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run runs a program in a folder, and synthesises to out if it is a CDK
// application. Nothing is downloaded.
func run(t *testing.T, folder, out string, env map[string]string, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=mod", "GOWORK=off", "GORACE=exitcode=0", "CDK_VALIDATION=false", "CDK_OUTDIR="+out,
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=18,20,22,24")
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, said)
	}
}

// Another module requires this one by a replace directive, and gets both
// constructs, and programs that are built from the source.
func TestOtherModulesUseTheConstructs(t *testing.T) {
	t.Parallel()
	folder, out := t.TempDir(), t.TempDir()
	ours, err := os.ReadFile(filepath.Join(top(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(top(t), "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	theirs := regexp.MustCompile(`(?m)^(module|tool) .*$`).ReplaceAllString(string(ours), "")
	write(t, folder, "go.mod", "module platform\n"+theirs+"\nrequire deployhooks v0.0.0\n\nreplace deployhooks => "+top(t)+"\n")
	write(t, folder, "go.sum", string(sums))
	write(t, folder, "main.go", otherModule)
	run(t, folder, out, nil, "go", "run", ".")

	b, err := os.ReadFile(filepath.Join(out, "platform.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var made template
	if err := json.Unmarshal(b, &made); err != nil {
		t.Fatal(err)
	}
	if functions := made.of("AWS::Lambda::Function"); len(functions) != 2 {
		t.Errorf("the stack has %d functions, want repair and drain", len(functions))
	}
	if hooks := made.of("AWS::AutoScaling::LifecycleHook"); len(hooks) != 1 {
		t.Errorf("the stack has %d lifecycle hooks, want the drain's", len(hooks))
	}
	built := []string{"deployhooks/functions/drain", "deployhooks/functions/repair"}
	if got := programs(t, out); !slices.Equal(got, built) {
		t.Errorf("the programs that are deployed are %v, want %v", got, built)
	}
}

// programs are the packages of the programs that a cloud assembly deploys, which
// must be for arm64.
func programs(t *testing.T, assembly string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(assembly, "asset.*", "bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	var packages []string
	for _, file := range files {
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			t.Fatalf("%s, which is deployed, is no Go program: %v", file, err)
		}
		if machine := machineOf(t, file); machine != elf.EM_AARCH64 {
			t.Errorf("%s, which is deployed, is built for %v", file, machine)
		}
		packages = append(packages, info.Path)
	}
	slices.Sort(packages)
	return packages
}

func machineOf(t *testing.T, program string) elf.Machine {
	t.Helper()
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return f.Machine
}

// A program that is older than its source, or for another architecture, must not
// be deployed: the infra program builds before it synthesises.
func TestSynthesisBuildsTheSource(t *testing.T) {
	t.Parallel()
	folder, out := t.TempDir(), t.TempDir()
	newFunctions(t, folder, "first")
	for _, function := range []string{"repair", "drain"} {
		// The stack would take it: an old build is a program for arm64 as well.
		if err := writeProgram(filepath.Join(folder, "build", "arm64", function), elf.EM_AARCH64); err != nil {
			t.Fatal(err)
		}
	}
	run(t, folder, out, map[string]string{asInfra: "build"}, os.Args[0])
	if got, want := programs(t, out), []string{"deployhooks/functions/drain", "deployhooks/functions/repair"}; !slices.Equal(got, want) {
		t.Errorf("the programs that are deployed are %v, want those of the source, %v", got, want)
	}
}

// Who writes an environment or a blueprint reads what is wrong with it at once: before the
// functions are built, which takes minutes at first, and not the stack of a program in Go.
func TestSynthesisReportsFaultsFirst(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	newFunctions(t, folder, "first", "intake", "step", "deploymentgroup", "backup")
	write(t, folder, "functions/repair/main.go", "no Go program")
	write(t, folder, "blueprint/blueprint.yaml", "name: shop\nsteps:\n  - name: database\n    kind: postgress\n")
	write(t, folder, "infra/environment/production.yaml", "name: production\nregoin: eu-west-1\n")
	for scenario, tt := range map[string]struct{ context, want string }{
		"a blueprint":    {`{"deployhooks:blueprint":"blueprint"}`, "blueprint.yaml:4: steps[0] database.kind: there is no kind postgress: write postgres"},
		"an environment": {`{"deployhooks:environment":"production"}`, "infra/environment/production.yaml:2: regoin: unknown, so it would have no effect (it holds \"eu-west-1\"): write region"},
	} {
		cmd := exec.Command(os.Args[0])
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), asInfra+"=build", "CDK_OUTDIR="+t.TempDir(), "CDK_CONTEXT_JSON="+tt.context)
		said, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(said), tt.want) || strings.Contains(string(said), "build the functions") {
			t.Errorf("%s: %v: the fault is not reported, or late: %s", scenario, err, said)
		}
		if strings.Contains(string(said), "goroutine") {
			t.Errorf("%s: the fault is lost in a stack: %s", scenario, said)
		}
	}
}

// What the program reads before it builds anything refuses every kind of mistake, whatever
// else it finds out with Node running.
func TestFaultsOfTheContext(t *testing.T) {
	t.Parallel()
	for scenario, tt := range map[string]struct{ key, value, want string }{
		"an environment that is not one": {"environment", "prodution", `there is no environment "prodution"`},
		"an environment that is empty":   {"environment", "", "context key deployhooks:environment: got \"\": empty"},
		"a setting":                      {"logLevel", "loud", "context key deployhooks:logLevel"},
	} {
		_, err := program.Read(map[string]any{config.Prefix + tt.key: tt.value})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", scenario, err, tt.want)
		}
	}
}

// newFunctions writes a module of the name of ours with small functions: repair, drain and more.
func newFunctions(t *testing.T, folder, says string, more ...string) {
	t.Helper()
	write(t, folder, "go.mod", "module deployhooks\n\ngo 1.26\n")
	for _, function := range append(more, "repair", "drain") {
		write(t, folder, "functions/"+function+"/main.go", "package main\n\nfunc main() { println(\""+says+"\") }\n")
	}
}

func TestBuildFollowsTheSourceAndTheArchitecture(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	program := map[string]string{}
	for _, says := range []string{"first", "second", "first"} {
		newFunctions(t, folder, says)
		if err := build.Functions(context.Background(), "build", config.ARM64); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile("build/arm64/repair/bootstrap")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), says) {
			t.Errorf("the program does not say %q: it is older than its source", says)
		}
		if old := program[says]; old != "" && old != string(b) {
			t.Error("the same source gives other bytes: every deployment replaces the functions")
		}
		program[says] = string(b)
	}
	if err := build.Functions(context.Background(), "build", config.X86_64); err != nil {
		t.Fatal(err)
	}
	for architecture, want := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "x86_64": elf.EM_X86_64} {
		for _, function := range []string{"repair", "drain"} {
			if got := machineOf(t, filepath.Join("build", architecture, function, "bootstrap")); got != want {
				t.Errorf("%s for %s is built for %v", function, architecture, got)
			}
		}
	}
}

func TestBuildNamesWhatDoesNotCompile(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	newFunctions(t, folder, "first")
	write(t, folder, "functions/drain/main.go", "package main\n\nfunc main() { undefined() }\n")
	err := build.Functions(context.Background(), "build", config.ARM64)
	if err == nil || !strings.Contains(err.Error(), "for arm64") || !strings.Contains(err.Error(), "deployhooks/functions/drain") || !strings.Contains(err.Error(), "undefined: undefined") {
		t.Errorf("a function that does not compile is answered with %v", err)
	}
}
