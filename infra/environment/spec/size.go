package spec

// mostResources is how many resources a stack may have ("CloudFormation quotas",
// CloudFormation user guide), and morePolicies how many of them are kept for the CDK, which
// divides a role's policy that many services make too long.
const (
	mostResources = 500
	morePolicies  = 2
)

// Resources is how many resources the environment's stack has. The numbers are those of the
// templates, with which test/infra compares them; see morePolicies.
func Resources(e *Environment) int {
	const (
		always     = 37 // load balancer, network, buckets, the function behind deployment groups
		zone       = 13 // subnets and their routes
		gateway    = 2
		service    = 19
		host       = 2
		database   = 34 // with what proves its backups
		toDatabase = 1  // from each service
	)
	n := always + zone*len(e.Network.Zones) + gateway*e.Network.NATGateways + service*len(e.Services)
	for _, s := range e.Services {
		n += host * len(s.Hosts)
	}
	if e.Domain.CertificateARN == "" {
		n++
	}
	if e.Database != nil {
		n += database + toDatabase*len(e.Services)
		if e.Backups.FillFrom != "" {
			n++ // the alarm of a fill that failed
		}
	}
	return n
}

// checkSize finds out before the CDK, which ends with a stack trace.
func (r *reader) checkSize(e *Environment) {
	if n := Resources(e); n > mostResources-morePolicies {
		r.conflict([]string{"services"}, "%d services with their hosts make a stack of %d resources and up to %d policies more, and CloudFormation allows %d: move some to another environment", len(e.Services), n, morePolicies, mostResources)
	}
}
