package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"deployhooks/infra/environment/spec"
)

// withFault are the texts of a file's faults that begin as given.
func withFault(t *testing.T, file, begin string) (found []string) {
	t.Helper()
	for _, f := range faults(t, file) {
		if strings.HasPrefix(f.Text, begin) {
			found = append(found, f.Text)
		}
	}
	return found
}

func TestCertificateTakesTenNames(t *testing.T) {
	const certificate = "  certificateArn: arn:aws:acm:eu-central-1:123456789012:certificate/11111111-2222-3333-4444-555555555555\n"
	const services = "\nservices:\n"
	for below, want := range map[int]int{8: 0, 9: 1} { // besides the domain and its wildcard
		var hosts []string
		for i := range below {
			hosts = append(hosts, fmt.Sprintf("h%d.deep.staging.example.com", i))
		}
		more := ""
		for i, some := range slices.Collect(slices.Chunk(hosts, 5)) {
			more += fmt.Sprintf("  deep%d:\n    hosts: [%s]\n    zones: [a]\n    instanceType: t4g.small\n    minInstances: 1\n    maxInstances: 1\n", i, strings.Join(some, ", "))
		}
		file, _ := edited(t, certificate+services, services+more)
		got := withFault(t, file, fmt.Sprintf("domain: needs a certificate for 11 names, because %d hosts are two or more levels below staging.example.com, and ACM allows 10", below))
		if len(got) != want || len(faults(t, file)) != want {
			t.Errorf("%d hosts below the wildcard: got %v; ACM refuses the certificate after minutes, or a good environment is refused", below, faults(t, file))
		}
	}
}

// CloudFormation's limit is said before the CDK ends with a stack trace.
func TestStackTakes500Resources(t *testing.T) {
	for hosts, want := range map[int]int{4: 0, 5: 1} { // of one of 15 services more
		services := ""
		for i := range 15 {
			services += fmt.Sprintf("  more%d:\n    hosts: [m%[1]d.staging.example.com]\n    zones: [a]\n    instanceType: t4g.small\n    minInstances: 1\n    maxInstances: 1\n", i)
		}
		for i := range hosts - 1 {
			services = strings.Replace(services, "hosts: [", fmt.Sprintf("hosts: [x%d.staging.example.com, ", i), 1)
		}
		file, _ := edited(t, "services:\n", "services:\n"+services)
		got := withFault(t, file, "services: 17 services with their hosts make a stack of 499 resources and up to 2 policies more, and CloudFormation allows 500: move some to another environment")
		if len(got) != want || len(faults(t, file)) != want {
			t.Errorf("%d hosts: %v; CloudFormation refuses the stack, or a good environment is refused", hosts, faults(t, file))
		}
	}
}

// Those of every partition, one of which begins with four letters.
func TestRegionsOfEveryPartition(t *testing.T) {
	for _, region := range []string{"eu-central-1", "ap-southeast-7", "us-gov-west-1", "us-isob-east-1", "cn-north-1", "eusc-de-east-1"} {
		file, _ := edited(t, "region: eu-central-1", "region: "+region)
		if got := withFault(t, file, "region: "); len(got) > 0 {
			t.Errorf("nobody can deploy to %s: %v", region, got)
		}
	}
}

// Without a database, each setting of backups would have no effect.
func TestBackupsNeedADatabase(t *testing.T) {
	file, _ := edited(t, `database:
  name: shop
  version: "16.10"
  instanceClass: db.r7g.large
  storageGiB: 40
  maxStorageGiB: 200
  multiAZ: true
  maxConnections: 900
`, "")
	for _, key := range []string{"retentionDays", "fillFrom", "proofDays", "checks"} {
		if got := withFault(t, file, "backups."+key+": without a database it would have no effect"); len(got) != 1 {
			t.Errorf("whoever sets %s believes in backups that there are not: %v", key, faults(t, file))
		}
	}
}

// A wrong name is one fault, not more in settings that follow from it.
func TestWrongNameIsOneFault(t *testing.T) {
	for _, name := range []string{`""`, "Staging", "a*b", "5"} {
		file, _ := edited(t, "name: staging", "name: "+name)
		if all := faults(t, file); len(all) != 1 || !strings.HasPrefix(all[0].Text, "name: ") {
			t.Errorf("%s: people search for settings that they did not write: %v", name, all)
		}
	}
}

// A folder's name is none of Go's patterns.
func TestFolderMayHaveAnyName(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "shop [eu]*")
	if err := os.CopyFS(folder, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	if _, err := spec.Read(filepath.Join(folder, filepath.Base(everything))); err != nil {
		t.Errorf("the other environments of the folder are not found: %v", err)
	}
}

// Names that begin alike do no harm in different regions or accounts, or without a hyphen.
func TestNamesMayBeginAlike(t *testing.T) {
	for was, is := range map[string]string{
		"account: \"123456789012\"\nregion: eu-central-1": "account: \"123456789012\"\nregion: eu-west-1",
		"account: \"123456789012\"":                       "account: \"999999999999\"",
	} {
		file, _ := edited(t, "name: staging", "name: other-2")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), was, is, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := withFault(t, file, "name: "); len(got) > 0 {
			t.Errorf("%s: %v", is, got)
		}
	}
	file, _ := edited(t, "name: staging", "name: others")
	if got := withFault(t, file, "name: "); len(got) > 0 {
		t.Errorf("without a hyphen, nothing of the other's begins alike: %v", got)
	}
	file, _ = edited(t, "name: staging\naccount: \"123456789012\"", "name: other-2")
	if got := withFault(t, file, "name: other-2 begins with"); len(got) != 1 {
		t.Errorf("the account of the credentials may be the other's: %v", faults(t, file))
	}
}

// No more is asked of the limit of storage than RDS gives.
func TestFillFromTheLargestDatabaseThereIs(t *testing.T) {
	file, _ := edited(t, "maxStorageGiB: 200", "maxStorageGiB: 65536")
	other := "name: other\naccount: \"123456789012\"\nregion: eu-central-1\ndatabase: {maxStorageGiB: 65536}\n"
	if err := os.WriteFile(filepath.Join(filepath.Dir(file), "other.yaml"), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if all := faults(t, file); len(all) > 0 {
		t.Errorf("it can never be filled: %v", all)
	}
}
