package config

import (
	"time"

	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/step"
)

// Parameters of the step.
type Parameters struct {
	Prefix    string            `json:"prefix" required:"true" doc:"Prefix of the files in the tenants' bucket, with the tenant's name as one of its folders."`
	Templates string            `json:"templates" required:"true" doc:"Folder of templates with {{ .values.name }} and {{ if .values.name }}…{{ else }}…{{ end }}. A value is quoted for the format, which the ending of the file names: .yml or .yaml, .json, .conf (nginx) or .sh. {{ bool .values.name }} and {{ integer .values.name }} write a value without quotes."`
	Values    map[string]string `json:"values" doc:"Values that the templates read as .values.name."`
}

// Description of the kind.
func Description() step.Description {
	return step.Description{
		Name:       "config",
		Summary:    "Renders configuration files, every value quoted for the file's format, and keeps them in the tenants' bucket for the instance to read.",
		Class:      step.Storage,
		Parameters: func() any { return new(Parameters) },
		Files:      []string{"templates"},
		Outputs: []step.Output{
			{Name: "address", Doc: "Where the files are, such as s3://bucket/acme/config/."},
			{Name: "files", Doc: "Keys of the files in the bucket, one a line."},
		},
		Permissions: bucket.Permissions,
		Policy:      step.Policy{TimeLimit: time.Minute, Expected: time.Second},
	}
}
