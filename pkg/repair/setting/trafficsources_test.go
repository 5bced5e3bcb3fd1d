package setting

import (
	"testing"

	"deployhooks/pkg/fleet"
)

func source(kind, id string) fleet.TrafficSource { return fleet.TrafficSource{Type: kind, ID: id} }

func TestTrafficSources(t *testing.T) {
	attached := func(sources ...fleet.TrafficSource) described {
		return described{group: fleet.AutoScalingGroup{Sources: sources}}
	}
	var elbv2 []fleet.TrafficSource
	for _, name := range []string{"ta", "tb", "tc", "td", "te", "tf", "tg", "th", "ti", "tj", "tk"} {
		elbv2 = append(elbv2, source(fleet.ELBV2, "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/"+name+"/1"))
	}
	testKind(t, trafficSources, map[string]kindCase{
		"a copy with nothing attached": {
			attached(source(fleet.ELBV2, "arn:web"), source(fleet.ClassicELB, "old"), source(fleet.VPCLattice, "arn:tg")), attached(),
			[]string{"attach target group arn:web to green", "attach Classic Load Balancer old to green", "attach VPC Lattice target group arn:tg to green"},
			"the copy gets no requests",
		},
		"eleven target groups": {
			attached(elbv2...), attached(),
			[]string{"attach target group ta, target group tb, target group tc, target group td, target group te, target group tf, target group tg, target group th, target group ti, target group tj to green", "attach target group tk to green"},
			"AWS refuses a call with eleven traffic sources",
		},
		"nine target groups of ten": {attached(elbv2[:10]...), attached(elbv2[:9]...), []string{"attach target group tj to green"}, "what is attached is attached again"},
	})
}
