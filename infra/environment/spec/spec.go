// Package spec reads environment files. An environment file describes an environment in one
// place: account and region, network, services, database, backups, and the settings of its
// deployment hooks. Package environment makes a stack of it.
//
// The package does not import the CDK, so that a mistake is reported within a second.
package spec

// Environment is one environment file. [Read] returns only valid ones, with defaults
// where nothing was given.
type Environment struct {
	// Name begins the names of the environment's stacks, such as production.
	Name string `yaml:"name"`
	// Account is where the environment is, 12 digits; empty means the account of the
	// credentials. Region is required.
	Account string `yaml:"account"`
	Region  string `yaml:"region"`
	// Protected protects the load balancer, the database and the stack from deletion.
	Protected bool `yaml:"protected"`

	Network  Network            `yaml:"network"`
	Domain   Domain             `yaml:"domain"`
	Services map[string]Service `yaml:"services"` // by name
	Database *Database          `yaml:"database"` // nil for none
	Backups  Backups            `yaml:"backups"`
	Logs     Logs               `yaml:"logs"`
	// Hooks are settings of the deployment hooks and of tenants, by their keys without
	// the prefix "deployhooks:".
	Hooks map[string]any `yaml:"hooks"`
}

// Network is the environment's VPC.
type Network struct {
	// CIDR is the VPC's address range, /16 to /22.
	CIDR string `yaml:"cidr"`
	// Zones are the letters of the Availability Zones, such as a, b and c, 2 to 5. A zone
	// may be added at the end later; the address ranges of the others stay.
	Zones []string `yaml:"zones"`
	// NATGateways is how many there are, 1 up to one in each zone. With fewer than zones,
	// the loss of a zone may cut instances in others off the internet.
	NATGateways int `yaml:"natGateways"`
}

// Domain is the name that users know.
type Domain struct {
	// Name is the domain's, such as example.com; HostedZoneID is that of its public
	// hosted zone in Route 53.
	Name         string `yaml:"name"`
	HostedZoneID string `yaml:"hostedZoneId"`
	// CertificateARN is that of an existing certificate in the environment's region;
	// empty means that the stack requests one and has it validated by DNS.
	CertificateARN string `yaml:"certificateArn"`
}

// Service is one web application: an Auto Scaling group behind a target group, released
// by CodeDeploy.
type Service struct {
	// Hosts are the host names that are routed to the service, below the domain's name or
	// the name itself.
	Hosts []string `yaml:"hosts"`
	// Zones are those of the network's zones that instances run in. They cannot be changed
	// later, as nothing in the template may be changed of the Auto Scaling group that the
	// first release replaces.
	Zones []string `yaml:"zones"`
	// Port is where instances listen, HealthCheckPath what they answer 200 to when they
	// can serve.
	Port            int    `yaml:"port"`
	HealthCheckPath string `yaml:"healthCheckPath"`
	// InstanceType such as t4g.small; Image is the SSM parameter of the machine image.
	InstanceType string `yaml:"instanceType"`
	Image        string `yaml:"image"`
	// MinInstances and MaxInstances bound the Auto Scaling group; between them it keeps
	// the CPU utilization at TargetCPUPercent.
	MinInstances     int `yaml:"minInstances"`
	MaxInstances     int `yaml:"maxInstances"`
	TargetCPUPercent int `yaml:"targetCpuPercent"`
	// DeregistrationDelaySeconds is how long requests in flight may take, 0 to 3600.
	DeregistrationDelaySeconds int `yaml:"deregistrationDelaySeconds"`
	// TerminationWaitMinutes is how long the blue group stays after a release, so that a
	// rollback is quick, 0 to 2880.
	TerminationWaitMinutes int `yaml:"terminationWaitMinutes"`
}

// Database is PostgreSQL on RDS.
type Database struct {
	Name           string `yaml:"name"`    // of the first database in it
	Version        string `yaml:"version"` // such as 17.6
	InstanceClass  string `yaml:"instanceClass"`
	StorageGiB     int    `yaml:"storageGiB"`
	MaxStorageGiB  int    `yaml:"maxStorageGiB"` // it grows by itself up to this
	MultiAZ        bool   `yaml:"multiAZ"`
	MaxConnections int    `yaml:"maxConnections"` // that the services may open in all; 0 for unknown
}

// Backups says how long the database's backups are kept, how they are proven, and
// whether the environment is filled from those of another.
type Backups struct {
	RetentionDays int `yaml:"retentionDays"` // 1 to 35
	// FillFrom is the name of the environment whose newest backup fills this one when an
	// operator asks for it; empty for none.
	FillFrom string `yaml:"fillFrom"`
	// ProofDays is how often the newest backup is restored and checked, 1 to 7.
	ProofDays int `yaml:"proofDays"`
	// Checks are what a restored backup must pass.
	Checks []Check `yaml:"checks"`
}

// Check is what one table of a restored backup must pass.
type Check struct {
	Table   string `yaml:"table"`   // schema.table
	MinRows int64  `yaml:"minRows"` // at least
	// NewestColumn is a timestamp column whose newest value is at most MaxAgeHours older
	// than the backup; both or none.
	NewestColumn string `yaml:"newestColumn"`
	MaxAgeHours  int    `yaml:"maxAgeHours"`
}

// Logs says how long logs are kept.
type Logs struct {
	RetentionDays int `yaml:"retentionDays"`
}
