package infra

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// runbook are the rows of the README's tables of alarms, by what the first cell has in
// backticks. "…" stands for whatever comes before.
func runbook(t *testing.T) map[string][]string {
	t.Helper()
	const head = "| alarm | what it means | what to look at | what to run |\n| --- | --- | --- | --- |\n"
	rows := map[string][]string{}
	for i, rest := range strings.Split(readme(t), head) {
		table, _, _ := strings.Cut(rest, "\n\n")
		if i == 0 {
			continue // what is before the first table
		}
		for _, row := range strings.Split(table, "\n") {
			cells := strings.Split(strings.Trim(row, "|"), " | ")
			for _, alarm := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[0], -1) {
				if rows[alarm[1]] != nil {
					t.Errorf("the README has two rows for %s", alarm[1])
				}
				rows[alarm[1]] = cells
			}
		}
	}
	if len(rows) == 0 {
		t.Fatalf("the README has no runbook: a table with the head %s", head)
	}
	return rows
}

// Whoever is called by an alarm finds one row for it, with what it means, what to look
// at and what to run.
func TestEveryAlarmIsInTheRunbook(t *testing.T) {
	t.Parallel()
	rows := runbook(t)
	unused := maps.Clone(rows)
	for variant, template := range variants() {
		for id := range template.of("AWS::CloudWatch::Alarm") {
			var found []string
			for pattern := range rows {
				suffix, any := strings.CutPrefix(pattern, "…")
				if name(id) == pattern || any && strings.HasSuffix(name(id), suffix) {
					found = append(found, pattern)
					delete(unused, pattern)
				}
			}
			if len(found) != 1 {
				t.Errorf("%s: the README's runbook has %v for the alarm %s, want one row", variant, found, name(id))
			}
		}
	}
	for pattern := range unused {
		t.Errorf("the README's runbook has the alarm %s, and no stack has", pattern)
	}
	for pattern, cells := range rows {
		if len(cells) != 4 || slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "" }) {
			t.Errorf("the README's row of %s has an empty cell, or not four: %q", pattern, cells)
		}
		if !strings.Contains(cells[len(cells)-1], "`") {
			t.Errorf("the README's row of %s names nothing to run: %s", pattern, cells[len(cells)-1])
		}
	}
}

// The outputs that the README's commands read are those of a stack.
func TestREADMEReadsOutputsThatExist(t *testing.T) {
	t.Parallel()
	outputs := map[string]bool{}
	for _, template := range variants() {
		for output := range template.Outputs {
			outputs[output] = true
		}
	}
	read := regexp.MustCompile(`\$\(output (\w+)|OutputKey==.(\w+)`).FindAllStringSubmatch(readme(t), -1)
	if len(read) < 5 {
		t.Errorf("the README reads only %d outputs", len(read))
	}
	for _, match := range read {
		if output := match[1] + match[2]; !outputs[output] {
			t.Errorf("the README reads the output %s, which no stack has", output)
		}
	}
}
