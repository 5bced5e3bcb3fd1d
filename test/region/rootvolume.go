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
		transition: onTerminating, origin: placeGroup, destination: placeGroup,
		action: "ReplaceRootVolume", waits: asg.LifecycleStateReplacingRootVolumeWait,
	}
	still := func() bool { return !i.leaving() && !i.dead }
	r.whenDrained(r.leaveSources(i), func() {
		if !still() {
			return
		}
		r.runHooks(i, p, func(string) {
			i.lifecycle = asg.LifecycleStateReplacingRootVolumeProceed
			r.cutOffAll(i)
			i.crashed = true
			r.answersMayHaveChanged(i)
			r.after(r.timings.Boot, func() {
				if !still() {
					return
				}
				i.crashed = false
				i.lifecycle = asg.LifecycleStateRootVolumeReplaced
				r.answersMayHaveChanged(i)
				r.after(time.Second, func() {
					if still() {
						i.lifecycle = asg.LifecycleStatePending
						r.putInService(i)
					}
				})
			})
		})
	})
}
