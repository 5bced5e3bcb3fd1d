package infra

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"deployhooks/infra/config"
	"deployhooks/infra/environment/spec"
	"deployhooks/infra/program"
)

// environment returns the template of a stack of an environment: -hooks, -tenants, or
// nothing for that of the environment itself.
func environment(name, kind string) template {
	t, ok := environments[name+kind]
	if !ok {
		panic("no stack " + name + kind)
	}
	return t
}

const environmentFolder = "../../" + spec.Folder

// newEnvironments synthesises the environments as the infra program does: those that are
// shipped, one with every key and tenants, and production after what an operator may
// change at any time.
func newEnvironments(dir, build string) (map[string]template, []finding, error) {
	changed, err := changedProduction(dir)
	if err != nil {
		return nil, nil, err
	}
	made := map[string]template{}
	var found []finding
	for name, v := range map[string]struct {
		file     string
		settings map[string]any
		nag      bool
	}{
		"training":   {filepath.Join(environmentFolder, "training.yaml"), nil, false},
		"production": {filepath.Join(environmentFolder, "production.yaml"), nil, true},
		"staging":    {"../../infra/environment/spec/testdata/everything.yaml", tenantSettings(), false},
		"changed":    {changed, nil, false},
	} {
		given := map[string]any{config.Prefix + config.EnvironmentKey: v.file}
		for key, value := range v.settings {
			given[key] = value
		}
		deployment, err := program.Read(given)
		if err != nil {
			return nil, nil, err
		}
		out := filepath.Join(dir, "environment-"+name)
		app := newApp(out)
		deployment.AddStacks(app, build)
		if v.nag {
			awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(nil), nil)
		}
		app.Synth(nil)
		if err := checkProtection(out, name == "production" || name == "changed"); err != nil {
			return nil, nil, err
		}
		if err := readEnvironment(made, name, out); err != nil {
			return nil, nil, err
		}
		if v.nag {
			stack := config.EnvironmentStack(name)
			against, err := findingsOf(out, stack)
			if err != nil {
				return nil, nil, err
			}
			for _, f := range against {
				found = append(found, finding{f.Rule, name + "/" + f.Resource})
			}
		}
	}
	return made, found, nil
}

// checkProtection holds that all stacks of an environment are protected from a destroy, or
// none: with some, a destroy that is refused has deleted the others.
func checkProtection(out string, want bool) error {
	b, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil {
		return err
	}
	var manifest struct {
		Artifacts map[string]struct {
			Type       string
			Properties struct{ TerminationProtection bool }
		}
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		return err
	}
	for name, a := range manifest.Artifacts {
		if a.Type == "aws:cloudformation:stack" && a.Properties.TerminationProtection != want {
			return fmt.Errorf("the protection of stack %s is %v, want %v", name, a.Properties.TerminationProtection, want)
		}
	}
	return nil
}

// readEnvironment reads the templates of a cloud assembly.
func readEnvironment(made map[string]template, name, out string) error {
	files, err := filepath.Glob(filepath.Join(out, "*.template.json"))
	if err != nil || len(files) < 2 {
		return fmt.Errorf("read the stacks of %s: %v %w", name, files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		// The place is written as in stacks that can be anywhere, so that the same tests read
		// them. Tools get the template as it is.
		anywhere := regexp.MustCompile(`(:)(eu-west-1|eu-central-1)(:|")`).ReplaceAll(b, []byte("${1}<Region>${3}"))
		t, err := readTemplate(bytes.ReplaceAll(anywhere, []byte("123456789012"), []byte("<AccountId>")))
		if err != nil {
			return err
		}
		t.Whole = b
		stack := strings.TrimSuffix(filepath.Base(file), ".template.json")
		kind := ""
		for _, k := range []string{"-hooks", "-tenants"} {
			if strings.HasSuffix(stack, k) {
				kind = k
			}
		}
		made[name+kind] = t
	}
	return nil
}

// changedProduction is production's file after ordinary changes.
func changedProduction(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(environmentFolder, "production.yaml"))
	if err != nil {
		return "", err
	}
	all := string(text)
	for old, replacement := range map[string]string{
		"minInstances: 3":                "minInstances: 6",
		"maxInstances: 12":               "maxInstances: 40",
		"targetCpuPercent: 50":           "targetCpuPercent: 40",
		"m7g.large\n":                    "m8g.xlarge\n",
		"deregistrationDelaySeconds: 60": "deregistrationDelaySeconds: 300",
		"terminationWaitMinutes: 60":     "terminationWaitMinutes: 5\n    healthCheckPath: /ready\n    image: /images/web-arm64",
		"[example.com, www.example.com]": "[example.com, www.example.com, shop.example.com]",
		"retentionDays: 90":              "retentionDays: 120",
		"storageGiB: 100\n":              "storageGiB: 200\n",
		"services:\n":                    "services:\n  search:\n    hosts: [search.example.com]\n    zones: [a, b]\n    instanceType: t4g.small\n    minInstances: 2\n    maxInstances: 4\n",
		"hostedZoneId":                   "certificateArn: arn:aws:acm:eu-west-1:123456789012:certificate/0\n  hostedZoneId",
	} {
		if !strings.Contains(all, old) {
			return "", errors.New("production.yaml does not have " + old)
		}
		all = strings.Replace(all, old, replacement, 1)
	}
	file := filepath.Join(dir, "changed.yaml")
	return file, os.WriteFile(file, []byte(all), 0o644)
}
