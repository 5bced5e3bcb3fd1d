package infra

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// synthesiseForStackSets runs the infra program as make publish does.
func synthesiseForStackSets(t *testing.T) (out string, made template) {
	t.Helper()
	folder, out := t.TempDir(), t.TempDir()
	newFunctions(t, folder, "first")
	run(t, folder, out, map[string]string{asInfra: "build", "CDK_CONTEXT_JSON": `{"deployhooks:assetBucket":"acme-deployhooks"}`}, os.Args[0])
	b, err := os.ReadFile(filepath.Join(out, "deployhooks.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"ootstrap-version", "BootstrapVersion", "hnb659fds", "cdk-"} {
		if strings.Contains(string(b), word) {
			t.Errorf("the template has %q: it needs the CDK's bootstrap in every account", word)
		}
	}
	if err := json.Unmarshal(b, &made); err != nil {
		t.Fatal(err)
	}
	return out, made
}

// A template for StackSets is deployed to accounts and regions that have no bootstrap.
func TestTemplateForStackSetsReadsWhatIsPublished(t *testing.T) {
	t.Parallel()
	out, made := synthesiseForStackSets(t)
	b, err := os.ReadFile(filepath.Join(out, "deployhooks.assets.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Files map[string]struct {
			Destinations map[string]struct{ BucketName, ObjectKey string }
		}
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		t.Fatal(err)
	}
	published := map[string]bool{}
	for _, file := range manifest.Files {
		for _, d := range file.Destinations {
			published[d.BucketName+"/"+d.ObjectKey] = true
		}
	}
	functions := made.of("AWS::Lambda::Function")
	for id, f := range functions {
		bucket, _ := at(f.Properties["Code"], "S3Bucket", "Fn::Sub").(string)
		key, _ := at(f.Properties["Code"], "S3Key").(string)
		if bucket != "acme-deployhooks-${AWS::Region}" || !published[bucket+"/"+key] {
			t.Errorf("%s reads its program from %q/%q, where make publish puts none", id, bucket, key)
		}
	}
	if len(functions) != 2 {
		t.Errorf("the template has %d functions, want 2", len(functions))
	}
}

// Programs stay in the CDK's own bucket unless somebody asks for another.
func TestTemplatesUseTheBootstrapUnlessAsked(t *testing.T) {
	t.Parallel()
	for id, f := range plain.of("AWS::Lambda::Function") {
		if bucket := words(at(f.Properties["Code"], "S3Bucket")); !strings.Contains(bucket, "cdk-") {
			t.Errorf("%s reads its program from %s", id, bucket)
		}
	}
}
