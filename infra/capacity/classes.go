package capacity

import "fmt"

// Instance is an EC2 instance type of family m7g: 4 GiB for each vCPU.
type Instance struct {
	Type  string
	VCPUs int
}

// Database is a class of RDS of family db.m7g.
type Database struct {
	Class string
	VCPUs int
	// Connections is max_connections unless configured: LEAST({DBInstanceClassMemory/9531392},
	// 5000) (Amazon RDS user guide, "Quotas and constraints"), here of the whole memory, of
	// which RDS keeps some for itself.
	Connections int
}

// sizes of m7g and db.m7g, by vCPUs; db.m7g has no medium.
var sizes = map[int]string{1: "medium", 2: "large", 4: "xlarge", 8: "2xlarge", 16: "4xlarge", 32: "8xlarge", 48: "12xlarge", 64: "16xlarge"}

// InstanceOf is the type with so many vCPUs. It panics if there is none.
func InstanceOf(vCPUs int) Instance { return Instance{"m7g." + size(vCPUs), vCPUs} }

func size(vCPUs int) string {
	if sizes[vCPUs] == "" {
		panic(fmt.Sprintf("capacity: m7g has no size of %d vCPUs", vCPUs))
	}
	return sizes[vCPUs]
}

// usable is the share of a database's connections that services may take: the rest is for
// operators, migrations and the hooks.
const usable = 0.8

// databaseFor is the smallest class that does some work, given in vCPUs at 100 %, and has so
// many connections; one without a class if none does, because it takes more than one writer.
func databaseFor(work float64, connections int) Database {
	for _, n := range []int{2, 4, 8, 16, 32, 48, 64} {
		d := Database{"db.m7g." + size(n), n, min(n*4<<30/9531392, 5000)}
		if work <= float64(n)*DatabaseCPU && float64(connections) <= usable*float64(d.Connections) {
			return d
		}
	}
	return Database{}
}
