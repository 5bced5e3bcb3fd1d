// Package bench measures what the design gives a budget to, beside a baseline
// in the same run. `make bench` runs it with -report, which adds the times and
// sizes; without, it only counts, and holds the counts to their budgets.
package bench

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"text/tabwriter"
)

// figure is one measurement. A budget or baseline of 0 means that there is
// none.
type figure struct {
	Name     string  `json:"name"`
	Value    float64 `json:"value"`
	Unit     string  `json:"unit"`
	Budget   float64 `json:"budget,omitempty"`
	Baseline float64 `json:"baseline,omitempty"`
}

var (
	reportFile = flag.String("report", "", "measure times and sizes too, and write all figures to this file")
	figures    []figure
)

func report(f ...figure) { figures = append(figures, f...) }

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if code == 0 && *reportFile != "" {
		if err := writeReport(*reportFile); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func writeReport(file string) error {
	if err := measureBuild(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(map[string][]figure{"figures": figures}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return err
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "figure\tmeasured\tbudget\tbaseline\t")
	for _, f := range figures {
		fmt.Fprintf(table, "%s\t%.4g %s\t%s\t%s\t\n", f.Name, f.Value, f.Unit, f.in(f.Budget), f.in(f.Baseline))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	printPeers()
	fmt.Printf(`
depth      calls that wait for one another, the store included
drain      instances leave at once, under the request rates that the simulated region knows: 1000 and 10000 of one
           target group; 400x100: 400 in 100 Auto Scaling groups with a target group each, retries: with the SDK's;
           command: each runs one of 20 to 60 s; shortHook: the hook times out before any instance has drained;
           idle: nothing is in flight, so that all of them may terminate at once; half ended: after as many others
calls      of a drain: all but heartbeats, which the hook's timeout decides, and the store included
baseline   for repair's calls: a function that others publish for the purpose, which keeps and checks nothing;
           for repair.failed: the better of the two functions that others publish, played beside;
           for drain's: a loop for each instance, as in the drainers that others publish;
           for the rest: an empty Go function, built and run in the same test
firstPoll  process start to the first request for work; with certificates, the system's CA file is loaded too
tenant     a launch of the shipped example. simulated: steps take what their kinds expect, a call of the registry
           5 ms, Step Functions and Lambda nothing; its baseline, as the critical path's, is the blueprint's graph.
           on this machine: a real PostgreSQL, the other services served here; the baseline of the launches
           a minute is the same SQL by hand in a loop. engine: the time beyond the critical path of what the
           kinds of steps themselves took
release    of so many instances over three zones, with a termination wait of 15 minutes: calls of both functions,
           their schedules included, until ten minutes after SUCCESS; then a scale-in by a quarter, and the requests
           that failed in both; the baseline is the same without the hooks
capacity   what a stage of growth needs, by the model of infra/capacity, in its largest region
warm       a reconcile of a group in order, against the simulated region on this machine
The same figures as JSON: %s
`, file)
	return nil
}

// in is a budget or baseline in the figure's unit, or a dash for none.
func (f figure) in(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.4g %s", v, f.Unit)
}

// peerRow is one scenario of [TestPeers], and the requests that were not answered
// in it: with nobody, with each peer, and with ours.
type peerRow struct {
	Name, About string
	Failed      [4]int
}

var peerTable []peerRow

func printPeers() {
	if len(peerTable) == 0 {
		return
	}
	fmt.Println("\nRequests that were not answered:")
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "scenario\tnobody\tdmt\tribeiroh\trepair\t")
	for _, r := range peerTable {
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%s\n", r.Name, r.Failed[0], r.Failed[1], r.Failed[2], r.Failed[3], r.About)
	}
	_ = table.Flush()
}
