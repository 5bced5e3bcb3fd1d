package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"deployhooks/infra/config"
	"deployhooks/test/region"
)

// finding is what cfn-lint has against a template.
type finding struct {
	Filename string
	Message  string
	Rule     struct{ ID string }
	Location struct{ Path []any }
}

// accepted are findings that are no faults of the templates, each with the reason.
type accepted struct{ rule, resource, message, why string }

func acceptedFindings() []accepted {
	return []accepted{
		{"W3005", "", "dependency already enforced by", "the CDK writes dependencies that CloudFormation would find"},
		{"E3601", "", "'arn:${Partition}:states:::lambda:invoke", "cfn-lint reads state machines without their substitutions; asl-validator reads them in package test/tenant"},
		{"E1101", "", "sequence item", "cfn-lint fails where it would report E3601"},
		{"W3010", "Vpc", "Avoid hardcoding availability zones", "an environment file names its zones, so that a synthesis asks AWS nothing"},
		{"E3002", "Dashboard", "Additional properties are not allowed ('Tags' was unexpected)", "dashboards have tags, which cfn-lint 1.51.0 does not know"},
	}
}

// lint has cfn-lint read every stack in every configuration that the tests of the
// templates know, and the two that are deployed here. It knows CloudFormation's
// schemas, which actions IAM has, and which properties exclude each other.
func (c *cloud) lint(ctx context.Context) (string, error) {
	folder := filepath.Join(c.w.tmp, "templates")
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	for _, stack := range []string{config.HooksName, config.TenantsName} {
		b, err := os.ReadFile(filepath.Join(c.assembly(hooksAssembly), stack+".template.json"))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(folder, stack+".template.json"), b, 0o644); err != nil {
			return "", err
		}
	}
	if _, err := c.w.run(ctx, "cfn-lint", nil, "go", "test", "-vet=off", "-run", "^$", "./test/infra", "-args", "-templates", folder); err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.template.json"))
	if err != nil {
		return "", err
	}
	report := filepath.Join(c.w.tmp, "cfn-lint.json")
	args := []string{"--format", "json", "--output-file", report, "--non-zero-exit-code", "none", "--regions", region.Name, "us-east-1", "--"}
	if _, err := c.w.run(ctx, "cfn-lint", nil, c.w.tool("cfn-lint"), append(args, files...)...); err != nil {
		return "", err
	}
	b, err := os.ReadFile(report)
	if err != nil {
		return "", err
	}
	var findings []finding
	if err := json.Unmarshal(b, &findings); err != nil {
		return "", fmt.Errorf("cfn-lint reports %q: %w", b, err)
	}
	return fmt.Sprintf("%d templates, nothing found", len(files)), unaccepted(findings)
}

// unaccepted is an error with the findings that nobody has accepted, and the accepted
// ones that there are none of.
func unaccepted(findings []finding) error {
	var faults []string
	unused := acceptedFindings()
	for _, f := range findings {
		is := func(a accepted) bool {
			return f.Rule.ID == a.rule && strings.Contains(fmt.Sprint(f.Location.Path), a.resource) && strings.Contains(f.Message, a.message)
		}
		if !slices.ContainsFunc(acceptedFindings(), is) {
			faults = append(faults, fmt.Sprintf("%s: %v: %s %s", filepath.Base(f.Filename), f.Location.Path, f.Rule.ID, f.Message))
		}
		unused = slices.DeleteFunc(unused, is)
	}
	for _, a := range unused {
		faults = append(faults, fmt.Sprintf("%s %q is accepted and not found any more", a.rule, a.message))
	}
	if len(faults) > 0 {
		return fmt.Errorf("cfn-lint finds:\n%s", strings.Join(faults, "\n"))
	}
	return nil
}
