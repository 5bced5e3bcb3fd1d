package spec

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// check finds what does not fit together, where each part is right by itself.
func (r *reader) check(e *Environment, others []sibling) {
	r.checkNames(e, others)
	r.checkNetwork(e, others)
	r.checkDomain(e)
	r.checkServices(e, others)
	r.checkDatabase(e)
	r.checkBackups(e, others)
	r.checkSize(e)
}

// conflict reports what does not fit at the first of some paths, unless one of them has a
// fault already.
func (r *reader) conflict(paths []string, format string, args ...any) {
	if slices.ContainsFunc(paths, func(p string) bool { return r.bad[p] }) {
		return
	}
	r.fault(r.lines[paths[0]], paths[0], format, args...)
}

func (r *reader) checkNames(e *Environment, others []sibling) {
	for _, o := range others {
		if o.Name == e.Name && e.Name != "" {
			r.conflict([]string{"name"}, "%s is the name of %s as well: their stacks would be the same; choose another", e.Name, o.file)
		}
	}
	r.checkOverlap(e, others)
	for _, d := range derived(e) {
		if excess := len(d.name) - d.limit; excess > 0 {
			r.conflict([]string{d.path}, "makes the %s %s of %d characters, and AWS allows %d: shorten it, or the environment's name, by %d", d.what, d.name, len(d.name), d.limit, excess)
		}
	}
}

// checkOverlap refuses a name that begins with another's and a hyphen, in the same place:
// what the functions of the one may change, <name>-*, would be the other's as well, and
// service b-c of a would have the CodeDeploy application of service c of a-b. Accounts that
// only one file says may be the same.
func (r *reader) checkOverlap(e *Environment, others []sibling) {
	for _, o := range others {
		if o.Region != e.Region || o.Account != e.Account && o.Account != "" && e.Account != "" || o.Name == "" || e.Name == "" {
			continue
		}
		long, short := max(e.Name, o.Name), min(e.Name, o.Name) // a prefix sorts first
		if strings.HasPrefix(long, short+"-") {
			r.conflict([]string{"name"}, "%s begins with the name of the environment %s and a hyphen (the other is in %s), so the functions of %[2]s could change its deployment groups: rename the one that is not deployed yet", long, short, o.file)
		}
	}
}

func (r *reader) checkNetwork(e *Environment, others []sibling) {
	if n, zones := e.Network.NATGateways, len(e.Network.Zones); n > zones {
		r.conflict([]string{"network.natGateways", "network.zones"}, "got %d for %d zones: give at most one for each zone", n, zones)
	}
	own, err := netip.ParsePrefix(e.Network.CIDR)
	for _, o := range others {
		if theirs, e := netip.ParsePrefix(o.Network.CIDR); err == nil && e == nil && own.Overlaps(theirs) {
			r.conflict([]string{"network.cidr"}, "%s overlaps %s of %s, so the two networks could not be peered: choose another range", own, theirs, o.file)
		}
	}
}

func (r *reader) checkDomain(e *Environment) {
	if e.Domain.CertificateARN == "" {
		if n := len(e.Domain.Name); n > 64 { // ACM API reference, RequestCertificate
			r.conflict([]string{"domain.name"}, "has %d characters, and ACM gives certificates for 64 at most: give certificateArn, or use a domain above it", n)
		}
		if n := len(e.CertificateNames()); n > 10 { // "Quotas" (ACM user guide)
			r.conflict([]string{"domain", "services"}, "needs a certificate for %d names, because %d hosts are two or more levels below %s, and ACM allows 10: use hosts one level below, or give certificateArn", n, n-2, e.Domain.Name)
		}
		return
	}
	if r.bad["domain.certificateArn"] {
		return
	}
	parts := strings.Split(e.Domain.CertificateARN, ":")
	if parts[3] != e.Region {
		r.conflict([]string{"domain.certificateArn", "region"}, "is a certificate in %s, and a load balancer in %s needs one of its own region: request it there", parts[3], e.Region)
	}
	if e.Account != "" && parts[4] != e.Account {
		r.conflict([]string{"domain.certificateArn", "account"}, "is a certificate in account %s, and has to be in %s, as the environment is", parts[4], e.Account)
	}
}

func (r *reader) checkServices(e *Environment, others []sibling) {
	hosts, priorities := map[string]string{}, map[int]string{}
	outputs := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(e.Services)) {
		s, path := e.Services[name], "services."+name
		at := func(key string) []string { return []string{path + "." + key, path} }
		for _, h := range s.Hosts {
			if h != e.Domain.Name && !strings.HasSuffix(h, "."+e.Domain.Name) {
				r.conflict(append(at("hosts"), "domain.name"), "%s is neither %s nor below it, so its DNS record would be in no zone of the environment", h, e.Domain.Name)
			}
			if n := len(h); n > 128 { // Elastic Load Balancing API reference, HostHeaderConditionConfig
				r.conflict(at("hosts"), "%s has %d characters, and a load balancer takes 128", h, n)
			}
			for _, o := range others {
				if o.routes(h) {
					r.conflict(at("hosts"), "%s is a host of %s as well, and its DNS record can be of one environment only", h, o.file)
				}
			}
			if other := hosts[h]; other != "" {
				r.conflict(at("hosts"), "%s is routed to the service %s as well: leave it out of one", h, other)
			}
			hosts[h] = name
		}
		for _, z := range s.Zones {
			if !slices.Contains(e.Network.Zones, z) {
				r.conflict(append(at("zones"), "network.zones"), "%s is not a zone of the network, which has %s", z, strings.Join(e.Network.Zones, ", "))
			}
		}
		if s.MinInstances > s.MaxInstances {
			r.conflict(append(at("minInstances"), path+".maxInstances"), "got %d, which is more than maxInstances, %d", s.MinInstances, s.MaxInstances)
		}
		if graviton(s.InstanceType) && strings.Contains(s.Image, "x86_64") || !graviton(s.InstanceType) && strings.Contains(s.Image, "arm64") {
			r.conflict(append(at("image"), path+".instanceType"), "%s is an image for another architecture than %s", s.Image, s.InstanceType)
		}
		if other := priorities[Priority(name)]; other != "" {
			r.conflict([]string{path}, "gets the same priority on the load balancer as the service %s: choose another name", other)
		}
		priorities[Priority(name)] = name
		if other := outputs[InOutputs(name)]; other != "" {
			r.conflict([]string{path}, "gets the same names in the stack's outputs as the service %s, as hyphens are left out of them: choose another name", other)
		}
		outputs[InOutputs(name)] = name
	}
}

func (r *reader) checkDatabase(e *Environment) {
	d := e.Database
	if d == nil {
		return
	}
	if least := (d.StorageGiB*11 + 9) / 10; d.MaxStorageGiB < least { // "Managing capacity automatically with storage autoscaling", RDS user guide
		r.conflict([]string{"database.maxStorageGiB", "database.storageGiB"}, "got %d, and RDS requires at least %[3]d for storage of %[2]d GiB", d.MaxStorageGiB, d.StorageGiB, least)
	}
	gib, err := memory(d.InstanceClass)
	if most := connections(gib); err == nil && d.MaxConnections > most {
		r.conflict([]string{"database.maxConnections", "database.instanceClass"}, "got %d, and %s with %v GiB of memory allows about %d: choose a larger class, or have the services open fewer", d.MaxConnections, d.InstanceClass, gib, most)
	}
}

func (r *reader) checkBackups(e *Environment, others []sibling) {
	b := e.Backups
	if e.Database == nil {
		for _, key := range []string{"retentionDays", "fillFrom", "proofDays", "checks"} {
			if r.lines["backups."+key] > 0 {
				r.conflict([]string{"backups." + key}, "without a database it would have no effect: add one, or leave it out")
			}
		}
	}
	from := slices.IndexFunc(others, func(o sibling) bool { return o.Name == b.FillFrom })
	switch {
	case b.FillFrom == "":
	case b.FillFrom == e.Name:
		r.conflict([]string{"backups.fillFrom"}, "%s is this environment itself", e.Name)
	case from < 0:
		r.conflict([]string{"backups.fillFrom"}, "%s is not another environment in the folder, which has %s", b.FillFrom, strings.Join(names(others), ", "))
	case others[from].Database == nil:
		r.conflict([]string{"backups.fillFrom"}, "%s has no database, so it has no backups", b.FillFrom)
	case others[from].Region != e.Region || others[from].Account != e.Account:
		r.conflict([]string{"backups.fillFrom", "region", "account"}, "%s is in another account or region, from which backups are not copied: use one in account %q and region %s", b.FillFrom, e.Account, e.Region)
	}
	if from >= 0 && b.FillFrom != e.Name && others[from].Database != nil && e.Database != nil {
		// The snapshot may be as large as that database may grow, the restored instance is never
		// smaller ("Scaling up DB instance storage", RDS user guide), and the limit is above it
		// by 10 %, as in checkDatabase.
		if least := min((others[from].Database.MaxStorageGiB*11+9)/10, mostStorage); e.Database.MaxStorageGiB < least {
			r.conflict([]string{"database.maxStorageGiB", "backups.fillFrom"}, "got %d, and a fill from %s needs %d, as that database may grow to %d GiB: raise this, which costs nothing until the storage is used, or lower that", e.Database.MaxStorageGiB, b.FillFrom, least, others[from].Database.MaxStorageGiB)
		}
	}
	for i, c := range b.Checks {
		path := fmt.Sprintf("backups.checks[%d]", i)
		if (c.NewestColumn == "") != (c.MaxAgeHours == 0) {
			r.conflict([]string{path, path + ".newestColumn", path + ".maxAgeHours"}, "got newestColumn %q and maxAgeHours %d: give both or none", c.NewestColumn, c.MaxAgeHours)
		}
	}
}

func names(others []sibling) (all []string) {
	for _, o := range others {
		all = append(all, o.Name)
	}
	return all
}
