package region

// Validated reports whether an instance may serve users: it has a revision, and
// the deployment that put it there has rerouted.
func (r *Region) Validated(instance string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.instances[instance]
	return i != nil && i.validated()
}
