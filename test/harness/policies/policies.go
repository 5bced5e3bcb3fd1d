// Package policies holds the policies of the functions' roles as the stack in infra
// makes them. The test of infra writes them here, and the scenarios have the region
// enforce them.
package policies

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"

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
