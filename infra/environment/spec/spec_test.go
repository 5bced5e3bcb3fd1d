package spec_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"deployhooks/infra/environment/spec"
)

const everything = "testdata/everything.yaml"

func TestReadTakesEveryKey(t *testing.T) {
	got, err := spec.Read(everything)
	if err != nil {
		t.Fatal(err)
	}
	want := &spec.Environment{
		Name: "staging", Account: "123456789012", Region: "eu-central-1",
		Network: spec.Network{CIDR: "10.30.0.0/20", Zones: []string{"a", "b", "c"}, NATGateways: 2},
		Domain: spec.Domain{
			Name: "staging.example.com", HostedZoneID: "Z0STAGING0EXAMPLE",
			CertificateARN: "arn:aws:acm:eu-central-1:123456789012:certificate/11111111-2222-3333-4444-555555555555",
		},
		Services: map[string]spec.Service{
			"web": {
				Hosts: []string{"staging.example.com", "www.staging.example.com"}, Zones: []string{"a", "b", "c"}, Port: 3000, HealthCheckPath: "/healthy",
				InstanceType: "c7i.large", Image: "/images/web-x86_64", MinInstances: 2, MaxInstances: 6, TargetCPUPercent: 40,
				DeregistrationDelaySeconds: 120, TerminationWaitMinutes: 10,
			},
			"search-api": {
				Hosts: []string{"search.staging.example.com"}, Zones: []string{"b", "c"}, Port: 8080, HealthCheckPath: "/",
				InstanceType: "t4g.medium", Image: "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
				MinInstances: 1, MaxInstances: 2, TargetCPUPercent: 50, DeregistrationDelaySeconds: 60, TerminationWaitMinutes: 60,
			},
		},
		Database: &spec.Database{Name: "shop", Version: "16.10", InstanceClass: "db.r7g.large", StorageGiB: 40, MaxStorageGiB: 200, MultiAZ: true, MaxConnections: 900},
		Backups: spec.Backups{RetentionDays: 14, FillFrom: "other", ProofDays: 2, Checks: []spec.Check{
			{Table: "public.orders", MinRows: 1000, NewestColumn: "created_at", MaxAgeHours: 48}, {Table: "public.customers", MinRows: 1},
		}},
		Logs: spec.Logs{RetentionDays: 60},
		Hooks: map[string]any{
			"notifyEmails": []any{"ops@example.com"}, "repairSweepMinutes": 10, "logLevel": "DEBUG",
			"centralEventBus": "arn:aws:events:eu-central-1:210987654321:event-bus/deployhooks",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the environment is not what its file says (-want +got):\n%s", diff)
	}
}

// The environments that the project has are valid, and can be found by their names.
func TestEveryShippedEnvironmentIsValid(t *testing.T) {
	t.Chdir("../../..")
	for _, name := range []string{"training", "production"} {
		e, err := spec.Read(name)
		if err != nil {
			t.Errorf("nobody can deploy %s: %v", name, err)
			continue
		}
		if e.Name != name {
			t.Errorf("%s is named %s", name, e.Name)
		}
	}
	files, err := filepath.Glob(spec.Folder + "/*.yaml")
	if err != nil || len(files) != 2 {
		t.Errorf("the environments are %v (%v): have this test read each", files, err)
	}
}

func TestProductionSurvivesTheLossOfAZone(t *testing.T) {
	e, err := spec.Read("../production.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range e.Services {
		if len(s.Zones) < 3 || s.MinInstances < len(s.Zones) || s.MaxInstances <= s.MinInstances {
			t.Errorf("%s has %d to %d instances over %d zones: the loss of one takes it down, or overloads what is left", name, s.MinInstances, s.MaxInstances, len(s.Zones))
		}
	}
	if !e.Database.MultiAZ || e.Network.NATGateways != len(e.Network.Zones) || !e.Protected {
		t.Error("the loss of a zone takes the database, or the way to the internet, or a mistake deletes it all")
	}
}

func TestEnvironmentThatIsNotThereNamesThoseThatAre(t *testing.T) {
	t.Chdir("../../..")
	for name, want := range map[string]string{"prodution": "write production", "qa": "there are production, training", "elsewhere/qa.yaml": "the folder has none"} {
		if _, err := spec.Read(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q: people search for the right name", name, err, want)
		}
	}
}

// The hooks of an environment are scoped to it, and the CDK's context goes before the file.
func TestConfigurationIsScopedToTheEnvironment(t *testing.T) {
	e, err := spec.Read(everything)
	if err != nil {
		t.Fatal(err)
	}
	got := e.Configuration(map[string]any{"deployhooks:environment": "staging", "deployhooks:logLevel": "WARN", "deployhooks:repairTag": "a=b", "other": 1})
	want := map[string]any{
		"deployhooks:repairTag": "a=b", "deployhooks:drainTag": "deployhooks:environment=staging",
		"deployhooks:notifyEmails": []any{"ops@example.com"}, "deployhooks:repairSweepMinutes": 10, "deployhooks:logLevel": "WARN",
		"deployhooks:centralEventBus": "arn:aws:events:eu-central-1:210987654321:event-bus/deployhooks",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hooks of one environment would act on another, or a setting is lost (-want +got):\n%s", diff)
	}
}

// edited is a copy of the folder of test environments, with a text of one replaced. It
// returns the line of the text.
func edited(t *testing.T, old, replacement string) (file string, line int) {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(folder, filepath.Base(everything))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(text), old)
	if !found {
		t.Fatalf("%q is not in %s", old, everything)
	}
	if err := os.WriteFile(file, []byte(before+replacement+after), 0o644); err != nil {
		t.Fatal(err)
	}
	return file, strings.Count(before, "\n") + 1
}

// faults are those of a file.
func faults(t *testing.T, file string) spec.Faults {
	t.Helper()
	_, err := spec.Read(file)
	var all spec.Faults
	if err != nil && !errors.As(err, &all) {
		t.Fatal(err)
	}
	return all
}
