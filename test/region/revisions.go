package region

import (
	cd "github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// Validated reports whether an instance may serve users: it has a revision, and
// the deployment that put it there has rerouted.
func (r *Region) Validated(instance string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.instances[instance]
	return i != nil && i.validated()
}

// UpdateInstances has CodeDeploy deploy a service's current revision to some
// instances, as it does with outdated ones.
func (r *Region) UpdateInstances(s Service, instances []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	g, err := r.deploymentGroup(&s.Application, &s.DeploymentGroup)
	must(err)
	update := r.deployToSome(g, cd.DeploymentCreatorCodeDeployAutoUpdate, instances)
	r.after(r.timings.Install, func() {
		for _, id := range instances {
			if i := r.instances[id]; i != nil && i.ec2 == running {
				i.revision = update.revision
				r.answersMayHaveChanged(i)
			}
		}
		update.installed = true
		r.succeed(update)
	})
}
