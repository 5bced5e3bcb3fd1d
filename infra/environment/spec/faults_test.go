package spec_test

import (
	"strings"
	"testing"
)

// Every mistake is an error that says where it is, what it holds and what would be right;
// without it, a deployment fails after minutes, or does what nobody meant.
func TestFaults(t *testing.T) {
	below := map[string]int{ // how many lines below the replaced text a fault is, if not in its line
		"an alias": 1, "an age without a column": -2, "more instances at least than at most": -1,
		"a host that is routed twice": -12, "services that differ by a hyphen": 2, "an alias for a key": 1, "a service without zones": -1, "a database too small for what is open": 4,
		"no YAML": -7, "a tab": -8, // the parser says where
	}
	for scenario, tt := range map[string]struct {
		old, replacement string
		want             string // the fault, after file and line
	}{
		"an unknown key":                         {"  natGateways: 2", "  natGateway: 2", "network.natGateway: unknown, so it would have no effect (it holds 2): write natGateways"},
		"a key that resembles none":              {"protected: false", "colour: {a: [1, b]}", "colour: unknown, so it would have no effect (it holds {a: [1, b]}): known are name, account,"},
		"a service without zones":                {"    zones: [b, c]\n", "", "services.search-api.zones: required, and missing"},
		"a key that is missing":                  {"  cidr: 10.30.0.0/20\n", "", "network.cidr: required, and missing: the VPC's address range"},
		"a key twice":                            {"protected: false", "name: staging", "name: duplicate key, first in line 2"},
		"a list for a mapping":                   {"network:\n  cidr: 10.30.0.0/20\n  zones: [a, b, c]\n  natGateways: 2", "network: [a]", `network: got [a]: not a mapping; allowed: a mapping with the keys cidr, zones, natGateways`},
		"a string for a number":                  {"port: 3000", `port: "3000"`, `services.web.port: got "3000": not a whole number: write it without quotes; allowed: a whole number from 1 to 65535`},
		"a number with a zero before it":         {"port: 3000", "port: 0300", "services.web.port: got 0300: not a whole number"}, // 192 to YAML
		"a truth value with a capital":           {"multiAZ: true", "multiAZ: True", "database.multiAZ: got True: neither true nor false"},
		"an alias for a key":                     {"protected: false", "protected: &region false\n*region : x", "has the key *region: not a name"},
		"a fraction for a number":                {"minInstances: 2", "minInstances: 2.5", "services.web.minInstances: got 2.5: not a whole number"},
		"a number for a string":                  {`version: "16.10"`, "version: 16.10", `database.version: got 16.10: not a string: write "16.10", in quotes; allowed: "major.minor"`},
		"a word for a truth value":               {"multiAZ: true", "multiAZ: sometimes", `database.multiAZ: got "sometimes": neither true nor false`},
		"a string for a list":                    {"zones: [b, c]", "zones: b", `services.search-api.zones: got "b": not a list; allowed: a list of 1 to 5 zones of the network`},
		"an alias":                               {"name: shop\n  version: \"16.10\"", "name: &name shop\n  version: *name", "database.version: a YAML alias (*name), which would hide where a value comes from"},
		"a second document":                      {"logs:", "---\nlogs:", "has a second YAML document: write a file for each environment"},
		"no YAML":                                {"network:", "network: [", "is not YAML: line"},
		"a tab":                                  {"  cidr:", "\tcidr:", "is not YAML: line 8: found character that cannot start any token; a line begins with a tab, which YAML does not take: indent with spaces"},
		"a public range with bits beyond":        {"10.30.0.0/20", "8.8.8.0/16", `network.cidr: got "8.8.8.0/16": not private`},
		"a path without a slash":                 {"port: 3000", "healthCheckPath: health", `services.web.healthCheckPath: got "health": not a path; allowed: a path that begins with /`},
		"a name with capitals":                   {"name: staging", "name: Staging", `name: got "Staging": not a name of that form`},
		"a name of another stack":                {"name: staging", "name: staging-hooks", `name: got "staging-hooks": makes the name of another stack`},
		"two environments of a name":             {"name: staging", "name: plain", "name: plain is the name of plain.yaml as well"},
		"a name that load balancers cannot have": {"name: staging", "name: internal-web", `name: got "internal-web": not the name of a load balancer`},
		"a name within another's":                {"name: staging", "name: other-2", "name: other-2 begins with the name of the environment other and a hyphen (the other is in other.yaml), so the functions of other could change its deployment groups: rename the one that is not deployed yet"},
		"a name that another's begins with":      {"name: staging", "name: oth", "name: oth-er begins with the name of the environment oth and a hyphen (the other is in oth-er.yaml)"},
		"a host of another environment":          {"[search.staging.example.com]", "[plain.staging.example.com]", "services.search-api.hosts: plain.staging.example.com is a host of plain.yaml as well"},
		"a host too long for a rule":             {"[search.staging.example.com]", "[search.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.staging.example.com]", "services.search-api.hosts: search.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.staging.example.com has 148 characters, and a load balancer takes 128"},
		"a domain too long for a certificate": {"  name: staging.example.com\n  hostedZoneId: Z0STAGING0EXAMPLE\n  certificateArn: arn:aws:acm:eu-central-1:123456789012:certificate/11111111-2222-3333-4444-555555555555",
			"  name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com\n  hostedZoneId: Z0STAGING0EXAMPLE", "domain.name: has 72 characters, and ACM gives certificates for 64 at most"},
		"services that differ by a hyphen": {"  search-api:", "  web-1:\n    hosts: [a.staging.example.com]\n  web1:", "services.web1: gets the same names in the stack's outputs as the service web-1"},
		"a name too long for a load balancer": {"name: staging", "name: a-name-that-is-too-long-for-the-balancer",
			"name: makes the load balancer a-name-that-is-too-long-for-the-balancer of 40 characters, and AWS allows 32: shorten it, or the environment's name, by 8"},
		"a name too long for a target group": {"  search-api:", "  search-recommendations-api:",
			"services.search-recommendations-api: makes the target group staging-search-recommendations-api of 34 characters, and AWS allows 32: shorten it, or the environment's name, by 2"},
		"a service's name with a dot":           {"  search-api:", "  search.api:", "services.search.api: not a name of that form"},
		"an account of 11 digits":               {`"123456789012"`, "12345678901", "account: got 12345678901: not an account ID; allowed: 12 digits"},
		"a zone for a region":                   {"region: eu-central-1", "region: eu-central-1a", `region: got "eu-central-1a": not a region`},
		"addresses that are public":             {"10.30.0.0/20", "52.30.0.0/20", `network.cidr: got "52.30.0.0/20": not private`},
		"addresses that AWS uses":               {"10.30.0.0/20", "172.17.16.0/20", `network.cidr: got "172.17.16.0/20": overlaps 172.17.0.0/16`},
		"too few addresses":                     {"10.30.0.0/20", "10.30.0.0/24", `network.cidr: got "10.30.0.0/24": of the wrong size; allowed: a private IPv4 range from /16 to /22`},
		"addresses with bits beyond":            {"10.30.0.0/20", "10.30.1.0/20", `network.cidr: got "10.30.1.0/20": has host bits set: write 10.30.0.0/20`},
		"addresses of another environment":      {"10.30.0.0/20", "10.40.16.0/20", "network.cidr: 10.40.16.0/20 overlaps 10.40.0.0/16 of other.yaml"},
		"one zone for a load balancer":          {"zones: [a, b, c]", "zones: [a]", `network.zones: got [a]: wrong number of elements; allowed: a list of 2 to 5 letters`},
		"a zone twice":                          {"zones: [a, b, c]", "zones: [a, b, b]", `network.zones[2]: got "b": given twice`},
		"a zone with its region":                {"zones: [a, b, c]", "zones: [a, b, eu-central-1c]", `network.zones[2]: got "eu-central-1c": not one letter`},
		"more gateways than zones":              {"natGateways: 2", "natGateways: 4", "network.natGateways: got 4 for 3 zones"},
		"a certificate of another region":       {"acm:eu-central-1", "acm:us-east-1", "domain.certificateArn: is a certificate in us-east-1, and a load balancer in eu-central-1 needs one of its own region"},
		"a certificate of another account":      {"acm:eu-central-1:123456789012", "acm:eu-central-1:999999999999", "domain.certificateArn: is a certificate in account 999999999999, and has to be in 123456789012"},
		"a zone's name for its ID":              {"hostedZoneId: Z0STAGING0EXAMPLE", "hostedZoneId: example.com", `domain.hostedZoneId: got "example.com": not the ID of a hosted zone`},
		"no services":                           {"services:\n", "services: {}\nservice:\n", "services: got {}: empty; allowed: one service at least"},
		"a host outside the domain":             {"[search.staging.example.com]", "[search.example.com]", "services.search-api.hosts: search.example.com is neither staging.example.com nor below it"},
		"a host that only ends alike":           {"[search.staging.example.com]", "[mystaging.example.com]", "services.search-api.hosts: mystaging.example.com is neither"},
		"a host that is routed twice":           {"[search.staging.example.com]", "[www.staging.example.com]", "services.web.hosts: www.staging.example.com is routed to the service search-api as well"},
		"a host with a scheme":                  {"[search.staging.example.com]", "[https://search.staging.example.com]", `services.search-api.hosts[0]: got "https://search.staging.example.com": not a lowercase host name`},
		"more hosts than a rule takes":          {"[search.staging.example.com]", "[a.staging.example.com, b.staging.example.com, c.staging.example.com, d.staging.example.com, e.staging.example.com, f.staging.example.com]", "services.search-api.hosts: got"},
		"a zone that is not the network's":      {"zones: [b, c]", "zones: [b, d]", "services.search-api.zones: d is not a zone of the network, which has a, b, c"},
		"more instances at least than at most":  {"maxInstances: 6", "maxInstances: 1", "services.web.minInstances: got 2, which is more than maxInstances, 1"},
		"no instances":                          {"minInstances: 2", "minInstances: 0", "services.web.minInstances: got 0: out of range; allowed: a whole number from 1 to 1000"},
		"an image of another architecture":      {"/images/web-x86_64", "/images/web-arm64", "services.web.image: /images/web-arm64 is an image for another architecture than c7i.large"},
		"a class for a type":                    {"instanceType: c7i.large", "instanceType: large", `services.web.instanceType: got "large": not an instance type`},
		"a class that there is not":             {"db.r7g.large", "db.r7g.small", `database.instanceClass: got "db.r7g.small": not a size of this family`},
		"a size that there is not":              {"db.r7g.large", "db.r7g.3xlarge", `database.instanceClass: got "db.r7g.3xlarge": not a class of these families`},
		"a burstable class that is too large":   {"db.r7g.large", "db.t4g.4xlarge", `database.instanceClass: got "db.t4g.4xlarge": not a size of this family`},
		"a class without its prefix":            {"db.r7g.large", "r7g.large", `database.instanceClass: got "r7g.large": not a class of these families; allowed: a class of families t, m or r`},
		"a database too small for what is open": {"db.r7g.large", "db.t4g.micro", "database.maxConnections: got 900, and db.t4g.micro with 1 GiB of memory allows about 112: choose a larger class"},
		"storage below RDS's least":             {"storageGiB: 40", "storageGiB: 10", "database.storageGiB: got 10: out of range; allowed: a whole number from 20 to 65536"},
		"storage that cannot grow":              {"maxStorageGiB: 200", "maxStorageGiB: 43", "database.maxStorageGiB: got 43, and RDS requires at least 44 for storage of 40 GiB"},
		"a database's name with a hyphen":       {"name: shop\n", "name: my-shop\n", `database.name: got "my-shop": not a name that PostgreSQL takes`},
		"a version that is too old":             {`version: "16.10"`, `version: "9.6"`, `database.version: got "9.6": not a version`},
		"backups of a year":                     {"retentionDays: 14", "retentionDays: 365", "backups.retentionDays: got 365: out of range; allowed: a whole number from 1 to 35"},
		"filled from itself":                    {"fillFrom: other", "fillFrom: staging", "backups.fillFrom: staging is this environment itself"},
		"filled from nowhere":                   {"fillFrom: other", "fillFrom: production", "backups.fillFrom: production is not another environment in the folder, which has oth-er, other, plain-db, plain"},
		"filled from one without a database":    {"fillFrom: other", "fillFrom: plain", "backups.fillFrom: plain has no database"},
		"filled from another region":            {"fillFrom: other", "fillFrom: plain-db", `backups.fillFrom: plain-db is in another account or region, from which backups are not copied: use one in account "123456789012" and region eu-central-1`},
		"filled from a larger one":              {"maxStorageGiB: 200", "maxStorageGiB: 164", "database.maxStorageGiB: got 164, and a fill from other needs 165, as that database may grow to 150 GiB: raise this"},
		"a table without its schema":            {"table: public.customers", "table: customers", `backups.checks[1].table: got "customers": not a table with its schema`},
		"an age without a column":               {"      newestColumn: created_at\n", "", "backups.checks[0]: got newestColumn \"\" and maxAgeHours 48: give both or none"},
		"a retention that logs lack":            {"retentionDays: 60", "retentionDays: 61", "logs.retentionDays: got 61: not a retention period of CloudWatch Logs"},
		"an unknown setting":                    {"logLevel: DEBUG", "logLevl: DEBUG", `hooks: "logLevl": unknown, so it would have no effect (it holds "DEBUG"); write logLevel`},
		"a setting with its prefix":             {"logLevel: DEBUG", "deployhooks:logLevel: DEBUG", "hooks.deployhooks:logLevel: has its prefix already: write logLevel"},
		"a setting out of range":                {"repairSweepMinutes: 10", "repairSweepMinutes: 0", "hooks: repairSweepMinutes: got 0: out of range; allowed: a whole number from 1 to 1440"},
		"settings that conflict":                {"repairSweepMinutes: 10", "drainSweepMinutes: 30", "hooks: drainSweepMinutes (30) and drainShortestHookSeconds (300)"},
		"a setting that names a file":           {"logLevel: DEBUG", "environment: staging", "hooks.environment: says which file is read"},
		"alarms in another region":              {"logLevel: DEBUG", "alarmTopicArn: arn:aws:sns:us-east-1:123456789012:alarms", "hooks.alarmTopicArn: is a topic in us-east-1, and alarms in eu-central-1 need one of their own region"},
		"a bus by its name":                     {"centralEventBus: arn:aws:events:eu-central-1:210987654321:event-bus/deployhooks", "centralEventBus: deployhooks", `hooks: centralEventBus: got "deployhooks": not the ARN of an event bus`},
	} {
		t.Run(scenario, func(t *testing.T) {
			file, line := edited(t, tt.old, tt.replacement)
			all := faults(t, file)
			for _, f := range all {
				if strings.HasPrefix(f.Text, tt.want) {
					if f.File != file || f.Line != line+below[scenario] {
						t.Errorf("the fault is reported in %s:%d, and it is in line %d", f.File, f.Line, line+below[scenario])
					}
					return
				}
			}
			t.Errorf("want %q, got %v", tt.want, all)
		})
	}
}
