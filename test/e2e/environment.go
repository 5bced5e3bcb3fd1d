package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"deployhooks/infra/config"
	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// triggerTopic is the topic, in the region, that CodeDeploy publishes to. What
// comes there is published to the real topic of the stack.
const triggerTopic = "codedeploy"

// environment is a simulated region with three services that are released, and the
// local cloud with the hooks beside it.
type environment struct {
	w       *runner
	region  *region.Region
	handler *wire.Handler
	server  *http.Server
	cloud   *cloud
	tenants *tenants

	// The services differ in how the hooks learn of their releases.
	byTopic, byEvent, byNothing region.Service
	deployments                 map[string]string // by deployment group

	mu        sync.Mutex
	events    [][]byte // on the region's bus, not yet passed on
	published int      // how many publications have been passed on
	notified  int      // how many messages of the hook's own queue have been

	roles struct {
		mu    sync.Mutex
		known map[string]bool // by access key ID
	}

	stopTime func()
}

// newEnvironment builds the region and starts the local cloud.
func newEnvironment(ctx context.Context, w *runner) (*environment, error) {
	e := &environment{w: w, region: region.New(region.Options{}), deployments: map[string]string{}}
	e.roles.known = map[string]bool{}
	err := w.step("Simulate a region with three services behind load balancers", func() (string, error) {
		// The functions take the time from the machine's clock. A release takes
		// a minute or two of virtual time, so this lets it end about now.
		e.region.Advance(time.Now().Add(-2 * time.Minute).Sub(e.region.Now()))
		e.byTopic = e.region.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Trigger: triggerTopic})
		e.byEvent = e.region.AddService(region.Service{Application: "shop", DeploymentGroup: "search", TargetGroups: []string{"search", "search-internal"}})
		e.byNothing = e.region.AddService(region.Service{Application: "shop", DeploymentGroup: "billing", TargetGroups: []string{"billing"}})
		e.region.OnEvent(func(payload []byte) {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.events = append(e.events, payload)
		})
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		e.handler = newHandler(e.region)
		e.server = &http.Server{Handler: e.enforcing(e.handler), ReadHeaderTimeout: time.Minute}
		go func() { _ = e.server.Serve(listener) }() // ends with close
		e.addUnattached()
		e.addTrainingTargets()
		return e.url(listener), nil
	})
	if err != nil {
		return nil, err
	}
	err = w.step("Start a database server, and what serves tenants' pages", func() (result string, err error) {
		e.tenants, result, err = startTenants(ctx, w)
		return result, err
	})
	if err != nil {
		e.close()
		return nil, err
	}
	err = w.step("Start the local cloud, with IAM in force", func() (string, error) {
		var err error
		e.cloud, err = startCloud(ctx, w, e.server.Addr, e.tenants)
		if err != nil {
			return "", err
		}
		e.tenants.cloud, e.tenants.pages.cloud = e.cloud, e.cloud
		return e.cloud.url, nil
	})
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// url notes and returns where the region is served.
func (e *environment) url(l net.Listener) string {
	e.server.Addr = "http://" + l.Addr().String()
	return e.server.Addr
}

func (e *environment) close() {
	if e.stopTime != nil {
		e.stopTime()
	}
	_ = e.server.Close()
	if e.tenants != nil {
		e.tenants.close()
	}
}

// services are all three.
func (e *environment) services() []region.Service {
	return []region.Service{e.byTopic, e.byEvent, e.byNothing}
}

// release starts a blue/green deployment of every service.
func (e *environment) release() {
	for _, s := range e.services() {
		e.deployments[s.DeploymentGroup] = e.region.Deploy(s, region.Deployment{})
	}
}

// green is the Auto Scaling group that the release has put in place.
func (e *environment) green(s region.Service) string {
	_, green := e.region.Groups(e.deployments[s.DeploymentGroup])
	return green
}

// attached says whether a service's group has all its target groups.
func (e *environment) attached(s region.Service) bool {
	attached := e.region.Attached(e.green(s))
	for _, name := range s.TargetGroups {
		if !slices.Contains(attached, e.region.TargetGroupARN(name)) {
			return false
		}
	}
	return true
}

// passTime lets the region's clock run from now on, five times as fast as the
// machine's, because waiting for health checks proves nothing. It runs until e is closed,
// whatever becomes of the step that began it.
func (e *environment) passTime(ctx context.Context) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep(ctx, 100*time.Millisecond) == nil {
			e.region.Advance(500 * time.Millisecond)
		}
	}()
	e.stopTime = func() { cancel(); <-done }
}

// passOn forwards what the region has sent since to the deployed stack: publications
// of one service to the stack's topic, events that concern another to the event
// bus, and what a lifecycle hook of the third has put into a queue of its own
// to the stack's. Everything else is lost.
func (e *environment) passOn(ctx context.Context) (int, error) {
	var passed int
	topic := sns.NewFromConfig(e.cloud.config)
	all := e.region.Topic(triggerTopic).Published()
	for _, publication := range all[e.published:] {
		if _, err := topic.Publish(ctx, &sns.PublishInput{
			TopicArn: aws.String(e.cloud.outputs[config.TriggerTopicOutput]), Subject: &publication.Subject, Message: &publication.Message,
		}); err != nil {
			return passed, fmt.Errorf("publish %q: %w", publication.Subject, err)
		}
		e.published++
		passed++
	}
	for _, payload := range e.takeEvents() {
		put, err := e.putEvent(ctx, payload)
		if err != nil {
			return passed, err
		}
		if put {
			passed++
		}
	}
	queue := sqs.NewFromConfig(e.cloud.config)
	for _, m := range e.region.Queue(hookQueue).Messages()[e.notified:] {
		if _, err := queue.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(e.cloud.outputs[config.DrainQueueOutput]), MessageBody: &m.Body}); err != nil {
			return passed, fmt.Errorf("send %s: %w", m.Body, err)
		}
		e.notified++
		passed++
	}
	return passed, nil
}

// putEvent puts an event of the region on the bus, if it is about the
// deployments or the instances of the services whose events take this way.
func (e *environment) putEvent(ctx context.Context, payload []byte) (bool, error) {
	var event struct {
		Detail struct {
			DeploymentGroup      string `json:"deploymentGroup"`
			AutoScalingGroupName string
		} `json:"detail"`
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		return false, fmt.Errorf("the region's event %s: %w", payload, err)
	}
	if event.Detail.DeploymentGroup != e.byEvent.DeploymentGroup && event.Detail.AutoScalingGroupName != e.green(e.byTopic) {
		return false, nil
	}
	return true, e.cloud.putEvent(ctx, payload)
}

func (e *environment) takeEvents() [][]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	events := e.events
	e.events = nil
	return events
}
