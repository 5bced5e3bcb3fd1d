package backup_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"deployhooks/test/region"
)

// oldTraining is a training environment whose data is to be replaced.
func oldTraining(t *testing.T, change ...func(*environment)) *environment {
	t.Helper()
	return oldTrainingIn(t, region.Options{}, change...)
}

func oldTrainingIn(t *testing.T, o region.Options, change ...func(*environment)) *environment {
	t.Helper()
	return newEnvironmentIn(t, o, append([]func(*environment){func(e *environment) {
		e.AddDBInstance(region.DBInstance{ID: training, Database: "app", Password: password, Created: e.Now().AddDate(0, -1, 0), Data: "old", Retention: 7, SubnetGroup: "private", SecurityGroups: []string{"sg-db"},
			ParameterGroup: "training-pg", MultiAZ: true, DeletionProtection: true, Encrypted: true, Tags: map[string]string{"team": "shop", "aws:cloudformation:stack-name": "training"}})
		e.AddDBSnapshot(region.DBSnapshot{ID: "rds:" + training + "-1", Instance: training, At: e.Now().Add(-6 * time.Hour)})
	}}, change...)...)
}

func TestFill(t *testing.T) {
	e := oldTraining(t, func(e *environment) {
		e.AddDBInstance(region.DBInstance{ID: production, Database: "app", Password: "of production", Data: "good", Port: 5433, Encrypted: true})
		e.AddDBSnapshot(region.DBSnapshot{ID: "rds:" + production + "-1", Instance: production, At: e.Now().Add(-6 * time.Hour)})
	})
	before, _ := e.DescribeDB(training)
	if got := e.play(fillNow); got != "SUCCEEDED" {
		t.Fatalf("the fill %s: %q", got, e.notices())
	}
	if got := e.serves(); got != "good" {
		t.Errorf("the environment's database has %q", got)
	}
	after, _ := e.DescribeDB(training)
	if *after.Endpoint.Address != *before.Endpoint.Address || *after.Endpoint.Port != *before.Endpoint.Port {
		t.Errorf("the endpoint is %s:%d and was %s:%d: services lose their database", *after.Endpoint.Address, *after.Endpoint.Port, *before.Endpoint.Address, *before.Endpoint.Port)
	}
	if *after.DBInstanceClass != *before.DBInstanceClass || !*after.MultiAZ || !*after.DeletionProtection || *after.BackupRetentionPeriod != 7 || *after.DBSubnetGroup.DBSubnetGroupName != "private" ||
		*after.DBParameterGroups[0].DBParameterGroupName != "training-pg" || *after.VpcSecurityGroups[0].VpcSecurityGroupId != "sg-db" || after.MasterUserSecret != nil {
		t.Errorf("the new instance has other settings: %+v", after)
	}
	if tags := after.TagList; len(tags) != 3 {
		t.Errorf("its tags are %v", tags)
	}
	if left := e.left(); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
	if all := e.notices(); len(all) != 1 || !strings.Contains(all[0], "has the data of the snapshot rds:production-db-1") {
		t.Errorf("operators get %q", all)
	}
	out, err := e.RDS().DescribeDBSnapshots(t.Context(), &rds.DescribeDBSnapshotsInput{DBInstanceIdentifier: aws.String(training)})
	if err != nil || !slices.ContainsFunc(out.DBSnapshots, func(s snapshot) bool { return *s.DBSnapshotIdentifier == "rds:"+training+"-1" }) {
		t.Errorf("the backups of the former data are gone: %v", err)
	}
	// Again, from a new snapshot.
	if got := e.play(fillNow); got != "SUCCEEDED" || e.serves() != "good" || len(e.left()) > 0 {
		t.Errorf("a second fill %s, and leaves %v", got, e.left())
	}
}

// TestFillRefused: a fill that must not be, or cannot work, touches nothing.
func TestFillRefused(t *testing.T) {
	replicas := func(e *environment) { e.AddDBInstance(region.DBInstance{ID: formerOf + training}) }
	for name, c := range map[string]struct {
		input  string
		change func(*environment)
	}{
		"not confirmed":              {`{"action":"fill"}`, nil},
		"another environment":        {`{"action":"fill","confirm":"production"}`, nil},
		"not an environment to fill": {`{"action":"fill","confirm":"training"}`, func(e *environment) { e.config.FillFrom = "" }},
		"no snapshot":                {fillNow, func(e *environment) { e.RemoveDBSnapshots(production) }},
		"another master user": {fillNow, func(e *environment) {
			e.AddDBSnapshot(region.DBSnapshot{ID: "rds:u", Instance: production, User: "root"})
		}},
		"another major version": {fillNow, func(e *environment) {
			e.AddDBInstance(region.DBInstance{ID: production, Version: "16.4"})
			e.AddDBSnapshot(region.DBSnapshot{ID: "rds:v", Instance: production})
		}},
		"not encrypted": {fillNow, func(e *environment) {
			e.AddDBInstance(region.DBInstance{ID: production})
			e.AddDBSnapshot(region.DBSnapshot{ID: "rds:e", Instance: production})
		}},
		"a former instance there":    {fillNow, replicas},
		"the instance not available": {fillNow, func(e *environment) { e.SetDBStatus(training, "storage-full") }},
	} {
		t.Run(name, func(t *testing.T) {
			e := oldTraining(t)
			if c.change != nil {
				e = oldTraining(t, c.change)
			}
			before := e.DBInstances()
			if got := e.play(c.input); got != "FAILED" {
				t.Errorf("it has %s", got)
			}
			for _, call := range e.Calls() {
				if slices.Contains([]string{"RestoreDBInstanceFromDBSnapshot", "ModifyDBInstance", "DeleteDBInstance"}, call.Operation) {
					t.Errorf("it calls %s", call.Operation)
				}
			}
			if after := e.DBInstances(); len(after) != len(before) {
				t.Errorf("there are %v, and were %v", after, before)
			}
		})
	}
}

// TestFailedFills: the former database is back under its name, and nothing else is left.
func TestFailedFills(t *testing.T) {
	for name, change := range map[string]func(*environment){
		"the backup has too few rows": func(e *environment) {
			e.AddDBSnapshot(region.DBSnapshot{ID: "rds:bad", Instance: production, Data: "few", Encrypted: true})
		},
		"the restore fails": func(e *environment) {
			e.AddDBSnapshot(region.DBSnapshot{ID: "rds:bad", Instance: production, Becomes: "failed", Encrypted: true})
		},
		"the restore is denied": func(e *environment) { e.deny = "rds:RestoreDBInstanceFromDBSnapshot" },
		"changes are denied":    func(e *environment) { e.deny = "rds:ModifyDBInstance"; e.After(30*time.Minute, func() { e.deny = "" }) },
		"the secret is denied":  func(e *environment) { e.deny = "secretsmanager:GetSecretValue" },
		"the new one does not answer under the name": func(e *environment) {
			e.After(32*time.Minute, func() { e.deny = "secretsmanager:GetSecretValue" }) // after the first checks
		},
		"the restored instance is deleted by somebody": func(e *environment) {
			e.After(24*time.Minute, func() {
				for _, in := range []*rds.ModifyDBInstanceInput{{DBInstanceIdentifier: aws.String(fillOf + training), DeletionProtection: aws.Bool(false)}} {
					_, _ = e.RDS().ModifyDBInstance(context.Background(), in)
				}
				_, _ = e.RDS().DeleteDBInstance(context.Background(), &rds.DeleteDBInstanceInput{DBInstanceIdentifier: aws.String(fillOf + training), SkipFinalSnapshot: aws.Bool(true)})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := oldTraining(t, change)
			if got := e.play(fillNow); got != "FAILED" {
				t.Errorf("it has %s", got)
			}
			e.Advance(time.Hour)
			e.play(sweep)
			if got := e.serves(); got != "old" {
				t.Errorf("the environment's database has %q: its data is lost", got)
			}
			if left := e.left(); len(left) > 0 || e.record().Run != nil {
				t.Errorf("%v is left", left)
			}
			if all := e.notices(); len(all) == 0 || !strings.Contains(strings.Join(all, ""), "has failed") {
				t.Errorf("operators get %q", all)
			}
			if strings.HasPrefix(name, "the backup has") && e.made("ModifyDBInstance", renames) > 0 {
				t.Error("the environment is without its database for a backup that does not pass")
			}
			if d, ok := e.DescribeDB(training); !ok || !*d.DeletionProtection {
				t.Error("the former database is not protected any more")
			}
		})
	}
}

// TestFillKilledAfterEachCall: the function may end after any call.
func TestFillKilledAfterEachCall(t *testing.T) {
	calls := func() int { e := oldTrainingIn(t, quick); e.play(fillNow); return e.calls }()
	for n := 1; n <= calls; n++ {
		e := oldTrainingIn(t, quick)
		e.kill = n
		if got := e.play(fillNow); got != "SUCCEEDED" || e.serves() != "good" || len(e.left()) > 0 {
			t.Errorf("killed after call %d of %d it has %s, serves %q and leaves %v: %q", n, calls, got, e.serves(), e.left(), e.notices())
		}
	}
}

// TestFillAbandoned: whenever the execution is stopped, the environment has one database in the
// end, the former or the new, and nothing else is left.
func TestFillAbandoned(t *testing.T) {
	served := map[string]int{}
	for minutes := 0; minutes < 55; minutes += 2 {
		e := oldTraining(t)
		execution := e.start(fillNow)
		e.Advance(time.Duration(minutes)*time.Minute + 10*time.Second)
		if e.status(execution) != "RUNNING" {
			break
		}
		if _, err := e.StepFunctions().StopExecution(context.Background(), &sfn.StopExecutionInput{ExecutionArn: &execution}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			e.Advance(time.Hour)
			e.play(sweep)
		}
		got := e.serves()
		served[got]++
		if left := e.left(); got != "old" && got != "good" || len(left) > 0 || e.record().Run != nil {
			t.Errorf("stopped after %d minutes the environment serves %q, and %v is left", minutes, got, left)
		}
	}
	if served["old"] == 0 || served["good"] == 0 {
		t.Errorf("the scenario does not reach both ends: %v", served)
	}
}

// TestFillWithoutRecord: a record that is lost while the former instance has its other name
// does not leave the environment without a database.
func TestFillWithoutRecord(t *testing.T) {
	e := oldTraining(t)
	execution := e.start(fillNow)
	if !e.RunUntil(func() bool { return e.DBInstances()[formerOf+training] == "available" }, 3*time.Hour) {
		t.Fatal("the former instance is never renamed")
	}
	if _, err := e.StepFunctions().StopExecution(context.Background(), &sfn.StopExecutionInput{ExecutionArn: &execution}); err != nil {
		t.Fatal(err)
	}
	e.forgetRecord()
	for range 3 {
		e.play(sweep)
		e.Advance(time.Hour)
	}
	if got := e.serves(); got != "old" || len(e.left()) > 0 {
		t.Errorf("the environment serves %q, and %v is left", got, e.left())
	}
}

func TestFillDuringProof(t *testing.T) {
	e := oldTraining(t)
	proof := e.start(prove)
	e.Advance(time.Minute)
	if got := e.play(fillNow); got != "FAILED" {
		t.Errorf("a fill during a proof %s", got)
	}
	e.RunUntil(func() bool { return e.status(proof) != "RUNNING" }, 24*time.Hour)
	if got := e.play(fillNow); got != "SUCCEEDED" {
		t.Errorf("after it %s", got)
	}
}
