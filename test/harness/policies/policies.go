// Package policies holds the policies of the functions' roles as the stack in infra
// makes them. The test of infra writes them here, and the scenarios have the region
// enforce them.
package policies

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"deployhooks/infra/permissions"
	"deployhooks/test/region"
)

//go:embed *.json
var files embed.FS

// Read is a function's policy with its intrinsic functions resolved: those of the
// region, and names such as "Notices" by what they stand for. It panics if one is
// left.
func Read(name string, names map[string]string) []byte {
	text, err := files.ReadFile(name + ".json")
	if err != nil {
		panic(fmt.Sprintf("policy: %v", err)) // a bug of the test
	}
	pairs := []string{"${AWS::Partition}", "aws", "${AWS::Region}", region.Name, "${AWS::AccountId}", region.Account}
	for name, value := range names {
		pairs = append(pairs, "${"+name+"}", value)
	}
	resolved := strings.NewReplacer(pairs...).Replace(string(text))
	if _, left, found := strings.Cut(resolved, "${"); found {
		panic("policy " + name + ": there is no value for ${" + strings.SplitAfter(left, "}")[0])
	}
	return []byte(resolved)
}

// Allow adds actions to the statement of that Sid.
func Allow(policy []byte, sid string, actions ...string) []byte {
	var document struct {
		Statement []map[string]any
		Version   string
	}
	if err := json.Unmarshal(policy, &document); err != nil {
		panic(fmt.Sprintf("policy: %v", err))
	}
	for _, s := range document.Statement {
		if s["Sid"] == sid {
			for _, a := range actions {
				s["Action"] = append(s["Action"].([]any), a)
			}
		}
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic(fmt.Sprintf("policy: %v", err))
	}
	return text
}

// Document is the policy of statements, as the constructs make it. Statements on what is
// not configured are left out.
func Document(statements []permissions.Statement) []byte {
	type statement struct {
		Sid, Effect      string
		Action, Resource []string
		Condition        map[string]map[string]string `json:",omitempty"`
	}
	document := struct {
		Version   string
		Statement []statement
	}{Version: "2012-10-17"}
	for _, p := range statements {
		if !slices.Equal(p.Resources, []string{""}) {
			document.Statement = append(document.Statement, statement{p.SID, "Allow", p.Actions, p.Resources, p.Condition})
		}
	}
	text, err := json.Marshal(document)
	if err != nil {
		panic(fmt.Sprintf("policy: %v", err)) // strings always have a JSON form
	}
	return text
}
