package backup_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"

	"deployhooks/pkg/backup"
	"deployhooks/test/region"
)

// answering has RDS answer an operation with an error.
func (e *environment) answering(operation, code string) {
	e.SetFaults(func(c region.Call) region.Fault {
		if c.Operation == operation {
			return region.Fault{Before: &smithy.GenericAPIError{Code: code, Message: "not now", Fault: smithy.FaultClient}}
		}
		return region.Fault{}
	})
}

// TestProofWithoutCapacity: operators get the reason for which a restore never begins.
func TestProofWithoutCapacity(t *testing.T) {
	for _, code := range []string{"InsufficientDBInstanceCapacity", "NeverHeardOf"} {
		e := newEnvironment(t)
		e.answering("RestoreDBInstanceFromDBSnapshot", code)
		if got := e.play(prove); got != "FAILED" {
			t.Errorf("%s: it has %s", code, got)
		}
		e.Advance(time.Hour)
		e.play(sweep)
		if all := e.notices(); len(all) != 1 || !strings.Contains(all[0], code) {
			t.Errorf("%s: operators get %q", code, all)
		}
	}
}

// TestTroublePasses: what passes is not the reason for a later failure.
func TestTroublePasses(t *testing.T) {
	e := newEnvironment(t, func(e *environment) {
		e.AddDBSnapshot(region.DBSnapshot{ID: "rds:bad", Instance: training, Data: "few", At: e.Now().Add(-time.Hour)})
	})
	e.answering("RestoreDBInstanceFromDBSnapshot", "InsufficientDBInstanceCapacity")
	e.After(time.Hour, func() { e.SetFaults(nil) })
	if got := e.play(prove); got != "FAILED" || len(e.notices()) != 1 || strings.Contains(e.notices()[0], "Capacity") {
		t.Errorf("it has %s, and operators get %q", got, e.notices())
	}
}

// TestNeverDeletable: an instance that RDS never deletes is not left for weeks unnoticed,
// whether its proof was passed or not.
func TestNeverDeletable(t *testing.T) {
	for _, data := range []string{"good", "few"} {
		e := newEnvironment(t, func(e *environment) {
			e.AddDBSnapshot(region.DBSnapshot{ID: "rds:last", Instance: training, Data: data, At: e.Now().Add(-time.Hour)})
		})
		e.answering("DeleteDBInstance", "InvalidDBInstanceState")
		if got := e.play(prove); got != "FAILED" {
			t.Errorf("%s: it has %s", data, got)
		}
		for range 4 {
			e.Advance(15 * time.Minute)
			e.play(sweep)
		}
		if all := e.notices(); len(all) != 1 || !strings.Contains(all[0], "InvalidDBInstanceState") {
			t.Errorf("%s: operators get %q", data, all)
		}
		e.SetFaults(nil)
		e.play(sweep)
		if left := e.left(); len(left) > 0 || e.record().Run != nil {
			t.Errorf("%s: %v is left", data, left)
		}
	}
}

// TestProofOfForeignInstance: an instance of our name that we have not made fails a proof, and
// is in the way of nothing else.
func TestProofOfForeignInstance(t *testing.T) {
	e := newEnvironment(t, func(e *environment) { e.AddDBInstance(region.DBInstance{ID: proofOf + training, Data: "good"}) })
	began := e.Now()
	if got := e.play(prove); got != "FAILED" || e.record().Run != nil || e.Now().Sub(began) > time.Hour {
		t.Errorf("it has %s after %s, and the run is %+v", got, e.Now().Sub(began), e.record().Run)
	}
	if all := e.notices(); len(e.left()) != 1 || len(all) != 1 || !strings.Contains(all[0], "was not created by this function") {
		t.Errorf("a stranger's instance is %v, and operators get %q", e.left(), all)
	}
}

// TestFormerForgotten: two instances do not run for weeks unnoticed.
func TestFormerForgotten(t *testing.T) {
	e := newEnvironment(t, func(e *environment) { e.AddDBInstance(region.DBInstance{ID: formerOf + training, Data: "old"}) })
	for range 3 {
		e.play(sweep)
		e.Advance(15 * time.Minute)
	}
	if all := e.notices(); len(e.left()) != 1 || len(all) != 1 || !strings.Contains(all[0], "of an earlier fill, beside training-db") {
		t.Errorf("%v is left, and operators get %q", e.left(), all)
	}
	if got := e.play(prove); got != "SUCCEEDED" {
		t.Errorf("a proof beside it has %s", got)
	}
}

// TestFormerKept: who deletes the new instance by hand keeps the former one.
func TestFormerKept(t *testing.T) {
	e := oldTraining(t)
	e.answering("DeleteDBInstance", "InvalidDBInstanceState")
	execution := e.start(fillNow)
	e.RunUntil(func() bool { r := e.record().Run; return r != nil && r.Accepted }, 3*time.Hour)
	e.RemoveDBInstance(training)
	e.SetFaults(nil)
	e.RunUntil(func() bool { return e.status(execution) != "RUNNING" }, 24*time.Hour)
	if all := e.notices(); len(e.left()) != 1 || len(all) != 1 || !strings.Contains(all[0], "does not exist any more") {
		t.Errorf("the former data is in %v, and operators get %q", e.left(), all)
	}
}

// TestFormerLost: when somebody deletes the former instance in the middle, the environment has
// the backup rather than nothing, and operators know it.
func TestFormerLost(t *testing.T) {
	e := oldTraining(t)
	execution := e.start(fillNow)
	e.RunUntil(func() bool { return e.DBInstances()[formerOf+training] == "available" }, 3*time.Hour)
	e.RemoveDBInstance(formerOf + training)
	e.RunUntil(func() bool { return e.status(execution) != "RUNNING" }, 24*time.Hour)
	if got, all := e.serves(), e.notices(); got != "good" || len(all) != 1 || !strings.Contains(all[0], "training-db has what the snapshot") || len(e.values(backup.FillFailed)) != 1 {
		t.Errorf("the environment serves %q, and operators get %q", got, all)
	}
}
