package spec

import (
	"errors"
	"hash/fnv"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A name of a resource that follows from the file, with AWS's limit.
type derivedName struct {
	what, name string
	limit      int
	path       string // of what it is made of
}

// derived are the names that may become too long.
func derived(e *Environment) []derivedName {
	all := []derivedName{
		{"load balancer", e.Name, 32, "name"},                         // Elastic Load Balancing API reference, CreateLoadBalancer
		{"database's identifier", e.DatabaseIdentifier(), 63, "name"}, // RDS API reference, CreateDBInstance
		{"stack", "deployhooks-" + e.Name + "-tenants", 128, "name"},  // CloudFormation API reference, CreateStack
		{"database's identifier while a fill replaces it", "deployhooks-former-" + e.DatabaseIdentifier(), 63, "name"},
	}
	for _, name := range slices.Sorted(maps.Keys(e.Services)) {
		all = append(all, derivedName{"target group", e.ServiceName(name), 32, "services." + name}) // Elastic Load Balancing API reference, CreateTargetGroup
	}
	return all
}

// InOutputs is a service's name in the names of outputs, which have no hyphens.
func InOutputs(service string) string {
	name := ""
	for part := range strings.SplitSeq(service, "-") {
		name += strings.ToUpper(part[:min(1, len(part))]) + part[min(1, len(part)):]
	}
	return name
}

// ServiceName is the name of a service's target group, CodeDeploy application and
// deployment group.
func (e *Environment) ServiceName(service string) string { return e.Name + "-" + service }

// DatabaseIdentifier is the name of the database's instance in RDS.
func (e *Environment) DatabaseIdentifier() string { return e.Name }

// Priority is that of a service's rules on the load balancer, 1 to 50000. It follows from
// the name alone, so that another service does not move it: two rules cannot swap theirs in
// one update.
func Priority(service string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(service)) // it never fails
	return int(h.Sum32()%50000) + 1
}

// CertificateNames are those of the certificate that the stack requests: the domain and all
// one level below it, which other services do not change, and hosts further below, which a
// wildcard does not cover.
func (e *Environment) CertificateNames() []string {
	all := []string{e.Domain.Name, "*." + e.Domain.Name}
	for _, name := range slices.Sorted(maps.Keys(e.Services)) {
		for _, host := range e.Services[name].Hosts {
			if below, ok := strings.CutSuffix(host, "."+e.Domain.Name); ok && strings.Contains(below, ".") {
				all = append(all, host)
			}
		}
	}
	return all
}

// graviton reports whether an instance type is of AWS's own processors: a g follows the
// generation (EC2 user guide, "Amazon EC2 instance type naming conventions").
func graviton(instanceType string) bool {
	return regexp.MustCompile(`^(a1|[a-z-]+[0-9]+[a-z-]*g[a-z-]*)\.`).MatchString(instanceType)
}

// AmazonLinux is the public parameter of the newest image ("Reference AMIs using Systems
// Manager parameters", EC2 user guide).
func AmazonLinux(instanceType string) string {
	if graviton(instanceType) {
		return "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
	}
	return "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
}

// class is a class of a database instance: family, generation with what it adds, size.
var class = regexp.MustCompile(`^db\.([tmr])[3-9][a-z]*\.(micro|small|medium|large|(2|4|8|12|16|24|32|48)?xlarge)$`)

// memory is a class's, in GiB ("Hardware specifications for DB instance classes", RDS user
// guide): an xlarge has 16, twice that in family r, and each size half or twice the next.
func memory(instanceClass string) (float64, error) {
	m := class.FindStringSubmatch(instanceClass)
	if m == nil {
		return 0, errors.New("not a class of these families")
	}
	gib := map[string]float64{"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16}[m[2]]
	if m[3] != "" {
		times, _ := strconv.Atoi(m[3]) // digits
		gib = 16 * float64(times)
	}
	if m[1] != "t" && strings.Contains("micro small medium", m[2]) || m[1] == "t" && gib > 32 {
		return 0, errors.New("not a size of this family")
	}
	if m[1] == "r" {
		gib *= 2
	}
	return gib, nil
}

// mostConnections is how many connections RDS allows at most unless max_connections is set.
const mostConnections = 5000

// Connections is how many connections the database takes, and the services may open: what
// the file says, or else what there is memory for.
func (d *Database) Connections() int {
	gib, err := memory(d.InstanceClass)
	if d.MaxConnections > 0 || err != nil {
		return d.MaxConnections
	}
	return connections(gib)
}

// connections is how many connections PostgreSQL takes by default with so much memory:
// LEAST(DBInstanceClassMemory/9531392, 5000) ("Maximum number of database connections",
// RDS user guide).
func connections(gib float64) int {
	return min(int(gib*(1<<30)/9531392), mostConnections)
}
