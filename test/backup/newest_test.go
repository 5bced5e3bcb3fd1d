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
