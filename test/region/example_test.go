package region_test

import (
	"fmt"
	"time"

	"deployhooks/test/region"
)

// A release, then a scale-in of the group that came out of it. Nobody has
// attached the group, so the scale-in cuts requests off.
func Example() {
	r := region.New(region.Options{})
	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4})
	users := r.StartTraffic(region.Traffic{TargetGroup: "web", Takes: 2 * time.Second})
	id := r.RunDeployment(svc, region.Deployment{})
	fmt.Println("the release:", r.Status(id), "with", users.Total().Failed, "failed requests")
	fmt.Println("attached:", len(r.Attached(r.GroupOf(svc))))

	r.Scale(r.GroupOf(svc), 2)
	r.Advance(5 * time.Minute)
	fmt.Println("the scale-in failed requests:", users.Total().Failed > 0)
	// Output:
	// the release: Succeeded with 0 failed requests
	// attached: 0
	// the scale-in failed requests: true
}
