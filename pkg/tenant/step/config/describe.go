package config

import (
	"encoding/json"
	"time"

	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Prefix    string            `json:"prefix" required:"true" doc:"Prefix of the files in the tenants' bucket, with the tenant's name as one of its folders."`
	Templates string            `json:"templates" required:"true" doc:"Folder of templates in the syntax of Go's text/template. A value is quoted by the ending of the file: .yml and .yaml, .conf (nginx), .sh, .json."`
	Values    map[string]string `json:"values" doc:"Values that the templates read as .values.<name>, such as outputs of other steps."`
}

// Description of the kind.
func Description() step.Description {
	return step.Description{
		Name:       "config",
		Summary:    "Renders configuration files from the spec, every value quoted for the file's format, and keeps them in the tenants' bucket for the instance to read.",
		Class:      step.Storage,
		Parameters: func() any { return new(Parameters) },
		Files:      []string{"templates"},
		Outputs: []step.Output{
			{Name: "address", Doc: "Where the files are, such as s3://bucket/acme/config/."},
			{Name: "files", Doc: "Keys of the files in the bucket, one a line."},
		},
		Permissions: func(json.RawMessage) []step.Permission {
			return []step.Permission{{Actions: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, Resources: []string{"{bucket}/*"}}, {Actions: []string{"s3:ListBucket"}, Resources: []string{"{bucket}"}}}
		},
		Policy: step.Policy{TimeLimit: time.Minute, Expected: time.Second},
	}
}
