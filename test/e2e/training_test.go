package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the run does not prove is known: types that are not made are those of the README.
func TestREADMEListsTheTypesThatAreNotMade(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "<!-- types in the local cloud: kept true by a test in test/e2e -->\n\n")
	table, _, ends := strings.Cut(rest, "\n\n")
	if !found || !ends {
		t.Fatal("the README does not list the types of an environment that the local cloud does not know")
	}
	rows := strings.Split(table, "\n")[2:]
	var listed [][]string
	for _, row := range rows {
		var types []string
		for _, match := range regexp.MustCompile("`(AWS::[A-Za-z0-9:]+)`").FindAllStringSubmatch(row, -1) {
			types = append(types, match[1])
		}
		listed = append(listed, types)
	}
	if diff := cmp.Diff([][]string{acceptedTypes(), regionTypes()}, listed); diff != "" {
		t.Errorf("people take for proven what is not (-run +README):\n%s", diff)
	}
}
