package backup

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// an instance in a status, of a run; ours unless the run is empty.
func an(id, status, run string) *Instance {
	i := &Instance{ID: id, Status: status, Run: run, Resource: "of " + id, SecretReady: true}
	if run != "" {
		i.For = "db"
	}
	return i
}

func with(i *Instance, change func(*Instance)) *Instance {
	change(i)
	return i
}

// said is a step in a line.
func said(s Step) string {
	switch {
	case s.Fail != "":
		return "fail: " + s.Fail
	case s.Wait != "":
		return "wait: " + s.Wait
	case s.End:
		return "end"
	case s.Instance != nil:
		return strings.TrimSpace(string(s.Do) + " " + s.Instance.ID + " " + s.To)
	}
	return string(s.Do) + " " + s.ID
}

func TestPlan(t *testing.T) {
	const proof, fill, former = "deployhooks-proof-db", "deployhooks-fill-db", "deployhooks-former-db"
	proving, filling := Run{ID: "r", Action: Prove, Started: noon}, Run{ID: "r", Action: Fill, Started: noon, Former: "of db"}
	but := func(r Run, change func(*Run)) *Run { change(&r); return &r }
	settled := func(r *Run) { r.Settled = true }
	passed := func(r *Run) { r.Passed = []CheckResult{}; r.Settled = true }
	failed := func(r *Run) { r.Failure = "a reason" }
	old := an("db", "available", "")
	moved := with(an(former, "available", ""), func(i *Instance) { i.Resource = "of db" })
	kept := with(an("kept", "available", ""), func(i *Instance) { i.Resource = "of db" })
	stopped := with(an(former, "stopped", ""), func(i *Instance) { i.Resource = "of db" })
	accepted := func(r *Run) { r.Accepted = true }
	pending := func(i *Instance) { i.Pending = true }
	for name, c := range map[string]struct {
		run  *Run
		seen Observed
		want string
	}{
		"proof: nothing restored yet":                     {&proving, Observed{}, "restore " + proof},
		"proof: restored by an earlier run":               {&proving, Observed{Proof: an(proof, "available", "earlier")}, "delete " + proof},
		"proof: somebody else's instance":                 {&proving, Observed{Proof: an(proof, "available", "")}, "fail: the instance " + proof + " was not created by this function: it has no tag deployhooks:restored-for=db. Rename or delete it"},
		"proof: being restored":                           {&proving, Observed{Proof: an(proof, "creating", "r")}, "wait: " + proof + " is creating"},
		"proof: its secret is not ready":                  {but(proving, settled), Observed{Proof: with(an(proof, "available", "r"), func(i *Instance) { i.SecretReady = false })}, "wait: " + proof + " is available"},
		"proof: restored":                                 {&proving, Observed{Proof: with(an(proof, "available", "r"), func(i *Instance) { i.SecretReady = false })}, "settle " + proof},
		"proof: its password is managed":                  {but(proving, settled), Observed{Proof: an(proof, "available", "r")}, "verify " + proof},
		"proof: not restorable":                           {&proving, Observed{Proof: an(proof, "incompatible-network", "r")}, "fail: the restored instance " + proof + " is in status incompatible-network"},
		"proof: passed":                                   {but(proving, passed), Observed{Proof: an(proof, "available", "r")}, "delete " + proof},
		"proof: failed, protected":                        {but(proving, failed), Observed{Proof: with(an(proof, "failed", "r"), func(i *Instance) { i.Protected = true })}, "unprotect " + proof},
		"proof: failed, still being created":              {but(proving, failed), Observed{Proof: an(proof, "creating", "r")}, "wait: " + proof + " is creating, and is to be deleted"},
		"proof: nothing left":                             {but(proving, failed), Observed{}, "end"},
		"proof: too long":                                 {but(proving, func(r *Run) { r.Started = noon.Add(-9 * time.Hour) }), Observed{Proof: an(proof, "creating", "r")}, "fail: the run takes longer than 8h0m0s"},
		"fill: nothing restored yet":                      {&filling, Observed{Target: old, Replaced: old}, "restore " + fill},
		"fill: restored":                                  {&filling, Observed{Target: old, Replaced: old, Fill: an(fill, "available", "r")}, "settle " + fill},
		"fill: restored by an earlier run":                {but(filling, passed), Observed{Target: old, Replaced: old, Fill: an(fill, "available", "earlier")}, "delete " + fill},
		"fill: somebody else's instance":                  {&filling, Observed{Target: old, Replaced: old, Fill: an(fill, "available", "")}, "fail: there is an instance " + fill + " that this function has not made: it has no tag deployhooks:restored-for=db. Rename or delete it"},
		"fill: a proof's instance is left to the sweep":   {&filling, Observed{Target: old, Replaced: old, Proof: an(proof, "available", "")}, "restore " + fill},
		"proof: a fill's instance is left to the sweep":   {&proving, Observed{Fill: an(fill, "available", "")}, "restore " + proof},
		"fill: its password changes":                      {but(filling, passed), Observed{Target: old, Replaced: old, Fill: with(an(fill, "available", "r"), pending)}, "wait: " + fill + " is available"},
		"fill: settled":                                   {but(filling, settled), Observed{Target: old, Replaced: old, Fill: an(fill, "available", "r")}, "verify " + fill},
		"fill: checked":                                   {but(filling, passed), Observed{Target: old, Replaced: old, Fill: an(fill, "available", "r")}, "rename db " + former},
		"fill: the former one is about to be renamed":     {but(filling, passed), Observed{Target: old, Replaced: with(an("db", "available", ""), pending), Fill: an(fill, "available", "r")}, "wait: db is available"},
		"fill: the former one is renamed":                 {but(filling, passed), Observed{Former: moved, Replaced: moved, Fill: an(fill, "available", "r")}, "rename " + fill + " db"},
		"fill: the new one is gone":                       {but(filling, passed), Observed{Former: moved, Replaced: moved}, "fail: the restored instance " + fill + " does not exist any more"},
		"fill: swapped":                                   {but(filling, passed), Observed{Target: an("db", "available", "r"), Former: moved, Replaced: moved}, "verify db"},
		"fill: accepted":                                  {but(filling, accepted), Observed{Target: an("db", "available", "r"), Former: moved, Replaced: moved}, "delete " + former},
		"fill: accepted, and the former one deleted":      {but(filling, accepted), Observed{Target: an("db", "available", "r")}, "end"},
		"undo: nothing renamed":                           {but(filling, failed), Observed{Target: old, Replaced: old, Fill: an(fill, "available", "r")}, "delete " + fill},
		"undo: the former one is being renamed":           {but(filling, failed), Observed{Target: old, Replaced: with(an("db", "renaming", ""), pending), Fill: an(fill, "available", "r")}, "wait: db is being renamed"},
		"undo: the former one is renamed":                 {but(filling, failed), Observed{Former: moved, Replaced: moved, Fill: an(fill, "available", "r")}, "rename " + former + " db"},
		"undo: the new one is being renamed":              {but(filling, failed), Observed{Former: moved, Replaced: moved, Fill: with(an(fill, "renaming", "r"), pending)}, "wait: " + fill + " is being renamed"},
		"undo: swapped":                                   {but(filling, failed), Observed{Target: an("db", "available", "r"), Former: moved, Replaced: moved}, "rename db " + fill},
		"undo: the former one is gone":                    {but(filling, failed), Observed{Fill: an(fill, "available", "r")}, "rename " + fill + " db"},
		"undo: the former one is gone after the swap":     {but(filling, failed), Observed{Target: an("db", "available", "r")}, "end"},
		"no run: nothing left":                            {nil, Observed{Target: old}, "end"},
		"no run: a former one under its own name":         {nil, Observed{Former: moved}, "rename " + former + " db"},
		"no run: a restored one":                          {nil, Observed{Target: old, Fill: an(fill, "available", "earlier")}, "delete " + fill},
		"no run: a restored one is all that there is":     {nil, Observed{Fill: an(fill, "available", "earlier")}, "fail: there is no DB instance db, only " + fill + ", which a fill has restored: rename it, or delete it"},
		"no run: a filled environment and its former one": {nil, Observed{Target: an("db", "available", "earlier"), Former: moved}, "fail: there is a DB instance " + former + ", of an earlier fill, beside db: keep what is needed of it, and delete it"},
		"proof: failed on somebody else's instance":       {but(proving, failed), Observed{Proof: an(proof, "available", "")}, "end"},
		"fill: the former one is renamed by somebody":     {but(filling, passed), Observed{Replaced: kept, Fill: an(fill, "available", "r")}, "fail: the former instance was renamed to kept by somebody"},
		"fill: accepted, and the former one kept":         {but(filling, accepted), Observed{Target: an("db", "available", "r"), Replaced: kept}, "end"},
		"fill: accepted, and then deleted by somebody":    {but(filling, accepted), Observed{Former: moved, Replaced: moved}, "fail: the new instance db does not exist any more, and " + former + " is kept, which has the former data: rename it to db, or delete it"},
		"undo: the former one is stopped":                 {but(filling, failed), Observed{Former: moved, Replaced: stopped, Fill: an(fill, "available", "r")}, "fail: " + former + " is stopped, and cannot be renamed to db"},
		"undo: nothing but somebody else's":               {but(filling, failed), Observed{Fill: an(fill, "available", "")}, "end"},
		"undo: somebody else's instance":                  {but(filling, failed), Observed{Target: old, Replaced: old, Fill: an(fill, "available", "")}, "end"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := said(Plan(Config{Instance: "db"}, c.run, c.seen, noon)); got != c.want {
				t.Errorf("plans %q, not %q", got, c.want)
			}
		})
	}
}

func TestBlocked(t *testing.T) {
	cfg := Config{Instance: "db", FillFrom: "source"}
	text := func(s string) *string { return &s }
	there := func(change func(*types.DBInstance)) *Instance {
		i := an("db", "available", "")
		i.settings = types.DBInstance{Engine: text("postgres"), EngineVersion: text("17.6"), MasterUsername: text("app"), StorageEncrypted: new(bool)}
		change(&i.settings)
		return i
	}
	snapshot := &Snapshot{ID: "s", Engine: "postgres", Version: "17.2", User: "app"}
	keep := func(*types.DBInstance) {}
	for name, c := range map[string]struct {
		seen Observed
		part string
	}{
		"nothing in the way":    {Observed{Target: there(keep), Source: snapshot}, ""},
		"read replicas":         {Observed{Target: there(func(d *types.DBInstance) { d.ReadReplicaDBInstanceIdentifiers = []string{"r"} }), Source: snapshot}, "read replicas"},
		"a password of RDS's":   {Observed{Target: there(func(d *types.DBInstance) { d.MasterUserSecret = &types.MasterUserSecret{} }), Source: snapshot}, "RDS manages the master password"},
		"no instance":           {Observed{Source: snapshot}, "there is no DB instance db"},
		"another engine":        {Observed{Target: there(func(d *types.DBInstance) { d.Engine = text("mysql") }), Source: snapshot}, "the same engine and major version"},
		"too little storage":    {Observed{Target: there(func(d *types.DBInstance) { d.MaxAllocatedStorage = aws.Int32(100) }), Source: &Snapshot{ID: "s", Engine: "postgres", Version: "17.2", User: "app", Storage: 95}}, "raise maxStorageGiB"},
		"no snapshot":           {Observed{Target: there(keep)}, "no snapshot of source"},
		"an earlier former one": {Observed{Target: there(keep), Source: snapshot, Former: an("deployhooks-former-db", "available", "")}, "of an earlier fill"},
	} {
		if got := Blocked(cfg, Fill, c.seen); (got == "") != (c.part == "") || !strings.Contains(got, c.part) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
