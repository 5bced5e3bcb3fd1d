package region

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// dbIdentifier: "1 to 63 letters, numbers, or hyphens", "first character must be a letter",
// "can't end with a hyphen or contain two consecutive hyphens" (API reference,
// RestoreDBInstanceFromDBSnapshot). RDS keeps them in lower case.
var dbIdentifier = regexp.MustCompile(`^[a-z](-?[a-z0-9])*$`)

// AddDBInstance makes a DB instance that is available.
func (r *Region) AddDBInstance(d DBInstance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.newDBInstance(d.ID)
	i.password, i.data = d.Password, d.Data
	i.Engine, i.EngineVersion = aws.String(cmp.Or(d.Engine, "postgres")), aws.String(cmp.Or(d.Version, "17.6"))
	i.DBInstanceClass, i.MasterUsername = aws.String(cmp.Or(d.Class, "db.t4g.small")), aws.String(cmp.Or(d.User, "postgres"))
	i.DBName, i.MultiAZ, i.StorageEncrypted, i.DeletionProtection = &d.Database, &d.MultiAZ, &d.Encrypted, &d.DeletionProtection
	i.BackupRetentionPeriod, i.DbInstancePort = &d.Retention, aws.Int32(cmp.Or(d.Port, 5432))
	i.place(d.SubnetGroup, d.SecurityGroups, cmp.Or(d.ParameterGroup, "default.postgres17"))
	for _, key := range slices.Sorted(maps.Keys(d.Tags)) {
		i.TagList = append(i.TagList, types.Tag{Key: &key, Value: aws.String(d.Tags[key])})
	}
	if !d.Created.IsZero() {
		i.InstanceCreateTime = &d.Created
	}
	i.becomes("available")
	r.backUpDaily(i)
}

// newDBInstance is an instance that is being created.
func (r *Region) newDBInstance(id string) *dbInstance {
	i := &dbInstance{DBInstance: types.DBInstance{
		DBInstanceIdentifier: &id, DBInstanceArn: aws.String(arn("rds", "db:"+id)), DbiResourceId: aws.String("db-" + strings.ToUpper(r.ids.hex("db resource", 16))),
		InstanceCreateTime: aws.Time(r.clock.now), AllocatedStorage: aws.Int32(20), StorageType: aws.String("gp3"), Iops: aws.Int32(3000), StorageThroughput: aws.Int32(125), PubliclyAccessible: aws.Bool(false),
		PreferredBackupWindow: aws.String("03:00-03:30"), PreferredMaintenanceWindow: aws.String("sun:04:00-sun:04:30"), AutoMinorVersionUpgrade: aws.Bool(true), CopyTagsToSnapshot: aws.Bool(false),
		CACertificateIdentifier: aws.String("rds-ca-rsa2048-g1"), PendingModifiedValues: &types.PendingModifiedValues{},
	}}
	i.becomes("creating")
	r.databases.instances[id] = i
	return i
}

func (i *dbInstance) place(subnetGroup string, securityGroups []string, parameterGroup string) {
	i.DBSubnetGroup = &types.DBSubnetGroup{DBSubnetGroupName: aws.String(cmp.Or(subnetGroup, "default")), VpcId: aws.String(vpc)}
	i.DBParameterGroups = []types.DBParameterGroupStatus{{DBParameterGroupName: &parameterGroup, ParameterApplyStatus: aws.String("in-sync")}}
	i.VpcSecurityGroups = nil
	for _, id := range securityGroups {
		i.VpcSecurityGroups = append(i.VpcSecurityGroups, types.VpcSecurityGroupMembership{VpcSecurityGroupId: &id, Status: aws.String("active")})
	}
}

// becomes changes the status. The endpoint's name has the identifier; while the instance is
// created or renamed there is none ("Renaming a DB instance").
func (i *dbInstance) becomes(status string) {
	i.DBInstanceStatus = &status
	switch status {
	case "creating", "renaming":
		i.Endpoint = nil
	case "available":
		i.Endpoint = &types.Endpoint{Address: aws.String(*i.DBInstanceIdentifier + ".c0ffee." + Name + ".rds.amazonaws.com"), Port: i.DbInstancePort}
	}
}

func (i *dbInstance) describe() types.DBInstance {
	d := i.DBInstance
	pending := *i.PendingModifiedValues
	d.PendingModifiedValues = &pending
	d.TagList, d.VpcSecurityGroups = slices.Clone(d.TagList), slices.Clone(d.VpcSecurityGroups)
	if s := i.MasterUserSecret; s != nil {
		secret := *s
		d.MasterUserSecret = &secret
	}
	return d
}

func noDB(id string) error {
	return &types.DBInstanceNotFoundFault{Message: aws.String("DBInstance " + id + " not found.")}
}

func (r *Region) dbNamed(id *string) (*dbInstance, error) {
	if i := r.databases.instances[strings.ToLower(aws.ToString(id))]; i != nil {
		return i, nil
	}
	return nil, noDB(aws.ToString(id))
}

// rdsPage is "Default: 100", "Minimum 20, maximum 100" (API reference).
const rdsPage = 100

func rdsRecords(n *int32) error {
	if n != nil && (*n < 20 || *n > rdsPage) {
		return failure("InvalidParameterValue", "MaxRecords must be between 20 and 100, not %d", *n)
	}
	return nil
}

var badMarker = failure("InvalidParameterValue", "The marker is not valid")

func (r *Region) describeDBInstances(in *rds.DescribeDBInstancesInput) (*rds.DescribeDBInstancesOutput, error) {
	if err := rdsRecords(in.MaxRecords); err != nil {
		return nil, err
	}
	if in.DBInstanceIdentifier != nil {
		i, err := r.dbNamed(in.DBInstanceIdentifier)
		if err != nil {
			return nil, err
		}
		return &rds.DescribeDBInstancesOutput{DBInstances: []types.DBInstance{i.describe()}}, nil
	}
	var all []types.DBInstance
	for _, i := range sorted(r.databases.instances) {
		all = append(all, i.describe())
	}
	all, next, err := page(r, all, in.Marker, deref(in.MaxRecords), rdsPage, badMarker)
	return &rds.DescribeDBInstancesOutput{DBInstances: all, Marker: next}, err
}

// taken reports whether an identifier is that of an instance, or becomes it.
func (r *Region) taken(id string) bool {
	for _, i := range r.databases.instances {
		if *i.DBInstanceIdentifier == id || aws.ToString(i.PendingModifiedValues.DBInstanceIdentifier) == id {
			return true
		}
	}
	return false
}

// restoreDBInstance: the instance has the master user and password of the snapshot, a
// single zone, the default security group and, unless given, the default parameter group
// ("Restoring to a DB instance"; API reference).
func (r *Region) restoreDBInstance(in *rds.RestoreDBInstanceFromDBSnapshotInput) (*rds.RestoreDBInstanceFromDBSnapshotOutput, error) {
	id := strings.ToLower(aws.ToString(in.DBInstanceIdentifier))
	s := r.databases.snapshots[aws.ToString(in.DBSnapshotIdentifier)]
	switch {
	case len(id) > 63 || !dbIdentifier.MatchString(id):
		return nil, failure("InvalidParameterValue", "The parameter DBInstanceIdentifier is not a valid identifier: %q", id)
	case s == nil:
		return nil, &types.DBSnapshotNotFoundFault{Message: aws.String("DBSnapshot " + aws.ToString(in.DBSnapshotIdentifier) + " not found.")}
	case *s.Status != "available":
		return nil, &types.InvalidDBSnapshotStateFault{Message: aws.String("Snapshot " + *s.DBSnapshotIdentifier + " is not available.")}
	case r.taken(id):
		return nil, &types.DBInstanceAlreadyExistsFault{Message: aws.String("DB instance already exists")}
	case (in.Iops != nil || in.StorageThroughput != nil) && aws.ToString(in.StorageType) == "gp3" && *s.AllocatedStorage < 400: // "gp3 storage", user guide
		return nil, failure("InvalidParameterCombination", "You can't specify IOPS or storage throughput for engine postgres and a storage size less than 400.")
	case deref(in.ManageMasterUserPassword) && !strings.HasPrefix(aws.ToString(s.Engine), "oracle"): // "Applies to RDS for Oracle only" (API reference)
		return nil, failure("InvalidParameterCombination", "ManageMasterUserPassword isn't supported for engine %s when restoring from a snapshot.", *s.Engine)
	case slices.ContainsFunc(in.Tags, func(t types.Tag) bool { return strings.HasPrefix(aws.ToString(t.Key), "aws:") }):
		return nil, failure("InvalidParameterValue", "Tag keys that begin with aws: are reserved.")
	}
	i := r.newDBInstance(id)
	i.Engine, i.EngineVersion, i.MasterUsername, i.StorageEncrypted, i.AllocatedStorage = s.Engine, s.EngineVersion, s.MasterUsername, s.Encrypted, s.AllocatedStorage
	i.DBInstanceClass, i.MultiAZ, i.DBName = in.DBInstanceClass, aws.Bool(deref(in.MultiAZ)), s.database
	if i.DbInstancePort = s.Port; in.Port != nil { // "Default: The same port as the original DB instance" (API reference)
		i.DbInstancePort = in.Port
	}
	i.DeletionProtection, i.BackupRetentionPeriod = aws.Bool(deref(in.DeletionProtection)), aws.Int32(7) // the snapshot's (assumed)
	if in.BackupRetentionPeriod != nil {
		i.BackupRetentionPeriod = in.BackupRetentionPeriod
	}
	i.place(aws.ToString(in.DBSubnetGroupName), in.VpcSecurityGroupIds, cmp.Or(aws.ToString(in.DBParameterGroupName), "default.postgres17"))
	i.TagList, i.data, i.password = slices.Clone(in.Tags), s.data, "of the snapshot "+*s.DBSnapshotIdentifier
	i.EnabledCloudwatchLogsExports, i.CopyTagsToSnapshot = in.EnableCloudwatchLogsExports, aws.Bool(deref(in.CopyTagsToSnapshot))
	r.after(r.timings.RestoreDB, func() {
		if *i.DBInstanceStatus != "creating" {
			return
		}
		i.becomes(cmp.Or(s.becomes, "available"))
		r.backUpDaily(i)
	})
	d := i.describe()
	return &rds.RestoreDBInstanceFromDBSnapshotOutput{DBInstance: &d}, nil
}

// manageSecret has RDS keep the password in a secret of its own, which cannot be read until
// it is active: a minute after the password is changed (assumed).
func (r *Region) manageSecret(i *dbInstance) {
	id := arn("secretsmanager", "secret:rds!"+"db-"+r.ids.uuid("rds secret")+"-a1b2c3")
	secret := &types.MasterUserSecret{SecretArn: &id, SecretStatus: aws.String("creating"), KmsKeyId: aws.String(arn("kms", "key/secretsmanager"))}
	i.MasterUserSecret = secret
	r.databases.secrets[id] = i
	r.resetPassword(i, r.ids.hex("rds password", 16))
	r.after(modifyLag+r.timings.ModifyDB+time.Minute, func() { secret.SecretStatus = aws.String("active") })
}

// deleteDBInstance: "You can't delete a DB instance when deletion protection is enabled";
// automated backups go with it unless they are to be retained (API reference). That one
// that is being created or renamed cannot be deleted is assumed.
func (r *Region) deleteDBInstance(in *rds.DeleteDBInstanceInput) (*rds.DeleteDBInstanceOutput, error) {
	i, err := r.dbNamed(in.DBInstanceIdentifier)
	if err != nil {
		return nil, err
	}
	switch {
	case deref(i.DeletionProtection):
		return nil, failure("InvalidParameterCombination", "Cannot delete protected DB Instance, please disable deletion protection and try again.")
	case !deref(in.SkipFinalSnapshot):
		return nil, failure("InvalidParameterCombination", "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.")
	case slices.Contains([]string{"creating", "renaming", "deleting"}, *i.DBInstanceStatus):
		return nil, wrongState(i)
	}
	i.becomes("deleting")
	r.after(r.timings.DeleteDB, func() {
		delete(r.databases.instances, *i.DBInstanceIdentifier)
		if i.MasterUserSecret != nil {
			delete(r.databases.secrets, *i.MasterUserSecret.SecretArn)
		}
		if in.DeleteAutomatedBackups == nil || *in.DeleteAutomatedBackups {
			maps.DeleteFunc(r.databases.snapshots, func(_ string, s *dbSnapshot) bool {
				return *s.SnapshotType == "automated" && aws.ToString(s.DbiResourceId) == *i.DbiResourceId
			})
		}
	})
	d := i.describe()
	return &rds.DeleteDBInstanceOutput{DBInstance: &d}, nil
}

func wrongState(i *dbInstance) error {
	return &types.InvalidDBInstanceStateFault{Message: aws.String("Instance " + *i.DBInstanceIdentifier + " is in status " + *i.DBInstanceStatus + ".")}
}

func (r *Region) addDBTags(in *rds.AddTagsToResourceInput) (*rds.AddTagsToResourceOutput, error) {
	name := aws.ToString(in.ResourceName)
	i, err := r.dbNamed(aws.String(name[strings.LastIndex(name, ":")+1:]))
	if err != nil {
		return nil, err
	}
	for _, t := range in.Tags {
		i.TagList = slices.DeleteFunc(i.TagList, func(old types.Tag) bool { return *old.Key == *t.Key })
		i.TagList = append(i.TagList, t)
	}
	return &rds.AddTagsToResourceOutput{}, nil
}

// modifyLag is for how long an instance is still shown as available, with what is pending,
// after ModifyDBInstance has answered (observed by many; assumed to be half a minute).
const modifyLag = 30 * time.Second
