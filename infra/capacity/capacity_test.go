package capacity

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the table in testdata and in the README")

// marker is above the table in the README.
const marker = "<!-- stages: kept true by a test in infra/capacity -->\n\n"

// TestTable holds that the table is what the model says, in testdata and, where it has one,
// in the README. `go test ./infra/capacity -update` renews both.
func TestTable(t *testing.T) {
	want := Table(Typical())
	golden, readme := filepath.Join("testdata", "stages.md"), filepath.Join("..", "..", "README.md")
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), marker)
	shown, after, _ := strings.Cut(rest, "\n\n")
	if *update {
		if err := os.WriteFile(golden, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		if found {
			if err := os.WriteFile(readme, []byte(before+marker+want+"\n"+after), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	got, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got), want); diff != "" {
		t.Errorf("the plan has changed; if that is meant, run `go test ./infra/capacity -update` (-testdata +model):\n%s", diff)
	}
	if diff := cmp.Diff(shown+"\n", want); found && diff != "" {
		t.Errorf("people plan with figures that the model does not have; run `go test ./infra/capacity -update` (-README +model):\n%s", diff)
	}
}

// TestAnyZoneMayFail holds that, for every load, the instances carry it at the group's target,
// and those outside the fullest zone at what the target comes to then; and that no fewer do.
func TestAnyZoneMayFail(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		work := rapid.Float64Range(0, 5000).Draw(rt, "instances at 100 %")
		n := instances(work)
		zones := make([]int, Zones)
		for i := range n {
			zones[i%Zones]++
		}
		carries := func(n, lost int) bool { return work <= float64(n)*TargetCPU && work <= float64(n-lost)*LossCPU }
		if !carries(n, slices.Max(zones)) || slices.Min(zones) == 0 {
			rt.Errorf("%d instances in zones of %v do not carry %.2f when one fails", n, zones, work)
		}
		if n > Zones && carries(n-1, (n-1+Zones-1)/Zones) {
			rt.Errorf("%d instances carry %.2f, and %d are paid for", n-1, work, n)
		}
	})
}

// TestMoreUsersNeedMore holds that no figure falls when users grow, and that the database of
// every stage exists.
func TestMoreUsersNeedMore(t *testing.T) {
	a := Typical()
	var last Plan
	for _, s := range Stages() {
		share := 0.0
		for n := range s.Regions {
			share += s.Regions[n]
		}
		p := s.Region(0, a)
		if math.Abs(share-1) > 1e-9 || s.Regions[0] != slices.Max(s.Regions) {
			t.Errorf("%s: shares %v are not all users, the largest first", s.Name, s.Regions)
		}
		if p.Database.Class == "" {
			t.Errorf("%s: no database class does %.0f requests a second over %d connections", s.Name, p.PeakPerSecond, p.Connections)
		}
		if p.PeakPerSecond < last.PeakPerSecond || p.VCPUs < last.VCPUs || p.Database.VCPUs < last.Database.VCPUs || p.StorageGB < last.StorageGB || p.Cost.Total() < last.Cost.Total() {
			t.Errorf("%s needs less than the stage before: %+v after %+v", s.Name, p, last)
		}
		last = p
	}
}

func TestFigures(t *testing.T) {
	for name, c := range map[string]struct{ got, want float64 }{
		"nothing sent":                   {sent(0), 0},
		"10 TB sent":                     {sent(10_240), 921.6},
		"a GB beyond":                    {sent(10_241), 921.685},
		"half of 6 is one zone of three": {float64(surviving(6)), 4},
		"7 over three zones":             {float64(surviving(7)), 4},
		"8 GiB of memory":                {float64(databaseFor(0, 0).Connections), 901},
		"no class is large enough":       {float64(databaseFor(1000, 0).VCPUs), 0},
	} {
		if math.Abs(c.got-c.want) > 1e-6 {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	for v, want := range map[float64]string{0: "0", 0.8765: "0.88", 9.96: "10", 12.4: "12", 1234: "1,200", 9_876_543: "9,900,000"} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
