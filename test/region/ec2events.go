package region

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	asg "github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// spotNotice is how long a Spot Instance lives on after its warning ("Spot
// Instance interruption notices").
const spotNotice = 2 * time.Minute

// InterruptSpot has EC2 take a Spot Instance back: a warning now, the end two
// minutes later, whatever the instance is waiting for by then. Auto Scaling
// does nothing about it before the instance is gone.
func (r *Region) InterruptSpot(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.instances[instance]
	if i == nil || i.ec2 != running {
		return
	}
	i.interrupted = r.clock.now
	r.emitEvent("aws.ec2", "EC2 Spot Instance Interruption Warning", []string{i.arn()}, struct {
		InstanceID string `json:"instance-id"`
		Action     string `json:"instance-action"`
	}{i.id, "terminate"}, Delivery{Instance: i.id})
	r.after(spotNotice, func() { r.ec2Ends(i, r.cutOffAll) })
}

// setEC2 gives an instance a new state and sends it to EventBridge at once
// ("State change events for Amazon EC2 instances"). The states
// pending and running are not sent: nothing here needs them.
func (r *Region) setEC2(i *instance, state ec2State) {
	i.ec2 = state
	r.emitEvent("aws.ec2", "EC2 Instance State-change Notification", []string{arn("ec2", "instance/"+i.id)}, struct {
		InstanceID string   `json:"instance-id"`
		State      ec2State `json:"state"`
	}{i.id, state}, Delivery{Instance: i.id, State: string(state)})
}

// RecommendRebalance has EC2 say that a Spot Instance is at elevated risk. A
// group with Capacity Rebalancing launches another instance and, when that is
// in service, terminates this one through its lifecycle hooks; any other does
// nothing ("Use Capacity Rebalancing to handle Amazon EC2 Spot
// interruptions").
func (r *Region) RecommendRebalance(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.instances[instance]
	if i == nil || i.ec2 != running {
		return
	}
	r.emitEvent("aws.ec2", "EC2 Instance Rebalance Recommendation", []string{i.arn()}, struct {
		InstanceID string `json:"instance-id"`
	}{i.id}, Delivery{Instance: i.id})
	if deref(i.group.config.CapacityRebalance) && i.lifecycle == asg.LifecycleStateInService {
		i.atRisk = true
		r.after(0, func() { r.reconcile(i.group) })
	}
}

// retireAtRisk terminates the instances at risk whose replacements serve. It
// is called by reconcile.
func (r *Region) retireAtRisk(g *group) {
	var serving, atRisk []*instance
	for _, i := range g.instances {
		switch {
		case i.lifecycle != asg.LifecycleStateInService:
		case i.atRisk:
			atRisk = append(atRisk, i)
		default:
			serving = append(serving, i)
		}
	}
	for n, i := range atRisk {
		if len(serving)+len(atRisk)-n > g.desired() {
			r.terminate(i)
		}
	}
}

// Maintenance has AWS Health announce scheduled maintenance of an instance,
// two weeks ahead; nothing happens to it by itself ("AWS Health events in
// Amazon EventBridge", schema; the code and the texts are those of an instance
// retirement).
func (r *Region) Maintenance(instance string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.instances[instance]
	if i == nil {
		return
	}
	type text struct {
		Language string `json:"language"`
		Latest   string `json:"latestDescription"`
	}
	type entity struct {
		Value  string `json:"entityValue"`
		Status string `json:"status"`
	}
	const code = "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED"
	begins := r.clock.now.Add(14 * 24 * time.Hour).UTC()
	const httpTime = "Mon, 02 Jan 2006 15:04:05 GMT"
	r.emitEvent("aws.health", "AWS Health Event", []string{i.id}, struct {
		EventARN    string   `json:"eventArn"`
		Service     string   `json:"service"`
		TypeCode    string   `json:"eventTypeCode"`
		Category    string   `json:"eventTypeCategory"`
		Scope       string   `json:"eventScopeCode"`
		Start       string   `json:"startTime"`
		End         string   `json:"endTime"`
		Updated     string   `json:"lastUpdatedTime"`
		Status      string   `json:"statusCode"`
		Region      string   `json:"eventRegion"`
		Description []text   `json:"eventDescription"`
		Entities    []entity `json:"affectedEntities"`
		Account     string   `json:"affectedAccount"`
	}{
		EventARN: "arn:aws:health:" + Name + "::event/EC2/" + code + "/" + code + "_" + r.ids.uuid("health event"),
		Service:  "EC2", TypeCode: code, Category: "scheduledChange", Scope: "ACCOUNT_SPECIFIC",
		Start: begins.Format(httpTime), End: begins.Add(2 * time.Hour).Format(httpTime), Updated: r.clock.now.UTC().Format(httpTime),
		Status: "upcoming", Region: Name,
		Description: []text{{"en_US", "EC2 has detected degradation of the underlying hardware hosting your Amazon EC2 instance " + i.id + "."}},
		Entities:    []entity{{i.id, "PENDING"}},
		Account:     Account,
	}, Delivery{Instance: i.id})
}

// arn names the instance as EC2's Spot events do, with its zone.
func (i *instance) arn() string { return "arn:aws:ec2:" + i.zone + ":instance/" + i.id }

// SetCapacityRebalance turns a group's Capacity Rebalancing on or off.
func (r *Region) SetCapacityRebalance(group string, on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g := r.groups[group]; g != nil {
		g.config.CapacityRebalance = aws.Bool(on)
	}
}
