// Package backup proves that an environment's backups can be restored, and fills an
// environment from the newest backup of another.
//
// A proof is a restore test: it restores the newest snapshot to a temporary instance, checks
// it by SQL, measures, and deletes the instance. A fill restores the newest snapshot of the other
// environment, checks it, and swaps the instances by renaming them: CloudFormation's
// resource and the endpoint's name keep the identifier. The former instance is deleted
// only when the new one answers under the name; its automated backups are retained.
//
// A state machine ([Machine]) calls [Backups.Run] until the run is over, and waits in
// between. What a run has done is in RDS and in one [Record]; so a function that ends
// between two calls, or an execution that is stopped, is continued or undone by the next call.
// Passwords are never part of an execution: the function reads them from Secrets Manager.
package backup

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/jackc/pgx/v5"

	"deployhooks/pkg/notice"
	"deployhooks/pkg/store"
)

// Config is the configuration from the function's environment.
type Config struct {
	// Environment is the environment's name, Instance the identifier of its DB instance,
	// and Database the database that is checked.
	Environment string `env:"ENVIRONMENT,required,notEmpty"`
	Instance    string `env:"INSTANCE,required,notEmpty"`
	Database    string `env:"DATABASE,required,notEmpty"`
	// SubnetGroup, SecurityGroup and InstanceClass are those of the instance that a proof
	// restores.
	SubnetGroup   string `env:"SUBNET_GROUP,required,notEmpty"`
	SecurityGroup string `env:"SECURITY_GROUP,required,notEmpty"`
	InstanceClass string `env:"INSTANCE_CLASS,required,notEmpty"`
	// Checks are what a restored backup must pass; for none, that it has a table.
	Checks Checks `env:"CHECKS"`
	// FillFrom is the identifier of the DB instance whose newest backup fills this
	// environment; empty for none. Secret is the ARN of the environment's master user.
	FillFrom string `env:"FILL_FROM"`
	Secret   string `env:"SECRET_ARN"`
}

// Check is what one table of a restored backup must pass.
type Check struct {
	Table   string `json:"table"`             // schema.table
	MinRows int64  `json:"minRows,omitempty"` // at least
	// NewestColumn is a timestamp column whose newest value is at most MaxAgeHours older
	// than the backup; both or none.
	NewestColumn string `json:"newestColumn,omitempty"`
	MaxAgeHours  int    `json:"maxAgeHours,omitempty"`
}

// Checks are read from JSON.
type Checks []Check

// UnmarshalText reads a list of checks.
func (c *Checks) UnmarshalText(text []byte) error { return json.Unmarshal(text, (*[]Check)(c)) }

// RDS is what backups call of RDS.
type RDS interface {
	rds.DescribeDBInstancesAPIClient
	rds.DescribeDBSnapshotsAPIClient
	RestoreDBInstanceFromDBSnapshot(context.Context, *rds.RestoreDBInstanceFromDBSnapshotInput, ...func(*rds.Options)) (*rds.RestoreDBInstanceFromDBSnapshotOutput, error)
	ModifyDBInstance(context.Context, *rds.ModifyDBInstanceInput, ...func(*rds.Options)) (*rds.ModifyDBInstanceOutput, error)
	DeleteDBInstance(context.Context, *rds.DeleteDBInstanceInput, ...func(*rds.Options)) (*rds.DeleteDBInstanceOutput, error)
}

// Secrets is what backups call of Secrets Manager.
type Secrets interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Notices is what backups call of [notice.Publisher].
type Notices interface {
	Publish(context.Context, notice.Notice) error
	Count(outcome string)
	Measure(environment string, values ...notice.Value)
}

// Parts are the configuration and the dependencies of [Backups].
type Parts struct {
	Config  Config
	RDS     RDS
	Secrets Secrets
	// Store has the environment's [Record].
	Store store.Store[Record]
	// Connect connects to PostgreSQL; pgx.ConnectConfig unless set.
	Connect func(context.Context, *pgx.ConnConfig) (*pgx.Conn, error)
	// Authorities are the certificate authorities of RDS in PEM; see [Authorities].
	Authorities func(context.Context) ([]byte, error)
	Notices     Notices
	Now         func() time.Time
	Log         *slog.Logger
}

// Backups are the backups of one environment.
type Backups struct{ Parts }

// New returns the backups of an environment.
func New(p Parts) *Backups {
	if p.Connect == nil {
		p.Connect = pgx.ConnectConfig
	}
	return &Backups{p}
}

// Names of instances. They are fixed, because an environment has one run at a time: what
// is found under one of them is the run's, or was left by an earlier one.
const (
	proofPrefix  = "deployhooks-proof-"
	fillPrefix   = "deployhooks-fill-"
	formerPrefix = "deployhooks-former-"
)

// Tags of restored instances: for which environment's instance, and by which run.
const (
	tagFor = "deployhooks:restored-for"
	tagRun = "deployhooks:run"
)

// Limits of a run. An instance of some terabytes is restored within an hour or two; it is
// available before all of its data is loaded ("Restoring to a DB instance", Amazon RDS
// User Guide).
const (
	runLimit     = 8 * time.Hour
	undoLimit    = 2 * time.Hour    // since the last change, and beyond runLimit
	answerLimit  = 30 * time.Minute // for a database that is available and does not answer; a renamed one's name takes "about 10 minutes" ("Renaming a DB instance")
	abandonLimit = 30 * time.Minute // since a run was last continued; far longer than its waits and retries
	interval     = 30 * time.Second // between two reconciles
)
