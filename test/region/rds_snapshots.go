package region

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// AddDBSnapshot makes a snapshot. Its instance need not exist any more.
func (r *Region) AddDBSnapshot(d DBSnapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d.At.IsZero() {
		d.At = r.clock.now
	}
	r.addDBSnapshot(d)
}

func (r *Region) addDBSnapshot(d DBSnapshot) {
	if d.Original.IsZero() {
		d.Original = d.At
	}
	s := &dbSnapshot{data: d.Data, becomes: d.Becomes, DBSnapshot: types.DBSnapshot{
		DBSnapshotIdentifier: &d.ID, DBInstanceIdentifier: &d.Instance, SnapshotType: aws.String(cmp.Or(d.Type, "automated")), Status: aws.String(cmp.Or(d.Status, "available")),
		DBSnapshotArn: aws.String(arn("rds", "snapshot:"+d.ID)), SnapshotCreateTime: &d.At, OriginalSnapshotCreateTime: &d.Original, Engine: aws.String("postgres"), EngineVersion: aws.String("17.6"),
		MasterUsername: aws.String(cmp.Or(d.User, "postgres")), Encrypted: &d.Encrypted, AllocatedStorage: aws.Int32(20), Port: aws.Int32(5432),
	}}
	if i := r.databases.instances[d.Instance]; i != nil {
		s.data, s.database, s.Engine, s.EngineVersion, s.DbiResourceId, s.Port = cmp.Or(d.Data, i.data), i.DBName, i.Engine, i.EngineVersion, i.DbiResourceId, i.DbInstancePort
		s.MasterUsername, s.AllocatedStorage = aws.String(cmp.Or(d.User, aws.ToString(i.MasterUsername))), i.AllocatedStorage
		s.Encrypted = aws.Bool(d.Encrypted || deref(i.StorageEncrypted))
	}
	r.databases.snapshots[d.ID] = s
}

// RemoveDBSnapshots removes the snapshots of an instance, as somebody else might.
func (r *Region) RemoveDBSnapshots(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range r.databases.snapshots {
		if *s.DBInstanceIdentifier == instance {
			delete(r.databases.snapshots, id)
		}
	}
}

// RemoveDBInstance removes an instance at once, as somebody else might.
func (r *Region) RemoveDBInstance(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.databases.instances, id)
}

// backUpDaily takes an automated snapshot in each night's backup window, and keeps it for
// the retention period ("Introduction to backups"). An instance has one schedule, whatever
// its name is.
func (r *Region) backUpDaily(i *dbInstance) {
	from, _, _ := strings.Cut(*i.PreferredBackupWindow, "-")
	at, err := time.Parse("15:04", from)
	must(err)
	night := r.clock.now.Truncate(24 * time.Hour).Add(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute)
	for !night.After(r.clock.now) {
		night = night.Add(24 * time.Hour)
	}
	r.at(night, func() {
		if r.databases.instances[*i.DBInstanceIdentifier] != i {
			return // deleted
		}
		if days := deref(i.BackupRetentionPeriod); days > 0 && i.answers() {
			for id, s := range r.databases.snapshots {
				if *s.SnapshotType == "automated" && aws.ToString(s.DbiResourceId) == *i.DbiResourceId && r.clock.now.Sub(*s.SnapshotCreateTime) > time.Duration(days)*24*time.Hour {
					delete(r.databases.snapshots, id)
				}
			}
			r.addDBSnapshot(DBSnapshot{ID: "rds:" + *i.DBInstanceIdentifier + "-" + r.clock.now.Format("2006-01-02-15-04"), Instance: *i.DBInstanceIdentifier, At: r.clock.now})
		}
		r.backUpDaily(i)
	})
}

// describeDBSnapshots: "If you don't specify a SnapshotType value, then both automated and
// manual snapshots are returned"; shared ones with IncludeShared or their type (API
// reference). An instance that does not exist has none (observed).
func (r *Region) describeDBSnapshots(in *rds.DescribeDBSnapshotsInput) (*rds.DescribeDBSnapshotsOutput, error) {
	if err := rdsRecords(in.MaxRecords); err != nil {
		return nil, err
	}
	if id := aws.ToString(in.DBSnapshotIdentifier); id != "" && r.databases.snapshots[id] == nil {
		return nil, &types.DBSnapshotNotFoundFault{Message: aws.String("DBSnapshot " + id + " not found.")}
	}
	kinds := []string{"automated", "manual"}
	if deref(in.IncludeShared) {
		kinds = append(kinds, "shared")
	}
	if in.SnapshotType != nil {
		kinds = []string{*in.SnapshotType}
	}
	var all []types.DBSnapshot
	for _, s := range sorted(r.databases.snapshots) {
		if slices.Contains(kinds, *s.SnapshotType) && matchesText(in.DBInstanceIdentifier, s.DBInstanceIdentifier) && matchesText(in.DBSnapshotIdentifier, s.DBSnapshotIdentifier) {
			all = append(all, s.DBSnapshot)
		}
	}
	all, next, err := page(r, all, in.Marker, deref(in.MaxRecords), rdsPage, badMarker)
	return &rds.DescribeDBSnapshotsOutput{DBSnapshots: all, Marker: next}, err
}

// matchesText reports whether a text is the one asked for, if any is.
func matchesText(asked, text *string) bool { return asked == nil || *asked == aws.ToString(text) }
