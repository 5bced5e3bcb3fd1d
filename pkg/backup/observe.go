package backup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// Instance is what a plan needs of a DB instance.
type Instance struct {
	ID       string
	Resource string // stays when the instance is renamed
	Status   string
	Created  time.Time // by RDS, also of a restored one
	// Pending means that a new name or password takes effect later; the status may not
	// show it yet.
	Pending   bool
	Protected bool
	// Run and For are our tags; empty for an instance that we have not restored.
	Run, For string
	// SecretReady means that the password that RDS manages can be read.
	SecretReady bool
	settings    types.DBInstance
}

// Observed is what RDS says. An instance that does not exist is nil.
type Observed struct {
	// Target has the environment's identifier; Proof, Fill and Former have ours.
	Target, Proof, Fill, Former *Instance
	// Replaced is the instance that the fill in progress replaces, under whatever name.
	Replaced *Instance
	// From is the instance that fills the environment.
	From *Instance
	// Newest is the newest snapshot of Target that can be restored, Source that of From. Where
	// there is no such instance, it is the newest of any that had its identifier.
	Newest, Source *Snapshot
}

// Snapshot is what a plan needs of a snapshot.
type Snapshot struct {
	ID, Engine, Version, User string
	Taken                     time.Time
	Encrypted                 bool
	Storage                   int32 // in GiB
}

// ready reports whether an instance can be worked with.
func (i *Instance) ready() bool { return i != nil && i.Status == "available" && !i.Pending }

func (b *Backups) observe(ctx context.Context, run *Run) (Observed, error) {
	var o Observed
	pages := rds.NewDescribeDBInstancesPaginator(b.RDS, &rds.DescribeDBInstancesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return o, fmt.Errorf("list DB instances: %w", err)
		}
		for _, d := range page.DBInstances {
			b.take(&o, instanceOf(d), run)
		}
	}
	var err error
	if o.Newest, err = b.newest(ctx, b.Config.Instance, o.Target); err == nil && b.Config.FillFrom != "" {
		o.Source, err = b.newest(ctx, b.Config.FillFrom, o.From)
	}
	return o, err
}

// take puts an instance where it belongs, if it concerns us.
func (b *Backups) take(o *Observed, i *Instance, run *Run) {
	switch i.ID {
	case b.Config.Instance:
		o.Target = i
	case proofPrefix + b.Config.Instance:
		o.Proof = i
	case fillPrefix + b.Config.Instance:
		o.Fill = i
	case formerPrefix + b.Config.Instance:
		o.Former = i
	case b.Config.FillFrom:
		o.From = i
	}
	if run != nil && run.Former == i.Resource {
		o.Replaced = i
	}
}

func instanceOf(d types.DBInstance) *Instance {
	i := &Instance{
		ID: aws.ToString(d.DBInstanceIdentifier), Resource: aws.ToString(d.DbiResourceId), Status: aws.ToString(d.DBInstanceStatus), Created: aws.ToTime(d.InstanceCreateTime),
		Protected: aws.ToBool(d.DeletionProtection), settings: d,
	}
	if p := d.PendingModifiedValues; p != nil {
		i.Pending = p.DBInstanceIdentifier != nil || p.MasterUserPassword != nil
	}
	if s := d.MasterUserSecret; s != nil {
		i.SecretReady = aws.ToString(s.SecretStatus) == "active"
	}
	for _, t := range d.TagList {
		switch aws.ToString(t.Key) {
		case tagFor:
			i.For = aws.ToString(t.Value)
		case tagRun:
			i.Run = aws.ToString(t.Value)
		}
	}
	return i
}

// newest is the newest snapshot, automated or manual, that is available: of an instance if it
// exists, and otherwise of its identifier. An identifier that a fill has moved to another
// instance has snapshots of both, which their DbiResourceId tells apart: it "can't be changed"
// (DBSnapshot, Amazon RDS API Reference).
func (b *Backups) newest(ctx context.Context, id string, of *Instance) (*Snapshot, error) {
	var found *Snapshot
	pages := rds.NewDescribeDBSnapshotsPaginator(b.RDS, &rds.DescribeDBSnapshotsInput{DBInstanceIdentifier: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list snapshots of %s: %w", id, err)
		}
		for _, s := range page.DBSnapshots {
			if of != nil && aws.ToString(s.DbiResourceId) != of.Resource {
				continue
			}
			taken := aws.ToTime(s.OriginalSnapshotCreateTime)
			if taken.IsZero() {
				taken = aws.ToTime(s.SnapshotCreateTime)
			}
			if aws.ToString(s.Status) != "available" || found != nil && !taken.After(found.Taken) {
				continue
			}
			found = &Snapshot{
				ID: aws.ToString(s.DBSnapshotIdentifier), Engine: aws.ToString(s.Engine), Version: aws.ToString(s.EngineVersion), User: aws.ToString(s.MasterUsername),
				Taken: taken, Encrypted: aws.ToBool(s.Encrypted), Storage: aws.ToInt32(s.AllocatedStorage),
			}
		}
	}
	return found, nil
}

// major is the first part of a version.
func major(version string) string {
	first, _, _ := strings.Cut(version, ".")
	return first
}
