package region

import (
	"time"

	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// replaceRoot takes an instance through the states of a root volume's
// replacement: ReplacingRootVolume, :Wait while its hooks run, :Proceed,
// RootVolumeReplaced, and back into service. ABANDON does the same as CONTINUE
// (assumed).
func (r *Region) replaceRoot(i *instance) {
	i.lifecycle = asg.LifecycleStateReplacingRootVolume
	p := passage{
		transition: onTerminating, origin: locationGroup, destination: locationGroup,
		action: "ReplaceRootVolume", waits: asg.LifecycleStateReplacingRootVolumeWait,
	}
	r.whenDrained(r.leaveSources(i), func() {
		if r.rootFails(i) {
			return
		}
		r.runHooks(i, p, func(string) {
			i.lifecycle = asg.LifecycleStateReplacingRootVolumeProceed
			r.cutOffAll(i)
			i.restarting = true
			r.answersMayHaveChanged(i)
			r.after(r.timings.Boot, func() { r.rootReplaced(i) })
		})
	})
}

func (r *Region) rootReplaced(i *instance) {
	i.restarting = false
	if r.rootFails(i) {
		return
	}
	i.lifecycle = asg.LifecycleStateRootVolumeReplaced
	r.answersMayHaveChanged(i)
	r.after(time.Second, func() {
		if !r.rootFails(i) {
			i.lifecycle = asg.LifecycleStatePending
			r.putInService(i)
		}
	})
}

// rootFails reports whether an instance cannot come back, and replaces it: "If
// root volume replacement fails for an instance, Auto Scaling marks that
// instance for termination and replaces it with a new instance" ("Replace root
// volumes during instance refresh").
func (r *Region) rootFails(i *instance) bool {
	if i.leaving() {
		return true
	}
	if i.dead {
		i.unhealthy = true
		r.terminate(i)
		r.reconcile(i.group)
	}
	return i.dead
}
