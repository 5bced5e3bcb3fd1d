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

// place is a simulated region with three services that are released, and the
// local cloud with the hooks beside it.
type place struct {
	w      *workshop
	region *region.Region
	server *http.Server
	cloud  *cloud

	// The services differ in how the hooks learn of their releases.
	byTopic, byEvent, byNothing region.Service
	deployments                 map[string]string // by deployment group

	mu        sync.Mutex
	events    [][]byte // on the region's bus, not yet passed on
	published int      // how many publications have been passed on
	notified  int      // how many messages of the hook's own queue have been

	stopTime func()
}

// newPlace builds the region and starts the local cloud.
func newPlace(ctx context.Context, w *workshop) (*place, error) {
	p := &place{w: w, region: region.New(region.Options{}), deployments: map[string]string{}}
	err := w.step("Simulate a region with three services behind load balancers", func() (string, error) {
		// The functions take the time from the machine's clock. A release takes
		// a minute or two of virtual time, so this lets it end about now.
		p.region.Advance(time.Now().Add(-2 * time.Minute).Sub(p.region.Now()))
		p.byTopic = p.region.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Trigger: triggerTopic})
		p.byEvent = p.region.AddService(region.Service{Application: "shop", DeploymentGroup: "search", TargetGroups: []string{"search", "search-internal"}})
		p.byNothing = p.region.AddService(region.Service{Application: "shop", DeploymentGroup: "billing", TargetGroups: []string{"billing"}})
		p.region.OnEvent(func(payload []byte) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.events = append(p.events, payload)
		})
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		p.server = &http.Server{Handler: wire.New(wire.ServicesOf(p.region)...), ReadHeaderTimeout: time.Minute}
		go func() { _ = p.server.Serve(listener) }() // ends with close
		p.addUnattached()
		return p.url(listener), nil
	})
	if err != nil {
		return nil, err
	}
	err = w.step("Start the local cloud, with IAM in force", func() (string, error) {
		var err error
		p.cloud, err = startCloud(ctx, w, p.server.Addr)
		if err != nil {
			return "", err
		}
		return p.cloud.url, nil
	})
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// url notes and returns where the region is served.
func (p *place) url(l net.Listener) string {
	p.server.Addr = "http://" + l.Addr().String()
	return p.server.Addr
}

func (p *place) close() {
	if p.stopTime != nil {
		p.stopTime()
	}
	_ = p.server.Close()
}

// services are all three.
func (p *place) services() []region.Service {
	return []region.Service{p.byTopic, p.byEvent, p.byNothing}
}

// release starts a blue/green deployment of every service.
func (p *place) release() {
	for _, s := range p.services() {
		p.deployments[s.DeploymentGroup] = p.region.Deploy(s, region.Deployment{})
	}
}

// green is the Auto Scaling group that the release has put in place.
func (p *place) green(s region.Service) string {
	_, green := p.region.Groups(p.deployments[s.DeploymentGroup])
	return green
}

// attached says whether a service's group has all its target groups.
func (p *place) attached(s region.Service) bool {
	attached := p.region.Attached(p.green(s))
	for _, name := range s.TargetGroups {
		if !slices.Contains(attached, p.region.TargetGroupARN(name)) {
			return false
		}
	}
	return true
}

// passTime lets the region's clock run from now on, five times as fast as the
// machine's, because waiting for health checks proves nothing.
func (p *place) passTime(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sleep(ctx, 100*time.Millisecond) == nil {
			p.region.Advance(500 * time.Millisecond)
		}
	}()
	p.stopTime = func() { cancel(); <-done }
}

// passOn gives what the region has said since to the front door: publications
// of one service to the stack's topic, events that concern another to the event
// bus, and what a lifecycle hook of the third has put into a queue of its own
// to the stack's. Everything else is lost.
func (p *place) passOn(ctx context.Context) (int, error) {
	var passed int
	topic := sns.NewFromConfig(p.cloud.config)
	all := p.region.Topic(triggerTopic).Published()
	for _, publication := range all[p.published:] {
		if _, err := topic.Publish(ctx, &sns.PublishInput{
			TopicArn: aws.String(p.cloud.outputs[config.TriggerTopicOutput]), Subject: &publication.Subject, Message: &publication.Message,
		}); err != nil {
			return passed, fmt.Errorf("publish %q: %w", publication.Subject, err)
		}
		p.published++
		passed++
	}
	for _, payload := range p.takeEvents() {
		put, err := p.putEvent(ctx, payload)
		if err != nil {
			return passed, err
		}
		if put {
			passed++
		}
	}
	queue := sqs.NewFromConfig(p.cloud.config)
	for _, m := range p.region.Queue(hookQueue).Messages()[p.notified:] {
		if _, err := queue.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: aws.String(p.cloud.outputs[config.DrainQueueOutput]), MessageBody: &m.Body}); err != nil {
			return passed, fmt.Errorf("send %s: %w", m.Body, err)
		}
		p.notified++
		passed++
	}
	return passed, nil
}

// putEvent puts an event of the region on the bus, if it is about the
// deployments or the instances of the services that tell in this way.
func (p *place) putEvent(ctx context.Context, payload []byte) (bool, error) {
	var event struct {
		Detail struct {
			DeploymentGroup      string `json:"deploymentGroup"`
			AutoScalingGroupName string
		} `json:"detail"`
	}
	if err := json.Unmarshal(payload, &event); err != nil {
		return false, fmt.Errorf("the region's event %s: %w", payload, err)
	}
	if event.Detail.DeploymentGroup != p.byEvent.DeploymentGroup && event.Detail.AutoScalingGroupName != p.green(p.byTopic) {
		return false, nil
	}
	return true, p.cloud.putEvent(ctx, payload)
}

func (p *place) takeEvents() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	events := p.events
	p.events = nil
	return events
}
