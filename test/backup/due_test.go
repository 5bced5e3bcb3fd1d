package backup_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/backup"
	"deployhooks/test/region"
)

// newDatabase is an environment that was created just now: its database has what is asked for,
// and no backup.
func newDatabase(t *testing.T, data string, change ...func(*environment)) *environment {
	return newEnvironment(t, append(change, func(e *environment) {
		e.RemoveDBSnapshots(training)
		e.AddDBInstance(region.DBInstance{ID: training, Database: "app", Password: password, Data: data, Retention: 7, SubnetGroup: "private", ParameterGroup: "training-pg", Encrypted: true})
	})...)
}

// TestFirstProof: a new environment does not alarm operators because there was no night yet. The
// proof is made when there is a backup, and not a week later.
func TestFirstProof(t *testing.T) {
	e := newDatabase(t, "good", func(e *environment) {
		e.config.Checks = nil
		e.AddDBInstance(region.DBInstance{ID: proofOf + training, Tags: map[string]string{"deployhooks:restored-for": training}})
	})
	began := e.Now()
	if got := e.play(prove); got != "SUCCEEDED" || e.record().Run != nil {
		t.Errorf("at once it has %s", got)
	}
	if e.play(sweep); len(e.left()) > 0 {
		t.Errorf("until then, %v is left of an earlier environment", e.left())
	}
	for range 30 {
		e.play(sweep)
		e.Advance(time.Hour)
	}
	if p := e.record().Proof; p == nil || p.At.Sub(began) > 26*time.Hour || e.made("RestoreDBInstanceFromDBSnapshot", nil) != 1 {
		t.Errorf("a day later the proof is %+v, after %d restores", p, e.made("RestoreDBInstanceFromDBSnapshot", nil))
	}
	ages := e.values(backup.BackupAge)
	if len(e.notices())+len(e.values(backup.ProofFailed)) > 0 || len(ages) < 30 || slices.Max(ages) > 36 {
		t.Errorf("an alarm rises: %q, %v, and the newest backup's age is %v", e.notices(), e.values(backup.ProofFailed), ages)
	}
}

// TestNoFirstBackup: an instance that is never backed up does not stay unnoticed.
func TestNoFirstBackup(t *testing.T) {
	e := newDatabase(t, "good")
	e.AddDBInstance(region.DBInstance{ID: training, Database: "app", Password: password}) // retains none
	e.play(prove)
	for range 40 {
		e.Advance(time.Hour)
		e.play(sweep)
	}
	if all := e.notices(); len(all) != 1 || !strings.Contains(all[0], "there is no snapshot of training-db") {
		t.Errorf("after 40 hours operators get %q", all)
	}
	if ages := e.values(backup.BackupAge); slices.Max(ages) < 39 {
		t.Errorf("the newest backup's age is %v: no alarm rises", ages)
	}
}

// TestEmptyDatabase: a new database may have no table yet. One that has had tables may not, nor
// one whose environment is a week old.
func TestEmptyDatabase(t *testing.T) {
	empty := func(e *environment, id string) {
		e.AddDBSnapshot(region.DBSnapshot{ID: id, Instance: training, Data: "nothing", At: e.Now().Add(-time.Minute)})
	}
	for name, checks := range map[string]backup.Checks{"without checks": nil, "with checks": {{Table: "public.orders"}}} {
		t.Run(name, func(t *testing.T) {
			e := newDatabase(t, "nothing", func(e *environment) { e.config.Checks = checks })
			empty(e, "first")
			if got := e.play(prove); got != "SUCCEEDED" || len(e.notices()) > 0 || !strings.Contains(e.record().Last.Text, "It has no table yet") {
				t.Errorf("the first proof has %s: %+v", got, e.record().Last)
			}
			e.Advance(8 * 24 * time.Hour)
			if got := e.play(prove); got != "FAILED" {
				t.Errorf("after a week without tables it has %s", got)
			}
			e = newDatabase(t, "good", func(e *environment) { e.config.Checks = checks })
			e.AddDBSnapshot(region.DBSnapshot{ID: "full", Instance: training})
			e.play(prove)
			empty(e, "lost")
			if got := e.play(prove); got != "FAILED" {
				t.Errorf("after a proof of %+v, an empty backup has %s", e.record().Proof, got)
			}
		})
	}
}

// TestFillFromEmpty: a fill never replaces data by none, however new the environment is.
func TestFillFromEmpty(t *testing.T) {
	e := newDatabase(t, "good", func(e *environment) {
		e.config.Checks = nil
		e.AddDBSnapshot(region.DBSnapshot{ID: "empty", Instance: production, Data: "nothing"})
	})
	if got := e.play(fillNow); got != "FAILED" || e.serves() != "good" || !strings.Contains(strings.Join(e.notices(), ""), "has no table") {
		t.Errorf("it has %s, and the environment serves %q: %q", got, e.serves(), e.notices())
	}
	e.Advance(25 * time.Hour)
	if e.play(sweep); e.record().Proof != nil || e.record().Last.Action != backup.Fill {
		t.Errorf("the sweep makes a proof of a fill that has failed: %+v", e.record().Last)
	}
}

// TestProofAgain: a failed proof is made again after a day, and one that was passed is not.
func TestProofAgain(t *testing.T) {
	e := newEnvironment(t, func(e *environment) { e.config.Checks = nil })
	e.deny = "rds:RestoreDBInstanceFromDBSnapshot"
	e.play(prove)
	e.deny = ""
	e.Advance(23 * time.Hour)
	e.play(sweep)
	if e.record().Proof != nil {
		t.Error("it is made again at once")
	}
	e.Advance(2 * time.Hour)
	if next := e.ask(`{"action":"status"}`).Report.Next; next != "prove" {
		t.Errorf("status has %q as what comes next", next)
	}
	if got := e.play(sweep); got != "SUCCEEDED" || e.record().Proof == nil || len(e.left()) > 0 {
		t.Errorf("a day after its failure it has %s, and the proof is %+v", got, e.record().Proof)
	}
	for range 48 {
		e.Advance(time.Hour)
		e.play(sweep)
	}
	if n := e.made("RestoreDBInstanceFromDBSnapshot", nil); n != 1 || len(e.notices()) != 1 {
		t.Errorf("there are %d restores, and operators get %q", n, e.notices())
	}
}
