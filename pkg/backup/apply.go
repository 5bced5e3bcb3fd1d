package backup

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// apply makes the change of a step. It may be made again.
func (b *Backups) apply(ctx context.Context, s Step, run *Run, o Observed) error {
	switch s.Do {
	case Restore:
		return b.restore(ctx, s.ID, run, o)
	case Settle:
		if run.Action == Prove {
			return b.manage(ctx, s.Instance)
		}
		return b.settle(ctx, s.Instance, o.Replaced)
	case Unprotect:
		return b.modify(ctx, &rds.ModifyDBInstanceInput{DBInstanceIdentifier: &s.Instance.ID, DeletionProtection: aws.Bool(false), ApplyImmediately: aws.Bool(true)})
	case Rename:
		return b.modify(ctx, &rds.ModifyDBInstanceInput{DBInstanceIdentifier: &s.Instance.ID, NewDBInstanceIdentifier: &s.To, ApplyImmediately: aws.Bool(true)})
	case Delete:
		return b.delete(ctx, s.Instance)
	}
	return nil
}

func (b *Backups) modify(ctx context.Context, in *rds.ModifyDBInstanceInput) error {
	if _, err := b.RDS.ModifyDBInstance(ctx, in); err != nil {
		return fmt.Errorf("change DB instance %s: %w", *in.DBInstanceIdentifier, err)
	}
	return nil
}

// delete deletes an instance. What a restored one held is in its snapshot still. What the
// former one of a fill held is in its automated backups, which RDS then keeps for their
// retention period; a restored one that fails has none.
func (b *Backups) delete(ctx context.Context, i *Instance) error {
	_, err := b.RDS.DeleteDBInstance(ctx, &rds.DeleteDBInstanceInput{
		DBInstanceIdentifier: &i.ID, SkipFinalSnapshot: aws.Bool(true), DeleteAutomatedBackups: aws.Bool(!strings.HasPrefix(i.ID, formerPrefix)),
	})
	if err != nil {
		return fmt.Errorf("delete DB instance %s: %w", i.ID, err)
	}
	return nil
}

func (b *Backups) restore(ctx context.Context, id string, run *Run, o Observed) error {
	in := &rds.RestoreDBInstanceFromDBSnapshotInput{
		DBInstanceIdentifier: &id, DBSnapshotIdentifier: &run.Snapshot, PubliclyAccessible: aws.Bool(false),
		Tags: []types.Tag{{Key: aws.String(tagFor), Value: &b.Config.Instance}, {Key: aws.String(tagRun), Value: &run.ID}},
	}
	if run.Action == Fill {
		b.like(in, o.Replaced.settings)
	} else {
		b.alone(in)
	}
	if _, err := b.RDS.RestoreDBInstanceFromDBSnapshot(ctx, in); err != nil {
		return fmt.Errorf("restore %s to %s: %w", run.Snapshot, id, err)
	}
	return nil
}

// alone are the settings of an instance that is deleted after its checks: small, without
// backups.
func (b *Backups) alone(in *rds.RestoreDBInstanceFromDBSnapshotInput) {
	in.DBInstanceClass, in.DBSubnetGroupName, in.VpcSecurityGroupIds = &b.Config.InstanceClass, &b.Config.SubnetGroup, []string{b.Config.SecurityGroup}
	in.MultiAZ, in.DeletionProtection, in.CopyTagsToSnapshot, in.AutoMinorVersionUpgrade = aws.Bool(false), aws.Bool(false), aws.Bool(false), aws.Bool(false)
	in.BackupRetentionPeriod = aws.Int32(0)
}

// manage has RDS manage the password of an instance that is deleted after its checks, in a
// secret that it deletes with the instance ("Password management with Amazon RDS and AWS
// Secrets Manager", Amazon RDS User Guide). A restore cannot ask for that: its
// ManageMasterUserPassword "applies to RDS for Oracle only" (API reference).
func (b *Backups) manage(ctx context.Context, i *Instance) error {
	return b.modify(ctx, &rds.ModifyDBInstanceInput{DBInstanceIdentifier: &i.ID, ManageMasterUserPassword: aws.Bool(true), ApplyImmediately: aws.Bool(true)})
}

// like are the settings of an instance that replaces another. CloudFormation's own tags are
// reserved; it finds its resource by the identifier.
func (b *Backups) like(in *rds.RestoreDBInstanceFromDBSnapshotInput, d types.DBInstance) {
	in.DBInstanceClass, in.DBSubnetGroupName, in.MultiAZ = d.DBInstanceClass, d.DBSubnetGroup.DBSubnetGroupName, d.MultiAZ
	if d.Endpoint != nil { // unless given, the port is the snapshot's
		in.Port = d.Endpoint.Port
	}
	for _, g := range d.VpcSecurityGroups {
		in.VpcSecurityGroupIds = append(in.VpcSecurityGroupIds, aws.ToString(g.VpcSecurityGroupId))
	}
	if len(d.DBParameterGroups) > 0 {
		in.DBParameterGroupName = d.DBParameterGroups[0].DBParameterGroupName
	}
	in.BackupRetentionPeriod, in.PreferredBackupWindow, in.CopyTagsToSnapshot, in.AutoMinorVersionUpgrade = d.BackupRetentionPeriod, d.PreferredBackupWindow, d.CopyTagsToSnapshot, d.AutoMinorVersionUpgrade
	if in.StorageType = d.StorageType; strings.HasPrefix(aws.ToString(d.StorageType), "io") {
		in.Iops = d.Iops // of gp3 they follow from its size, and below 400 GiB must not be given ("gp3 storage")
	}
	in.EnableCloudwatchLogsExports, in.EnableIAMDatabaseAuthentication = d.EnabledCloudwatchLogsExports, d.IAMDatabaseAuthenticationEnabled
	for _, t := range d.TagList {
		if key := aws.ToString(t.Key); !strings.HasPrefix(key, "aws:") && key != tagFor && key != tagRun {
			in.Tags = append(in.Tags, t)
		}
	}
}

// settle sets what a restore does not take, and the password of the environment's secret.
func (b *Backups) settle(ctx context.Context, i, former *Instance) error {
	l, err := b.login(ctx, b.Config.Secret)
	if err != nil {
		return err
	}
	d := former.settings
	in := &rds.ModifyDBInstanceInput{
		DBInstanceIdentifier: &i.ID, ApplyImmediately: aws.Bool(true), MasterUserPassword: &l.Password,
		DeletionProtection: d.DeletionProtection, MaxAllocatedStorage: d.MaxAllocatedStorage, PreferredMaintenanceWindow: d.PreferredMaintenanceWindow,
	}
	if aws.ToBool(d.PerformanceInsightsEnabled) {
		in.EnablePerformanceInsights, in.PerformanceInsightsRetentionPeriod = d.PerformanceInsightsEnabled, d.PerformanceInsightsRetentionPeriod
	}
	return b.modify(ctx, in)
}
