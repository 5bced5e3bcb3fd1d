package backup_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"deployhooks/test/region"
)

// crowded is an account with many databases, and many snapshots of each: RDS answers in pages
// of a hundred, in the order of names.
func crowded(e *environment) {
	for n := range 120 {
		e.AddDBInstance(region.DBInstance{ID: fmt.Sprintf("another-%03d", n)})
	}
	for _, id := range []string{training, production} {
		for n := range 120 {
			e.AddDBSnapshot(region.DBSnapshot{ID: fmt.Sprintf("a-%s-%03d", id, n), Instance: id, Data: "stale", Encrypted: true, At: e.Now().Add(-100 * time.Hour)})
		}
	}
}

// TestNewestSnapshot: what is proven is the newest backup that is complete, of hundreds.
func TestNewestSnapshot(t *testing.T) {
	e := newEnvironment(t, crowded, func(e *environment) {
		e.AddDBSnapshot(region.DBSnapshot{ID: "a-creating", Instance: training, Data: "few", Status: "creating", At: e.Now().Add(-time.Minute)})
		e.AddDBSnapshot(region.DBSnapshot{ID: "a-copy", Instance: training, Data: "stale", Type: "manual", At: e.Now().Add(-time.Hour), Original: e.Now().Add(-1000 * time.Hour)})
		e.AddDBInstance(region.DBInstance{ID: proofOf + training, Tags: map[string]string{"deployhooks:restored-for": training}})
	})
	if got := e.play(prove); got != "SUCCEEDED" || e.record().Proof.Snapshot != "rds:"+training+"-1" {
		t.Errorf("the proof has %s, of %+v: %q", got, e.record().Proof, e.notices())
	}
}

// TestFillInCrowd: a fill finds its instances and the newest backup among hundreds, and keeps
// what an operator has set by hand.
func TestFillInCrowd(t *testing.T) {
	e := oldTraining(t, crowded)
	set := &rds.ModifyDBInstanceInput{DBInstanceIdentifier: aws.String(training), MaxAllocatedStorage: aws.Int32(500), PreferredMaintenanceWindow: aws.String("mon:01:00-mon:01:30"),
		EnablePerformanceInsights: aws.Bool(true), PerformanceInsightsRetentionPeriod: aws.Int32(31)}
	if _, err := e.RDS().ModifyDBInstance(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	if got := e.play(fillNow); got != "SUCCEEDED" || e.serves() != "good" {
		t.Fatalf("the fill has %s: %q", got, e.notices())
	}
	d, _ := e.DescribeDB(training)
	if aws.ToInt32(d.MaxAllocatedStorage) != 500 || *d.PreferredMaintenanceWindow != "mon:01:00-mon:01:30" || !aws.ToBool(d.PerformanceInsightsEnabled) || *d.PerformanceInsightsRetentionPeriod != 31 {
		t.Errorf("the new instance has other settings: %+v", d)
	}
	if all := e.DBInstances(); len(all) != 122 {
		t.Errorf("there are %d instances", len(all))
	}
}

// replaced gives an identifier to another instance, and leaves it newer backups of the former
// one, which pass no check.
func replaced(e *environment, i region.DBInstance) {
	e.AddDBSnapshot(region.DBSnapshot{ID: "rds:" + i.ID + "-former", Instance: i.ID, Data: "few", At: e.Now().Add(-time.Hour)})
	e.AddDBInstance(i)
	e.AddDBSnapshot(region.DBSnapshot{ID: "rds:" + i.ID + "-present", Instance: i.ID, At: e.Now().Add(-2 * time.Hour)})
}

// TestSnapshotsOfFormerInstance: the backups of an instance that was replaced, as by a fill, have
// the identifier still, and say nothing of the data that is served now.
func TestSnapshotsOfFormerInstance(t *testing.T) {
	e := newEnvironment(t, func(e *environment) {
		replaced(e, region.DBInstance{ID: training, Database: "app", Password: password, Data: "good", Encrypted: true})
	})
	if got := e.play(prove); got != "SUCCEEDED" || e.record().Proof.Snapshot != "rds:"+training+"-present" {
		t.Errorf("the proof has %s, of %+v: %q", got, e.record().Proof, e.notices())
	}
	e = oldTraining(t, func(e *environment) {
		replaced(e, region.DBInstance{ID: production, Database: "app", Password: "of production", Data: "good", Encrypted: true})
	})
	if got := e.play(fillNow); got != "SUCCEEDED" || e.serves() != "good" {
		t.Errorf("the fill has %s, and the environment serves %q: %q", got, e.serves(), e.notices())
	}
	e = oldTraining(t, func(e *environment) { e.RemoveDBInstance(production) })
	if got := e.play(fillNow); got != "SUCCEEDED" {
		t.Errorf("a fill from the last backup of a deleted environment has %s: %q", got, e.notices())
	}
}
