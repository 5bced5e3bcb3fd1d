package main

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestListNamesWhatOutlivesTheStacks(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	folder := fstest.MapFS{
		"manifest.json": file(`{"artifacts": {
			"shop": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "shop.template.json"}},
			"shop-hooks": {"type": "aws:cloudformation:stack", "properties": {"templateFile": "hooks.template.json"}},
			"shop.assets": {"type": "cdk:asset-manifest", "properties": {"file": "shop.assets.json"}}}}`),
		"shop.template.json": file(`{"Resources": {
			"Database1": {"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Snapshot"},
			"Bucket1": {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Metadata": {"aws:cdk:path": "shop/Bucket/Resource"}},
			"Hook":    {"Type": "AWS::AutoScaling::LifecycleHook", "DeletionPolicy": "Retain"},
			"Table1": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "RetainExceptOnCreate", "Metadata": {"aws:cdk:path": "shop/Table/Resource"}},
			"Queue1": {"Type": "AWS::SQS::Queue", "DeletionPolicy": "Delete"}, "Role1": {"Type": "AWS::IAM::Role"}}}`),
		"hooks.template.json": file(`{"Resources": {}}`),
		"old.template.json":   file(`{"Resources": {"Table": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain"}}}`), // of an earlier synthesis
	}
	var out strings.Builder
	if err := list(folder, &out); err != nil {
		t.Fatal(err)
	}
	want := `Deleting shop retains:
  a final snapshot of Database1 (AWS::RDS::DBInstance)
  shop/Bucket (AWS::S3::Bucket)
  shop/Table (AWS::DynamoDB::Table)
Deleting shop-hooks retains:
  nothing
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("who destroys the stacks loses data unwarned, or looks for what is gone (-want +got):\n%s", diff)
	}
	delete(folder, "shop.template.json")
	if err := list(folder, &out); err == nil {
		t.Error("a missing template retains nothing, as if everything were deleted")
	}
}
