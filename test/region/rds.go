package region

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// RDS has the methods of the SDK's rds.Client, as far as snapshots are restored, and
// instances changed, renamed and deleted.
type RDS struct{ r *Region }

// RDS is the region's Relational Database Service.
func (r *Region) RDS() RDS { return RDS{r} }

// databases is what the region keeps of RDS.
type databases struct {
	instances map[string]*dbInstance // by identifier
	snapshots map[string]*dbSnapshot // by identifier
	secrets   map[string]*dbInstance // by the ARN of the secret that RDS manages
}

// dbInstance is a DB instance: the SDK's description, and what that does not say.
type dbInstance struct {
	types.DBInstance
	password string
	data     string // what its database holds; see [DBInstance]
}

type dbSnapshot struct {
	types.DBSnapshot
	data     string
	database *string
	becomes  string
}

// DBInstance is a DB instance that a test asks for in AddDBInstance.
type DBInstance struct {
	ID, Class, Engine, Version string // db.t4g.small, postgres and 17.6 unless set
	User, Password             string // of the master user; postgres unless set
	Database                   string
	SubnetGroup                string
	SecurityGroups             []string
	ParameterGroup             string
	Port                       int32 // 5432 unless set
	MultiAZ, Encrypted         bool
	DeletionProtection         bool
	// Retention is for how many days automated backups are kept; 0 for none.
	Retention int32
	Created   time.Time // now unless set
	Tags      map[string]string
	// Data names what the database holds. Snapshots and what is restored of them hold the
	// same; a test decides what that is.
	Data string
}

// DBSnapshot is a snapshot that a test asks for in AddDBSnapshot.
type DBSnapshot struct {
	ID, Instance string
	Type         string // automated, manual or shared; automated unless set
	Status       string // available unless set
	At           time.Time
	Original     time.Time // when a copy's original was taken; At unless set
	Data         string    // as the instance's unless set
	User         string    // as the instance's unless set
	Encrypted    bool
	// Becomes is the status in which an instance ends that is restored from it, such as
	// incompatible-restore; available unless set.
	Becomes string
}

func rdsCall[I, O any](ctx context.Context, r *Region, operation string, in *I, simulated string, serve func(*I) (*O, error)) (*O, error) {
	return call(ctx, r, rds.ServiceID, operation, in, simulated, serve)
}

// DescribeDBInstances lists DB instances: one by its identifier, or all.
func (v RDS) DescribeDBInstances(ctx context.Context, in *rds.DescribeDBInstancesInput, _ ...func(*rds.Options)) (*rds.DescribeDBInstancesOutput, error) {
	return rdsCall(ctx, v.r, "DescribeDBInstances", in, "DBInstanceIdentifier Marker MaxRecords", v.r.describeDBInstances)
}

// DescribeDBSnapshots lists snapshots: of an instance, one by its identifier, or all.
func (v RDS) DescribeDBSnapshots(ctx context.Context, in *rds.DescribeDBSnapshotsInput, _ ...func(*rds.Options)) (*rds.DescribeDBSnapshotsOutput, error) {
	return rdsCall(ctx, v.r, "DescribeDBSnapshots", in, "DBInstanceIdentifier DBSnapshotIdentifier SnapshotType IncludeShared Marker MaxRecords", v.r.describeDBSnapshots)
}

// RestoreDBInstanceFromDBSnapshot begins to create an instance.
func (v RDS) RestoreDBInstanceFromDBSnapshot(ctx context.Context, in *rds.RestoreDBInstanceFromDBSnapshotInput, _ ...func(*rds.Options)) (*rds.RestoreDBInstanceFromDBSnapshotOutput, error) {
	return rdsCall(ctx, v.r, "RestoreDBInstanceFromDBSnapshot", in, "DBInstanceIdentifier DBSnapshotIdentifier DBInstanceClass Port DBSubnetGroupName VpcSecurityGroupIds DBParameterGroupName MultiAZ PubliclyAccessible "+
		"DeletionProtection CopyTagsToSnapshot AutoMinorVersionUpgrade StorageType Iops StorageThroughput BackupRetentionPeriod PreferredBackupWindow ManageMasterUserPassword EnableCloudwatchLogsExports "+
		"EnableIAMDatabaseAuthentication Tags", v.r.restoreDBInstance)
}

// ModifyDBInstance begins to change an instance.
func (v RDS) ModifyDBInstance(ctx context.Context, in *rds.ModifyDBInstanceInput, _ ...func(*rds.Options)) (*rds.ModifyDBInstanceOutput, error) {
	return rdsCall(ctx, v.r, "ModifyDBInstance", in, "DBInstanceIdentifier NewDBInstanceIdentifier ApplyImmediately MasterUserPassword ManageMasterUserPassword DeletionProtection BackupRetentionPeriod "+
		"VpcSecurityGroupIds MaxAllocatedStorage PreferredMaintenanceWindow EnablePerformanceInsights PerformanceInsightsRetentionPeriod", v.r.modifyDBInstance)
}

// DeleteDBInstance begins to delete an instance.
func (v RDS) DeleteDBInstance(ctx context.Context, in *rds.DeleteDBInstanceInput, _ ...func(*rds.Options)) (*rds.DeleteDBInstanceOutput, error) {
	return rdsCall(ctx, v.r, "DeleteDBInstance", in, "DBInstanceIdentifier SkipFinalSnapshot DeleteAutomatedBackups", v.r.deleteDBInstance)
}

// AddTagsToResource adds tags to an instance.
func (v RDS) AddTagsToResource(ctx context.Context, in *rds.AddTagsToResourceInput, _ ...func(*rds.Options)) (*rds.AddTagsToResourceOutput, error) {
	return rdsCall(ctx, v.r, "AddTagsToResource", in, "ResourceName Tags", v.r.addDBTags)
}

// DBEndpoint is what answers at an endpoint's host name.
type DBEndpoint struct {
	Instance, User, Password, Data string
	Tags                           map[string]string
}

// DBEndpoint finds the instance that answers at a host name, if one does.
func (r *Region) DBEndpoint(host string) (DBEndpoint, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range sorted(r.databases.instances) {
		if i.Endpoint != nil && aws.ToString(i.Endpoint.Address) == host && i.answers() {
			return DBEndpoint{*i.DBInstanceIdentifier, aws.ToString(i.MasterUsername), i.password, i.data, tagMap(i.TagList)}, true
		}
	}
	return DBEndpoint{}, false
}

// answers reports whether the database takes connections in the instance's status
// ("Viewing Amazon RDS DB instance status"; storage-full is assumed to answer no longer).
func (i *dbInstance) answers() bool {
	switch *i.DBInstanceStatus {
	case "available", "modifying", "backing-up", "resetting-master-credentials":
		return true
	}
	return false
}

// DBInstances are the statuses of all DB instances by their identifiers.
func (r *Region) DBInstances() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string]string{}
	for id, i := range r.databases.instances {
		all[id] = *i.DBInstanceStatus
	}
	return all
}

// DescribeDB is a DB instance as RDS describes it; false if there is none.
func (r *Region) DescribeDB(id string) (types.DBInstance, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.databases.instances[id]; i != nil {
		return i.describe(), true
	}
	return types.DBInstance{}, false
}

// SetDBStatus has an instance be in a status, such as storage-full.
func (r *Region) SetDBStatus(id, status string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.databases.instances[id]; i != nil {
		i.DBInstanceStatus = &status
	}
}

// DBSecret is the login in a secret that RDS manages, and the tags that RDS gives the
// secret; false for no such secret. It is deleted with its instance ("Password management
// with Amazon RDS and AWS Secrets Manager").
func (r *Region) DBSecret(arn string) (user, password string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.databases.secrets[arn]
	if i == nil || *i.MasterUserSecret.SecretStatus != "active" {
		return "", "", false
	}
	return aws.ToString(i.MasterUsername), i.password, true
}

// DBSecrets are the ARNs of the secrets that RDS manages.
func (r *Region) DBSecrets() (arns []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for arn := range r.databases.secrets {
		arns = append(arns, arn)
	}
	return arns
}

func tagMap(tags []types.Tag) map[string]string {
	all := map[string]string{}
	for _, t := range tags {
		all[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return all
}
