package s3prefix

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/step"
)

// Kind is the kind of step.
type Kind struct{ bucket bucket.Bucket }

// New returns the kind, for the tenants' bucket.
func New(b bucket.Bucket) *Kind { return &Kind{b} }

// Describe describes the kind.
func (*Kind) Describe() step.Description { return Description() }

// marker is the object that says that the first content is complete. It is written last: from then on
// the objects are the tenant's, and one that it deletes does not come back.
const marker = ".deployhooks-complete"

// Check looks for the marker.
func (k *Kind) Check(ctx context.Context, in step.Input) (step.State, error) {
	_, prefix, err := parameters(in)
	if err != nil {
		return "", err
	}
	_, found, err := k.bucket.Get(ctx, prefix+marker)
	if err != nil || !found {
		return step.Absent, err
	}
	return step.Present, nil
}

// Apply copies the first content, and never over an object that is there.
func (k *Kind) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	p, prefix, err := parameters(in)
	if err != nil {
		return nil, err
	}
	if was := in.Before["prefix"]; was != "" && was != prefix {
		return nil, step.Refuse(fmt.Errorf("the prefix of step %s was %s and would be %s", in.Step, was, prefix), "Keep the prefix: the tenant's objects are under it.")
	}
	policy, err := k.policy(prefix)
	if err != nil {
		return nil, err
	}
	outputs := step.Outputs{"bucket": k.bucket.Name, "prefix": prefix, "policy": policy}
	if _, done, err := k.bucket.Get(ctx, prefix+marker); err != nil || done {
		return outputs, err
	}
	if p.Content != "" {
		if err := k.fill(ctx, in.Files, p.Content, prefix); err != nil {
			return nil, err
		}
	}
	return outputs, k.bucket.Create(ctx, prefix+marker, []byte(in.Tenant+"\n"))
}

func (k *Kind) fill(ctx context.Context, files fs.FS, folder, prefix string) error {
	content, err := fs.Sub(files, path.Clean(folder))
	if err != nil {
		return step.Refuse(err, "Correct the folder in the blueprint.")
	}
	return fs.WalkDir(content, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return step.Refuse(fmt.Errorf("first content %s: %w", folder, err), "Correct the folder in the blueprint.")
		}
		if entry.IsDir() {
			return nil
		}
		body, err := fs.ReadFile(content, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		return k.bucket.Create(ctx, prefix+name, body)
	})
}

// Undo deletes everything under the prefix.
func (k *Kind) Undo(ctx context.Context, in step.Input) error {
	_, prefix, err := parameters(in)
	if err != nil {
		return err
	}
	return k.bucket.DeleteAll(ctx, prefix)
}

func parameters(in step.Input) (p Parameters, prefix string, err error) {
	if p, err = step.Parameters[Parameters](in); err != nil {
		return p, "", err
	}
	prefix, err = bucket.Prefix(in, p.Prefix)
	return p, prefix, err
}

// policy is the IAM policy for the role of the tenant's instance. A policy of a role, and not the
// bucket's, has no limit on the number of tenants: the bucket's would end at 20 KB
// ("Bucket policies", Amazon S3 User Guide).
func (k *Kind) policy(prefix string) (string, error) {
	// IAM reads *, ? and $ in an ARN as wildcards and variables.
	if strings.ContainsAny(prefix, "*?$") {
		return "", step.Refuse(fmt.Errorf("prefix %s has one of the characters * ? $", prefix), "Choose a prefix without them.")
	}
	type statement struct {
		Effect    string
		Action    []string
		Resource  string
		Condition map[string]map[string]string `json:",omitempty"`
	}
	arn := k.bucket.ARN
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []statement{
		{Effect: "Allow", Action: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}, Resource: arn + "/" + prefix + "*"},
		{Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: arn, Condition: map[string]map[string]string{"StringLike": {"s3:prefix": prefix + "*"}}},
	}})
	return string(text), err
}
