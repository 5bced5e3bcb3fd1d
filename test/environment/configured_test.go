package environment

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"deployhooks/infra/capacity"
	"deployhooks/test/region"
)

// TestProductionIsConfiguredAsItIsPlayed compares the scenarios' production with its
// environment file.
func TestProductionIsConfiguredAsItIsPlayed(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "infra", "environment", "production.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Network  struct{ Zones []string }
		Services map[string]struct {
			MinInstances               int `yaml:"minInstances"`
			TargetCPUPercent           int `yaml:"targetCpuPercent"`
			DeregistrationDelaySeconds int `yaml:"deregistrationDelaySeconds"`
			TerminationWaitMinutes     int `yaml:"terminationWaitMinutes"`
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	played := production()
	var zones []string
	for _, letter := range file.Network.Zones {
		zones = append(zones, region.Name+letter)
	}
	if !slices.Equal(zones, played.zones) || len(zones) != capacity.Zones {
		t.Errorf("production is in zones %v, and what survives was shown in %v", zones, played.zones)
	}
	for name, s := range file.Services {
		delay, wait := time.Duration(s.DeregistrationDelaySeconds)*time.Second, time.Duration(s.TerminationWaitMinutes)*time.Minute
		if s.MinInstances < played.instances || delay != played.delay || wait != played.wait {
			t.Errorf("%s has at least %d instances, a deregistration delay of %s and a termination wait of %s, and what survives was shown with %+v", name, s.MinInstances, delay, wait, played)
		}
		if s.TargetCPUPercent != capacity.TargetCPU*100 {
			t.Errorf("%s is kept at %d %% CPU, and the plan of capacity says %.0f %%", name, s.TargetCPUPercent, capacity.TargetCPU*100)
		}
	}
}
