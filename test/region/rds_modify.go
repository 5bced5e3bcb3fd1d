package region

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// modifyDBInstance changes what needs no time at once, and the password and the identifier
// after a while, in which the instance is resetting-master-credentials, or renaming ("Viewing
// Amazon RDS DB instance status").
func (r *Region) modifyDBInstance(in *rds.ModifyDBInstanceInput) (*rds.ModifyDBInstanceOutput, error) {
	i, err := r.dbNamed(in.DBInstanceIdentifier)
	if err != nil {
		return nil, err
	}
	name := strings.ToLower(aws.ToString(in.NewDBInstanceIdentifier))
	password := aws.ToString(in.MasterUserPassword)
	pending := i.PendingModifiedValues
	switch {
	case *i.DBInstanceStatus != "available" && *i.DBInstanceStatus != "storage-full", pending.DBInstanceIdentifier != nil, pending.MasterUserPassword != nil:
		return nil, wrongState(i)
	case !deref(in.ApplyImmediately) && (name != "" || password != ""):
		return nil, failure("InvalidParameterCombination", "the simulated region has no maintenance windows: apply immediately")
	case password != "" && (deref(in.ManageMasterUserPassword) || i.MasterUserSecret != nil && in.ManageMasterUserPassword == nil):
		return nil, failure("InvalidParameterCombination", "You can't specify MasterUserPassword for an instance with ManageMasterUserPassword enabled.")
	case name != "" && (len(name) > 63 || !dbIdentifier.MatchString(name)):
		return nil, failure("InvalidParameterValue", "The parameter NewDBInstanceIdentifier is not a valid identifier: %q", name)
	case name != "" && r.taken(name):
		return nil, &types.DBInstanceAlreadyExistsFault{Message: aws.String("DB instance already exists")}
	}
	if in.DeletionProtection != nil {
		i.DeletionProtection = in.DeletionProtection
	}
	if in.BackupRetentionPeriod != nil {
		i.BackupRetentionPeriod = in.BackupRetentionPeriod
	}
	if in.VpcSecurityGroupIds != nil {
		i.place(*i.DBSubnetGroup.DBSubnetGroupName, in.VpcSecurityGroupIds, *i.DBParameterGroups[0].DBParameterGroupName)
	}
	if in.MaxAllocatedStorage != nil {
		i.MaxAllocatedStorage = in.MaxAllocatedStorage
	}
	if in.PreferredMaintenanceWindow != nil {
		i.PreferredMaintenanceWindow = in.PreferredMaintenanceWindow
	}
	if in.EnablePerformanceInsights != nil {
		i.PerformanceInsightsEnabled, i.PerformanceInsightsRetentionPeriod = in.EnablePerformanceInsights, in.PerformanceInsightsRetentionPeriod
	}
	if deref(in.ManageMasterUserPassword) && i.MasterUserSecret == nil {
		r.manageSecret(i)
	}
	if password != "" {
		r.resetPassword(i, password)
	}
	if name != "" {
		r.rename(i, name)
	}
	d := i.describe()
	return &rds.ModifyDBInstanceOutput{DBInstance: &d}, nil
}

func (r *Region) resetPassword(i *dbInstance, password string) {
	i.PendingModifiedValues.MasterUserPassword = aws.String("****")
	r.after(modifyLag, func() {
		i.PendingModifiedValues.MasterUserPassword = nil
		r.passes(i, "resetting-master-credentials", func() { i.password = password })
	})
}

// rename: "The new DNS name for the renamed DB instance becomes effective in about 10
// minutes. The renamed DB instance is not available until the new name becomes effective";
// tags and the resource ID stay ("Renaming a DB instance"). That it is listed under its
// former identifier until then is assumed.
func (r *Region) rename(i *dbInstance, name string) {
	i.PendingModifiedValues.DBInstanceIdentifier = &name
	r.after(modifyLag, func() {
		i.becomes("renaming")
		r.after(r.timings.RenameDB, func() {
			if r.databases.instances[*i.DBInstanceIdentifier] != i {
				return
			}
			delete(r.databases.instances, *i.DBInstanceIdentifier)
			i.PendingModifiedValues.DBInstanceIdentifier = nil
			i.DBInstanceIdentifier, i.DBInstanceArn = &name, aws.String(arn("rds", "db:"+name))
			r.databases.instances[name] = i
			i.becomes("available")
		})
	})
}

// passes has an instance be in a status for a while, if it is available.
func (r *Region) passes(i *dbInstance, status string, then func()) {
	if *i.DBInstanceStatus != "available" {
		then()
		return
	}
	i.becomes(status)
	r.after(r.timings.ModifyDB, func() {
		then()
		if *i.DBInstanceStatus == status {
			i.becomes("available")
		}
	})
}
