package repair

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"deployhooks/pkg/fleet"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/repair/setting"
	"deployhooks/pkg/store"
)

// schema is the version of [Record] that this function writes. A record of a
// higher one is not read.
const schema = 1

// Record is what is remembered of a deployment group between invocations. Lost, it
// costs what only the baseline knew, and a second notification.
type Record struct {
	Baseline *Baseline `json:"baseline,omitempty"`
	// Release is the last release known. CodeDeploy's own answer may be a
	// deployment by Auto Scaling.
	Release string `json:"release,omitempty"`
	// Deployment is the last deployment that was dealt with, of any creator.
	Deployment string `json:"deployment,omitempty"`
	// Rerouted is the release in progress whose traffic was seen to be rerouted.
	Rerouted string `json:"rerouted,omitempty"`
	// Evidence identifies what the plan takes for the truth about who serves, and
	// EvidenceSince is since when it has.
	Evidence      string    `json:"evidence,omitempty"`
	EvidenceSince time.Time `json:"evidenceSince,omitzero"`
	// Former are groups that served before the current one and were not deleted
	// when last seen, oldest first.
	Former []string `json:"former,omitempty"`
	// Bridged are the instances that were registered one by one.
	Bridged *Bridge `json:"bridged,omitempty"`
	// Blue is the group that a release has taken the traffic from, while the release
	// waits to terminate it.
	Blue *Blue `json:"blue,omitempty"`
	// OnStandby are instances that were put on standby until CodeDeploy has deployed
	// to them.
	OnStandby []string `json:"onStandby,omitempty"`
	// Pending are changes that were made and are not yet seen to work.
	Pending []setting.Change `json:"pending,omitempty"`
	// Refused are changes that AWS will not make until somebody does something, in
	// words.
	Refused []string `json:"refused,omitempty"`
	// Settle means that instances may have launched while AddToLoadBalancer was
	// suspended, and are still to be registered.
	Settle bool `json:"settle,omitempty"`
	// Ended is a successful release whose outcome is still to be reported.
	Ended string `json:"ended,omitempty"`
	// Published is the group whose name stands in the SSM parameter.
	Published string `json:"published,omitempty"`
	// Confirmed is when an operator last asked for a repair.
	Confirmed time.Time `json:"confirmed,omitzero"`
	// Blocked holds, for everything that blocks, since when it does.
	Blocked map[string]time.Time `json:"blocked,omitempty"`
	// Due is when the continuation comes that was sent last, and Requeues counts
	// those in a row.
	Due      time.Time `json:"due,omitzero"`
	Requeues int       `json:"requeues,omitempty"`
	// Notices is what operators were notified of, and are still to be.
	Notices notice.Ledger[notice.Notice] `json:"notices,omitzero"`
}

// Baseline is the last known-good configuration of the Auto Scaling group of a
// deployment group. It is of that deployment group and that Auto Scaling group, not
// of others that get their names later.
type Baseline struct {
	Group             string           `json:"group"`
	ARN               string           `json:"arn"`
	DeploymentGroupID string           `json:"deploymentGroupId"`
	Taken             time.Time        `json:"taken"`
	Settings          setting.Snapshot `json:"settings"`
	// Lost are settings of an earlier group that could not be restored. The next
	// release tries again.
	Lost setting.Snapshot `json:"lost,omitempty"`
}

// has reports whether the baseline has a traffic source; none has, if it is nil.
func (b *Baseline) has(s fleet.TrafficSource) bool {
	return b != nil && slices.Contains(b.Settings.Sources(), s)
}

// sources are the baseline's traffic sources of one type; none, if it is nil.
func (b *Baseline) sources(kind string) []fleet.TrafficSource {
	if b == nil {
		return nil
	}
	return slices.DeleteFunc(b.Settings.Sources(), func(s fleet.TrafficSource) bool { return s.Type != kind })
}

// same reports whether two baselines say the same, whenever they were taken.
func (b *Baseline) same(c *Baseline) bool {
	if b == nil || c == nil {
		return b == c
	}
	return b.Group == c.Group && b.ARN == c.ARN && b.DeploymentGroupID == c.DeploymentGroupID &&
		b.Settings.Equal(c.Settings) && b.Lost.Equal(c.Lost)
}

// Bridge is a group whose instances were registered one by one, because it could
// not be attached.
type Bridge struct {
	Group string `json:"autoScalingGroup"`
	// Targets are the instances by the ARN of the target group.
	Targets map[string][]string `json:"targets"`
	// Protected are the instances that were protected from scale-in.
	Protected []string `json:"protected,omitempty"`
}

// holds reports whether an instance is registered because of the bridge.
func (b *Bridge) holds(targetGroup, instance string) bool {
	return b != nil && slices.Contains(b.Targets[targetGroup], instance)
}

// sources are the target groups that instances were registered in; none, if it is nil.
func (b *Bridge) sources() (all []fleet.TrafficSource) {
	if b != nil {
		for arn := range b.Targets {
			all = append(all, fleet.TrafficSource{Type: fleet.ELBV2, ID: arn})
		}
	}
	return all
}

// with is the bridge with more instances.
func (b *Bridge) with(c setting.Change) *Bridge {
	grown := &Bridge{Group: c.Group, Targets: map[string][]string{}}
	if b != nil && b.Group == c.Group {
		maps.Copy(grown.Targets, b.Targets)
		grown.Protected = b.Protected
	}
	union := func(ids []string) []string {
		return slices.Compact(slices.Sorted(slices.Values(slices.Concat(ids, c.Items))))
	}
	if c.Kind == protect {
		grown.Protected = union(grown.Protected)
	} else {
		grown.Targets[c.TargetGroup] = union(grown.Targets[c.TargetGroup])
	}
	return grown
}

// Blue is a group whose instances a release has deregistered.
type Blue struct {
	Group string `json:"autoScalingGroup"`
	// Originals are the instances in service that were not registered after the
	// reroute. A rollback registers them again.
	Originals []string `json:"originals"`
	// Suspended means that the function has suspended AddToLoadBalancer.
	Suspended bool `json:"suspended,omitempty"`
}

// since is when what blocks began to; now, if it is new.
func (r Record) since(matter string, now time.Time) time.Time {
	if at, ok := r.Blocked[matter]; ok {
		return at
	}
	return now
}

// equal reports whether two records say the same.
func (r Record) equal(s Record) bool {
	a, errA := json.Marshal(r)
	b, errB := json.Marshal(s)
	return errors.Join(errA, errB) == nil && string(a) == string(b)
}

// key is where the record of a deployment group is stored.
func (k Key) key() store.Key { return store.Key{Partition: k.Application, Sort: k.DeploymentGroup} }

// substitute is where the record of a deployment group is kept while the stored
// one cannot be read: that one is never overwritten, except by an operator's
// forget. The name is none that CodeDeploy takes for an application.
func (k Key) substitute() store.Key {
	return store.Key{Partition: "* unreadable", Sort: k.Application + "\n" + k.DeploymentGroup}
}

// everything is where the sweep keeps what it has notified of.
var everything = Key{"*", "*"}
