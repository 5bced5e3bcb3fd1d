package backup_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/pkg/backup"
	"deployhooks/test/region"
)

func TestProof(t *testing.T) {
	e := newEnvironment(t)
	if got := e.play(prove); got != "SUCCEEDED" {
		t.Fatalf("a good backup's proof %s: %q", got, e.notices())
	}
	r := e.record()
	if r.Proof == nil || r.Proof.Snapshot != "rds:"+training+"-1" || r.Proof.Seconds < 15*60 || len(r.Proof.Checks) != 1 || r.Proof.Checks[0].Rows != 10 || r.Run != nil {
		t.Errorf("recorded is %+v: nobody knows what was proven", r.Proof)
	}
	if left := e.left(); len(left) > 0 {
		t.Errorf("%v is left: it costs money, and has the environment's data", left)
	}
	if len(e.notices()) > 0 {
		t.Errorf("operators are notified of what is well: %q", e.notices())
	}
	if e.tls == nil || e.tls.InsecureSkipVerify || e.tls.RootCAs == nil || !strings.HasPrefix(e.tls.ServerName, proofOf+training+".") {
		t.Errorf("the password goes to whoever answers: %+v", e.tls)
	}
	if e.parameters["statement_timeout"] != "120000" {
		t.Errorf("a statement may take for ever: %v", e.parameters)
	}
	if log, err := os.ReadFile(filepath.Join(server.Dir, "log")); err != nil || !strings.Contains(string(log), "begin read only") {
		t.Errorf("the checks may write: %v", err)
	}
	if ages := e.values(backup.AgeOfProof); len(ages) == 0 || ages[len(ages)-1] != 0 {
		t.Errorf("the age of the proof is %v", ages)
	}
	if seconds := e.values(backup.ProofSeconds); len(seconds) != 1 || int(seconds[0]) != r.Proof.Seconds {
		t.Errorf("the proof took %v", seconds)
	}
}

// TestFailedProofs: whatever is wrong, operators get the reason, nothing is left behind, and
// the age of the last proof goes on growing.
func TestFailedProofs(t *testing.T) {
	holding := func(data string) func(*environment) {
		return func(e *environment) {
			e.AddDBSnapshot(region.DBSnapshot{ID: "rds:bad", Instance: training, Data: data, At: e.Now().Add(-time.Hour)})
		}
	}
	becoming := func(status string) func(*environment) {
		return func(e *environment) {
			e.AddDBSnapshot(region.DBSnapshot{ID: "rds:bad", Instance: training, Becomes: status, At: e.Now().Add(-time.Hour)})
		}
	}
	for name, c := range map[string]struct {
		change func(*environment)
		reason string
	}{
		"too few rows":     {holding("few"), "table public.orders has 1 rows, fewer than 10"},
		"stale newest row": {holding("stale"), "is 2024-02-01T02:00:00Z, more than 24 hours before the backup"},
		"table missing":    {holding("nothing"), "table public.orders is missing"},
		"column missing":   {holding("other"), "has no column Made At"},
		"a row of the future hides that no other is new": {holding("future"), "is 2024-02-01T02:00:00Z, more than 24 hours before the backup"},
		"only rows of the future":                        {holding("never"), "has no row with a Made At before the backup"},
		"column of texts":                                {holding("texts"), "has no column Made At of timestamps"},
		"a view":                                         {holding("view"), "table public.orders is missing"},
		"no such database":                               {holding("absent"), "has failed: connect to deployhooks-proof-training-db."},
		"tables of extensions only": {func(e *environment) {
			e.config.Checks = nil
			holding("brought")(e)
		}, "the database has no table"},
		"no table at all": {func(e *environment) {
			e.config.Checks = nil
			holding("nothing")(e)
		}, "the database has no table"},
		"only the first of two tables": {func(e *environment) {
			e.config.Checks = backup.Checks{{Table: "public.lost"}, {Table: "public.orders", MinRows: 12}}
		}, "table public.lost is missing"},
		"only the last of two tables": {func(e *environment) {
			e.config.Checks = backup.Checks{{Table: "public.orders", MinRows: 12}, {Table: "public.orders", MinRows: 13}}
		}, "has 12 rows, fewer than 13"},
		"snapshot missing":       {func(e *environment) { e.RemoveDBSnapshots(training) }, "there is no snapshot of training-db that is available"},
		"restore fails":          {becoming("incompatible-restore"), "is in status incompatible-restore"},
		"storage full":           {becoming("storage-full"), "is in status storage-full"},
		"restore denied":         {func(e *environment) { e.deny = "rds:RestoreDBInstanceFromDBSnapshot" }, "Allow rds:RestoreDBInstanceFromDBSnapshot to the function's role"},
		"secret denied":          {func(e *environment) { e.deny = "secretsmanager:GetSecretValue" }, "Allow secretsmanager:GetSecretValue"},
		"never available":        {becoming("modifying"), "takes longer than 8h"},
		"database never answers": {func(e *environment) { e.config.Database = "elsewhere" }, "does not answer for 30m"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnvironment(t, c.change)
			if name == "never available" { // until somebody sees to it
				e.After(9*time.Hour, func() { e.SetDBStatus(proofOf+training, "available") })
			}
			if got := e.play(prove); got != "FAILED" {
				t.Errorf("the proof has %s: a backup counts as proven that is not", got)
			}
			if all := e.notices(); len(all) != 1 || !strings.Contains(all[0], c.reason) {
				t.Errorf("operators get %q, without %q", all, c.reason)
			}
			if left := e.left(); len(left) > 0 {
				t.Errorf("%v is left behind", left)
			}
			if r := e.record(); r.Proof != nil || r.Run != nil || r.Last == nil || r.Last.Failure == "" {
				t.Errorf("recorded is %+v", r)
			}
			if ages := e.values(backup.AgeOfProof); len(ages) == 0 || ages[len(ages)-1] == 0 {
				t.Errorf("the age of the proof is %v: no alarm rises", ages)
			}
			if out := e.metrics.String(); !strings.Contains(out, `"Outcome":"prove-failed"`) || len(e.values(backup.ProofFailed)) != 1 {
				t.Errorf("the failure is not counted: %s", out)
			}
		})
	}
}

// TestProofOfDates: a column of dates has a newest one, too.
func TestProofOfDates(t *testing.T) {
	e := newEnvironment(t, func(e *environment) {
		e.AddDBSnapshot(region.DBSnapshot{ID: "rds:days", Instance: training, Data: "days", At: e.Now().Add(-time.Hour)})
	})
	if got := e.play(prove); got != "SUCCEEDED" {
		t.Errorf("the proof has %s: %q", got, e.notices())
	}
}

// TestProofKilledAfterEachCall: the function may end after any call; the state machine tries
// again, and the proof is passed with nothing left behind.
func TestProofKilledAfterEachCall(t *testing.T) {
	calls := func() int { e := newEnvironmentIn(t, quick); e.play(prove); return e.calls }()
	for n := 1; n <= calls; n++ {
		e := newEnvironmentIn(t, quick)
		e.kill = n
		if got := e.play(prove); got != "SUCCEEDED" || e.record().Proof == nil || len(e.left()) > 0 {
			t.Errorf("killed after call %d of %d it has %s and leaves %v: %q", n, calls, got, e.left(), e.notices())
		}
		if restores := e.made("RestoreDBInstanceFromDBSnapshot", nil); restores != 1 {
			t.Errorf("killed after call %d it restores %d times", n, restores)
		}
	}
}

// TestProofAbandoned: an execution that is stopped at any time is cleaned up after by the
// sweep, and operators are notified.
func TestProofAbandoned(t *testing.T) {
	proven := 0
	for minutes := 0; minutes < 20; minutes += 3 {
		e := newEnvironment(t)
		execution := e.start(prove)
		e.Advance(time.Duration(minutes) * time.Minute)
		if e.status(execution) != "RUNNING" {
			t.Fatalf("over after %d minutes", minutes)
		}
		if _, err := e.StepFunctions().StopExecution(context.Background(), &sfn.StopExecutionInput{ExecutionArn: aws.String(execution)}); err != nil {
			t.Fatal(err)
		}
		e.Advance(10 * time.Minute)
		if got := e.play(sweep); got != "SUCCEEDED" || e.record().Run == nil && minutes > 0 {
			t.Errorf("after %d minutes a sweep takes over a run that may still be driven: %s", minutes, got)
		}
		e.Advance(30 * time.Minute)
		e.play(sweep)
		if e.record().Proof != nil && len(e.left()) == 0 { // only the deletion was left to do
			proven++
			continue
		}
		if left, all := e.left(), e.notices(); len(left) > 0 || e.record().Run != nil || len(all) != 1 || !strings.Contains(all[0], "execution ended before it did") {
			t.Errorf("abandoned after %d minutes it leaves %v, and operators get %q", minutes, left, all)
		}
	}
	if proven != 1 {
		t.Errorf("%d of the abandoned runs count as proofs", proven)
	}
}

// TestLeftoverOfEarlierProof: an instance of a run that nobody remembers is deleted before the
// proof begins, also a protected one, and never taken for its own.
func TestLeftoverOfEarlierProof(t *testing.T) {
	leftover := func(e *environment) {
		e.AddDBInstance(region.DBInstance{ID: proofOf + training, Data: "good", Database: "app", DeletionProtection: true,
			Tags: map[string]string{"deployhooks:restored-for": training, "deployhooks:run": "earlier"}})
	}
	e := newEnvironment(t, leftover, func(e *environment) {
		e.AddDBSnapshot(region.DBSnapshot{ID: "rds:bad", Instance: training, Data: "few", At: e.Now().Add(-time.Hour)})
	})
	if got := e.play(prove); got != "FAILED" || len(e.left()) > 0 || !strings.Contains(strings.Join(e.notices(), ""), "fewer than 10") {
		t.Errorf("the proof has %s on what an earlier one left, and leaves %v: %q", got, e.left(), e.notices())
	}
	e = newEnvironment(t, leftover)
	if got := e.play(sweep); got != "SUCCEEDED" || len(e.left()) > 0 {
		t.Errorf("a sweep has %s and leaves %v", got, e.left())
	}
}

// TestForeignInstance: an instance of our name that we have not made stays.
func TestForeignInstance(t *testing.T) {
	e := newEnvironment(t, func(e *environment) {
		e.AddDBInstance(region.DBInstance{ID: proofOf + training, Data: "good"})
	})
	for range 3 {
		e.play(sweep)
		e.Advance(time.Hour)
	}
	if all := e.notices(); len(e.left()) != 1 || len(all) != 1 || !strings.Contains(all[0], "was not created by this function") {
		t.Errorf("a stranger's instance is %v, and operators get %q", e.left(), all)
	}
}

func TestTwoProofsAtOnce(t *testing.T) {
	e := newEnvironment(t)
	first := e.start(prove)
	e.Advance(time.Minute)
	if got := e.play(prove); got != "SUCCEEDED" {
		t.Errorf("the second %s", got)
	}
	e.RunUntil(func() bool { return e.status(first) != "RUNNING" }, 24*time.Hour)
	restores := e.made("RestoreDBInstanceFromDBSnapshot", nil)
	if e.status(first) != "SUCCEEDED" || restores != 1 || len(e.left()) > 0 {
		t.Errorf("the first %s; %d restores; %v is left", e.status(first), restores, e.left())
	}
}

// TestProofThrottled: calls that are throttled are made again.
func TestProofThrottled(t *testing.T) {
	e := newEnvironment(t)
	throttled := region.OneIn(12, 1, region.Fault{Before: region.Throttled()})
	e.SetFaults(func(c region.Call) region.Fault {
		if c.Service == "SFN" {
			return region.Fault{}
		}
		return throttled(c)
	})
	if got := e.play(prove); got != "SUCCEEDED" || len(e.left()) > 0 {
		t.Errorf("throttled it has %s and leaves %v: %q", got, e.left(), e.notices())
	}
}

// TestDeletionDenied: operators are notified once of what cannot be deleted, and it is deleted when that is allowed.
func TestDeletionDenied(t *testing.T) {
	e := newEnvironment(t, func(e *environment) { e.deny = "rds:DeleteDBInstance" })
	if got := e.play(prove); got != "FAILED" {
		t.Errorf("it has %s with an instance left", got)
	}
	e.play(sweep)
	e.play(sweep)
	if all := e.notices(); len(all) != 1 || !strings.Contains(all[0], "Allow rds:DeleteDBInstance") {
		t.Errorf("operators get %q", all)
	}
	e.deny = ""
	e.Advance(time.Hour)
	if got := e.play(sweep); got != "SUCCEEDED" || len(e.left()) > 0 || e.record().Proof == nil {
		t.Errorf("allowed again, a sweep has %s and leaves %v", got, e.left())
	}
}

// TestNotificationsDenied: a run ends also if operators cannot be notified by a topic; the bus
// has it, and the alarm on failed proofs.
func TestNotificationsDenied(t *testing.T) {
	e := newEnvironment(t, func(e *environment) {
		e.deny = "SNS:Publish"
		e.RemoveDBSnapshots(training)
	})
	if got := e.play(prove); got != "FAILED" || e.record().Run != nil || len(e.Events("default")) != 1 || len(e.values(backup.ProofFailed)) != 1 {
		t.Errorf("it has %s, the run is %+v, and the bus has %v", got, e.record().Run, e.Events("default"))
	}
}

// TestInstanceGone: an instance that somebody else deletes in the middle fails nothing more
// than its run.
func TestInstanceGone(t *testing.T) {
	e := newEnvironment(t)
	execution := e.start(prove)
	e.RunUntil(func() bool { return e.record().Run != nil && e.record().Run.Passed != nil }, time.Hour)
	if _, err := e.RDS().DeleteDBInstance(context.Background(), &rds.DeleteDBInstanceInput{DBInstanceIdentifier: aws.String(proofOf + training), SkipFinalSnapshot: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	e.RunUntil(func() bool { return e.status(execution) != "RUNNING" }, time.Hour)
	if e.status(execution) != "SUCCEEDED" || len(e.notices()) > 0 {
		t.Errorf("the proof has %s: %q", e.status(execution), e.notices())
	}
}

// TestWeekWithoutProof: the age goes on growing while proofs fail, beyond the alarm's 8 days.
func TestWeekWithoutProof(t *testing.T) {
	e := newEnvironment(t)
	e.play(prove)
	e.deny = "rds:RestoreDBInstanceFromDBSnapshot"
	for range 9 {
		e.Advance(24 * time.Hour)
		e.play(sweep)
	}
	if ages := e.values(backup.AgeOfProof); slices.Max(ages) < 8*24 || !slices.IsSorted(ages) {
		t.Errorf("after nine days without a proof its age is %v", ages)
	}
	if ages := e.values(backup.BackupAge); slices.Max(ages) > 24 {
		t.Errorf("the newest backup is %v hours old", ages)
	}
}

// TestYear: a proof each week, a sweep each hour of a year leave nothing behind.
func TestYear(t *testing.T) {
	e := newEnvironment(t, func(e *environment) { e.config.Checks = backup.Checks{{Table: "public.orders", MinRows: 10}} })
	proofs := 0
	for day := range 365 {
		if day%7 == 0 {
			if e.play(prove) == "SUCCEEDED" {
				proofs++
			}
		}
		e.play(sweep)
		e.Advance(24 * time.Hour)
	}
	if ages := e.values(backup.AgeOfProof); proofs != 53 || slices.Max(ages) > 7*24 || len(e.left()) > 0 || len(e.notices()) > 0 {
		t.Errorf("%d proofs in a year, the oldest %v hours, %v left: %q", proofs, slices.Max(ages), e.left(), e.notices())
	}
}
