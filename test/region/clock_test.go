package region_test

import (
	"reflect"
	"testing"
	"time"

	"deployhooks/test/region"
)

func TestTimePassesOnlyWhenAdvanced(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	r.Scale("shop-web", 5)
	if n := len(r.InService("shop-web")); n != 4 || r.Now() != r.Start() {
		t.Errorf("without Advance, %d instances are in service at %s", n, r.Now())
	}
	r.Advance(time.Hour)
	if n := len(r.InService("shop-web")); n != 5 || r.Now() != r.Start().Add(time.Hour) {
		t.Errorf("after an hour, %d instances are in service at %s", n, r.Now())
	}
}

func TestRunUntil(t *testing.T) {
	r := region.New(region.Options{})
	shop(r)
	r.Scale("shop-web", 5)
	grown := func() bool { return len(r.InService("shop-web")) == 5 }
	if !r.RunUntil(grown, time.Hour) {
		t.Fatal("the group never grew")
	}
	if d := r.Now().Sub(r.Start()); d > 41*time.Second {
		t.Errorf("the fifth instance was in service after %s; the default boot takes 40 s", d)
	}
	if r.RunUntil(func() bool { return false }, time.Minute) {
		t.Error("what never holds came to hold")
	}
}

// TestFunctionMayAdvance: a handler that is served by a queue may let time
// pass itself, as a demo does that waits for something.
func TestFunctionMayAdvance(t *testing.T) {
	r := region.New(region.Options{})
	var at []time.Duration
	q := r.Queue("repair")
	q.Serve(func([]byte) ([]byte, error) {
		r.Advance(10 * time.Second)
		at = append(at, r.Now().Sub(r.Start()))
		return nil, nil
	})
	q.Send("hello")
	r.Advance(5 * time.Second)
	if len(at) != 1 || at[0] != 11*time.Second || r.Now().Sub(r.Start()) != 11*time.Second {
		t.Errorf("served at %v, now %s", at, r.Now())
	}
}

func TestRegionIsDeterministic(t *testing.T) {
	run := func() ([]region.Second, []string, []region.Message) {
		r := region.New(region.Options{})
		svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web", "api", "admin"}, Instances: 6, RollBack: true})
		users := r.StartTraffic(region.Traffic{TargetGroup: "api", Takes: 2 * time.Second})
		q := r.Queue("repair")
		r.RunDeployment(svc, region.Deployment{FailAt: region.StageReroute})
		r.Advance(10 * time.Minute)
		r.RunDeployment(svc, region.Deployment{})
		r.Scale(r.GroupOf(svc), 3)
		r.Advance(10 * time.Minute)
		return users.Seconds(), r.InService(r.GroupOf(svc)), q.Messages()
	}
	secondsA, instancesA, eventsA := run()
	secondsB, instancesB, eventsB := run()
	if !reflect.DeepEqual(secondsA, secondsB) || !reflect.DeepEqual(instancesA, instancesB) || !reflect.DeepEqual(eventsA, eventsB) {
		t.Error("two runs of one scenario differ: the region is not deterministic")
	}
}
