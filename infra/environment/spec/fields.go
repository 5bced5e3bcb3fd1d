package spec

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"deployhooks/infra/config"
)

// fields are the keys of an environment file, in the order in which people read them.
func fields(e *Environment) []field {
	return []field{
		{"name", required, "the prefix of the names of the environment's stacks and resources; another name is another environment", label(&e.Name).and("; of two in the same account and region, neither may begin with the other's name and a hyphen")},
		{"account", "", "the AWS account; none means that of the credentials", account(&e.Account)},
		{"region", required, "the AWS region", pattern(&e.Region, "a region, such as eu-west-1", `^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`, "not a region")},
		{"protected", "true", "whether the load balancer, the database and the stacks are protected from deletion, also by make destroy", boolean(&e.Protected)},
		{"network", required, "the VPC", object(networkFields(&e.Network)...)},
		{"domain", required, "the domain that users know", object(domainFields(&e.Domain)...)},
		{"services", required, "the web applications, by name", services(e)},
		{"database", "", "PostgreSQL on RDS; none means no database", database(e)},
		{"backups", "{}", "the database's backups", object(backupFields(&e.Backups)...)},
		{"logs", "{}", "the logs of services, network and database", object(field{"retentionDays", "30", "how long they are kept", retention(&e.Logs.RetentionDays)})},
		{"hooks", "{}", "settings of the hooks and tenants, by the keys under Configuration without the prefix deployhooks:; repairTag and drainTag default to the environment's tag", hooks(e)},
	}
}

func networkFields(n *Network) []field {
	return []field{
		{"cidr", required, "the VPC's address range, fixed once deployed; it must not overlap that of another environment in the folder", text(&n.CIDR, "a private IPv4 range from /16 to /22, such as 10.10.0.0/16, outside 172.17.0.0/16, which AWS services use", addresses)},
		{"zones", required, "the Availability Zones; add new ones at the end, so that existing subnets keep their addresses", texts(&n.Zones, "letters, such as [a, b, c]", 2, MaxZones, zone)},
		{"natGateways", "1", "the number of NAT gateways; with fewer than zones, the failure of a zone may cut instances in other zones off the internet", between(&n.NATGateways, 1, MaxZones).and(", at most one for each zone")},
	}
}

func domainFields(d *Domain) []field {
	return []field{
		{"name", required, "the domain", text(&d.Name, "a host name, such as example.com", host)},
		{"hostedZoneId", required, "the public hosted zone of the domain in Route 53", pattern(&d.HostedZoneID, "the ID of a hosted zone, such as Z0123456789ABCDEFGHIJ", `^Z[A-Z0-9]{5,31}$`, "not the ID of a hosted zone")},
		{"certificateArn", "", "an existing certificate; none means that the stack requests one, for the domain, its wildcard and the hosts that the wildcard does not cover", pattern(&d.CertificateARN, "the ARN of an ACM certificate in the environment's region and account",
			`^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[A-Za-z0-9-]+$`, "not the ARN of a certificate")},
	}
}

func serviceFields(s *Service) []field {
	return []field{
		{"hosts", required, "the host names that are routed to it", texts(&s.Hosts, "host names, each the domain or below it, and of one service only", 1, 5, host)}, // 5 values in a rule (ALB guide, "Quotas")
		{"zones", required, "the zones that instances run in, fixed once deployed, whatever zones the network gets later", texts(&s.Zones, "zones of the network", 1, MaxZones, zone)},
		{"port", "8080", "the port on which instances serve HTTP, fixed once deployed", between(&s.Port, 1, 65535)},
		{"healthCheckPath", "/", "the path that responds with 200 when an instance can serve", pattern(&s.HealthCheckPath, "a path that begins with /, of at most 1000 characters", `^/[!-~]{0,999}$`, "not a path")},
		{"instanceType", required, "the type of the instances", pattern(&s.InstanceType, "an EC2 instance type, such as t4g.small", `^[a-z][a-z0-9-]*\.[a-z0-9-]+$`, "not an instance type")},
		{"image", "", "the SSM parameter of the machine image; none means Amazon Linux 2023 for the type's architecture", pattern(&s.Image, "the name of an SSM parameter", `^(/[A-Za-z0-9_.-]+)+$`, "not the name of a parameter")},
		{"minInstances", required, "the minimum number of instances", between(&s.MinInstances, 1, 1000)},
		{"maxInstances", required, "the maximum number of instances", between(&s.MaxInstances, 1, 1000).and(", not less than minInstances")},
		{"targetCpuPercent", "50", "the average CPU utilization that target tracking keeps", between(&s.TargetCPUPercent, 10, 90)},
		{"deregistrationDelaySeconds", "60", "how long requests in flight have to finish before an instance terminates", between(&s.DeregistrationDelaySeconds, 0, 3600)},
		{"terminationWaitMinutes", "60", "how long the replaced instances stay after a release, for a quick rollback", between(&s.TerminationWaitMinutes, 0, 2880)},
	}
}

func databaseFields(d *Database) []field {
	return []field{
		{"name", required, "the name of the database", pattern(&d.Name, "at most 63 lowercase letters, digits and _, the first a letter", `^[a-z][a-z0-9_]{0,62}$`, "not a name that PostgreSQL takes without quotes")},
		{"version", required, "the version of PostgreSQL, in quotes", pattern(&d.Version, `"major.minor", such as "17.6", 13 or later`, `^(1[3-9]|[2-9][0-9])\.[0-9]{1,2}$`, "not a version")},
		{"instanceClass", required, "the instance class; a change restarts the database", text(&d.InstanceClass, "a class of families t, m or r, such as db.t4g.micro or db.m7g.large", func(c string) error { _, err := memory(c); return err })},
		{"storageGiB", "20", "the initial storage", between(&d.StorageGiB, 20, mostStorage)},
		{"maxStorageGiB", required, "the limit of storage autoscaling", between(&d.MaxStorageGiB, 22, mostStorage).and(", at least 10 % more than storageGiB, and than maxStorageGiB of the environment in fillFrom")},
		{"multiAZ", "false", "whether there is a standby in another zone that takes over", boolean(&d.MultiAZ)},
		{"maxConnections", "0", "how many connections all services open together, for the alarm; 0 means as many as the class allows", between(&d.MaxConnections, 0, mostConnections).and(", not more than the class has memory for")},
	}
}

// mostStorage is how much storage an instance may have, in GiB ("Amazon RDS DB instance
// storage", RDS user guide).
const mostStorage = 65536

func backupFields(b *Backups) []field {
	return []field{
		{"retentionDays", "7", "how long automated backups are kept", between(&b.RetentionDays, 1, 35)},
		{"fillFrom", "", "the environment whose newest backup replaces this one's data when an operator asks for it; none means never", pattern(&b.FillFrom, "the name of another environment in the folder", `^[a-z][a-z0-9-]*$`, "not the name of an environment")},
		{"proofDays", "7", "how often the newest backup is restored and checked", between(&b.ProofDays, 1, 7)},
		{"checks", "[]", "what a restored backup must pass; none means that it has a table", checks(&b.Checks)},
	}
}

func checkFields(c *Check) []field {
	return []field{
		{"table", required, "a table", pattern(&c.Table, "schema.table", `^[A-Za-z_][A-Za-z0-9_$]{0,62}\.[A-Za-z_][A-Za-z0-9_$]{0,62}$`, "not a table with its schema")},
		{"minRows", "1", "the minimum number of rows", between(&c.MinRows, 0, 1<<62)},
		{"newestColumn", "", "a timestamp column", pattern(&c.NewestColumn, "the name of a column; with maxAgeHours", `^[A-Za-z_][A-Za-z0-9_$]{0,62}$`, "not the name of a column")},
		{"maxAgeHours", "0", "how much older than the backup the newest row may be; 0 means any age", between(&c.MaxAgeHours, 0, 8784).and("; with newestColumn")},
	}
}

// label is a name that others are made of; see derived for how long it may be.
func label(to *string) value {
	return text(to, "lowercase letters, digits and single hyphens, starting with a letter and not ending with a hyphen; not tenants or central, and not ending with -hooks or -tenants, which name other stacks; not starting with internal-, which AWS refuses for a load balancer", func(s string) error {
		if s == "tenants" || s == "central" || strings.HasSuffix(s, "-hooks") || strings.HasSuffix(s, "-tenants") {
			return errors.New("makes the name of another stack")
		}
		if strings.HasPrefix(s, "internal-") { // Elastic Load Balancing API reference, CreateLoadBalancer
			return errors.New("not the name of a load balancer")
		}
		return serviceName(s)
	})
}

func serviceName(s string) error {
	return matches(`^[a-z]([a-z0-9]|-[a-z0-9])*$`, "not a name of that form")(s)
}

// account is written in quotes or not: 12 digits look like a number.
func account(to *string) value {
	const allowed = "12 digits"
	return value{allowed: allowed, read: func(r *reader, n *yaml.Node, path string) {
		*to = n.Value
		if err := matches(`^[0-9]{12}$`, "not an account ID")(n.Value); err != nil || n.Kind != yaml.ScalarNode {
			r.wrong(n, path, errors.New("not an account ID"), allowed)
		}
	}}
}

// MaxZones is how many zones there are subnets for: the VPC is divided for as many.
const MaxZones = 5

func zone(s string) error { return matches(`^[a-z]$`, "not one letter")(s) }

// host is a host name as users write it, without a wildcard.
func host(s string) error {
	if len(s) > 253 {
		return fmt.Errorf("has %d characters, and DNS takes 253", len(s))
	}
	return matches(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`, "not a lowercase host name")(s)
}

// inUseByAWS is the range that some AWS services use themselves ("VPC CIDR blocks", VPC
// user guide).
var inUseByAWS = netip.MustParsePrefix("172.17.0.0/16")

// addresses checks a VPC's range. AWS takes /16 to /28 (same guide); below /22 the subnets
// would be smaller than the /27 that a load balancer needs ("Availability Zones for your
// Application Load Balancer", ALB guide).
func addresses(s string) error {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil || !p.Addr().Is4():
		return errors.New("not a range of IPv4 addresses")
	case !p.Addr().IsPrivate():
		return errors.New("not private")
	case p != p.Masked():
		return fmt.Errorf("has host bits set: write %s", p.Masked())
	case p.Bits() < 16 || p.Bits() > 22:
		return errors.New("of the wrong size")
	case p.Overlaps(inUseByAWS):
		return fmt.Errorf("overlaps %s", inUseByAWS)
	}
	return nil
}

func retention(to *int) value {
	days := config.LogRetentions()
	words := "a retention period of CloudWatch Logs: " + strings.ReplaceAll(strings.Trim(fmt.Sprint(days), "[]"), " ", ", ") + " days"
	return whole(to, words, func(n int) error {
		if !slices.Contains(days, n) {
			return errors.New("not a retention period of CloudWatch Logs")
		}
		return nil
	})
}

// services are the services by name.
func services(e *Environment) value {
	const allowed = "a mapping of names, as of the environment, to services"
	return value{allowed, func(r *reader, n *yaml.Node, path string) {
		e.Services = map[string]Service{}
		r.each(n, path, allowed, func(name string, line int, value *yaml.Node) {
			of := join(path, name)
			if err := serviceName(name); err != nil {
				r.fault(line, of, "%v; allowed: lowercase letters, digits and single hyphens, starting with a letter and not ending with a hyphen", err)
			}
			var s Service
			object(serviceFields(&s)...).read(r, value, of)
			if s.Image == "" {
				s.Image = AmazonLinux(s.InstanceType)
			}
			e.Services[name] = s
		})
		if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
			r.wrong(n, path, errors.New("empty"), "one service at least")
		}
	}, serviceFields(&Service{})}
}

func database(e *Environment) value {
	v := object(databaseFields(&Database{})...)
	v.read = func(r *reader, n *yaml.Node, path string) {
		e.Database = &Database{}
		object(databaseFields(e.Database)...).read(r, n, path)
	}
	return v
}

func checks(to *[]Check) value {
	const allowed = "a list"
	return value{allowed, func(r *reader, n *yaml.Node, path string) {
		if n.Kind != yaml.SequenceNode {
			r.wrong(n, path, errors.New("not a list"), allowed)
			return
		}
		for i, item := range n.Content {
			var c Check
			of := fmt.Sprintf("%s[%d]", path, i)
			r.lines[of] = item.Line
			object(checkFields(&c)...).read(r, item, of)
			*to = append(*to, c)
		}
	}, checkFields(&Check{})}
}
