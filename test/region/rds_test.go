package region_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"deployhooks/test/region"
)

// shopDatabase is a region with one database and a backup of it.
func shopDatabase() *region.Region {
	r := region.New(region.Options{})
	r.AddDBInstance(region.DBInstance{ID: "shop", Database: "shop", Password: "first", Data: "orders", Retention: 7, DeletionProtection: true})
	r.AddDBSnapshot(region.DBSnapshot{ID: "rds:shop-1", Instance: "shop"})
	return r
}

func status(r *region.Region, id string) string { return r.DBInstances()[id] }

func TestRestoreOfDBSnapshot(t *testing.T) {
	r := shopDatabase()
	restore := &rds.RestoreDBInstanceFromDBSnapshotInput{DBInstanceIdentifier: aws.String("copy"), DBSnapshotIdentifier: aws.String("rds:shop-1"), ManageMasterUserPassword: aws.Bool(true), BackupRetentionPeriod: aws.Int32(0)}
	if _, err := r.RDS().RestoreDBInstanceFromDBSnapshot(t.Context(), restore); code(err) != "InvalidParameterCombination" {
		t.Errorf("manages a restored password, which is for Oracle only: %v", err)
	}
	restore.ManageMasterUserPassword = nil
	out, err := r.RDS().RestoreDBInstanceFromDBSnapshot(t.Context(), restore)
	if err != nil || *out.DBInstance.DBInstanceStatus != "creating" || out.DBInstance.Endpoint != nil || out.DBInstance.MasterUserSecret != nil {
		t.Fatalf("a restored instance begins as %+v, %v", out, err)
	}
	if _, err := r.RDS().RestoreDBInstanceFromDBSnapshot(t.Context(), restore); code(err) != "DBInstanceAlreadyExists" {
		t.Errorf("a second restore under the same identifier: %v", err)
	}
	if _, err := r.RDS().DeleteDBInstance(t.Context(), &rds.DeleteDBInstanceInput{DBInstanceIdentifier: aws.String("copy"), SkipFinalSnapshot: aws.Bool(true)}); code(err) != "InvalidDBInstanceState" {
		t.Errorf("deletes an instance that is being created: %v", err)
	}
	r.Advance(time.Hour)
	manage := &rds.ModifyDBInstanceInput{DBInstanceIdentifier: aws.String("copy"), ManageMasterUserPassword: aws.Bool(true), ApplyImmediately: aws.Bool(true)}
	if out, err := r.RDS().ModifyDBInstance(t.Context(), manage); err != nil || *out.DBInstance.MasterUserSecret.SecretStatus != "creating" {
		t.Fatalf("a password begins to be managed as %+v, %v", out, err)
	}
	r.Advance(time.Hour)
	d, _ := r.DescribeDB("copy")
	e, ok := r.DBEndpoint(*d.Endpoint.Address)
	_, password, managed := r.DBSecret(*d.MasterUserSecret.SecretArn)
	if !ok || e.Data != "orders" || !managed || e.Password != password {
		t.Errorf("the restored database has %+v, its secret %q", e, password)
	}
	if _, err := r.RDS().DeleteDBInstance(t.Context(), &rds.DeleteDBInstanceInput{DBInstanceIdentifier: aws.String("copy"), SkipFinalSnapshot: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	r.Advance(time.Hour)
	if len(r.DBSecrets()) > 0 || status(r, "copy") != "" {
		t.Errorf("after the deletion there are %v and %v", r.DBSecrets(), r.DBInstances())
	}
	if _, err := r.RDS().DeleteDBInstance(t.Context(), &rds.DeleteDBInstanceInput{DBInstanceIdentifier: aws.String("shop"), SkipFinalSnapshot: aws.Bool(true)}); code(err) != "InvalidParameterCombination" {
		t.Errorf("deletes a protected instance: %v", err)
	}
}

func TestRenameOfDBInstance(t *testing.T) {
	r := shopDatabase()
	rename := &rds.ModifyDBInstanceInput{DBInstanceIdentifier: aws.String("shop"), NewDBInstanceIdentifier: aws.String("former"), ApplyImmediately: aws.Bool(true)}
	before, _ := r.DescribeDB("shop")
	if _, err := r.RDS().ModifyDBInstance(t.Context(), rename); err != nil {
		t.Fatal(err)
	}
	if s := status(r, "shop"); s != "available" {
		t.Errorf("at once it is %s", s)
	}
	if _, err := r.RDS().ModifyDBInstance(t.Context(), rename); code(err) != "InvalidDBInstanceState" {
		t.Errorf("renames twice: %v", err)
	}
	r.Advance(time.Minute)
	if s := status(r, "shop"); s != "renaming" {
		t.Errorf("after a minute it is %s", s)
	}
	if _, ok := r.DBEndpoint(*before.Endpoint.Address); ok {
		t.Error("it answers while it is renamed")
	}
	r.Advance(time.Hour)
	after, ok := r.DescribeDB("former")
	if !ok || status(r, "shop") != "" || *after.DbiResourceId != *before.DbiResourceId || *after.Endpoint.Address == *before.Endpoint.Address {
		t.Errorf("renamed it is %+v, and there are %v", after, r.DBInstances())
	}
}

func TestPasswordOfDBInstance(t *testing.T) {
	r := shopDatabase()
	d, _ := r.DescribeDB("shop")
	if _, err := r.RDS().ModifyDBInstance(t.Context(), &rds.ModifyDBInstanceInput{DBInstanceIdentifier: aws.String("shop"), MasterUserPassword: aws.String("second"), ApplyImmediately: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	r.Advance(45 * time.Second)
	if s := status(r, "shop"); s != "resetting-master-credentials" {
		t.Errorf("while its password changes it is %s", s)
	}
	r.Advance(time.Hour)
	if e, _ := r.DBEndpoint(*d.Endpoint.Address); e.Password != "second" || status(r, "shop") != "available" {
		t.Errorf("the password is %q", e.Password)
	}
}

func TestDailyBackups(t *testing.T) {
	r := shopDatabase()
	r.Advance(30 * 24 * time.Hour)
	var names []string
	pages := rds.NewDescribeDBSnapshotsPaginator(r.RDS(), &rds.DescribeDBSnapshotsInput{DBInstanceIdentifier: aws.String("shop")})
	for pages.HasMorePages() {
		out, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range out.DBSnapshots {
			names = append(names, *s.DBSnapshotIdentifier)
		}
	}
	if len(names) != 8 || !slices.Contains(names, "rds:shop-2024-04-03-03-00") {
		t.Errorf("after a month there are %v", names)
	}
}
