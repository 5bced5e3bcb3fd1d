package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"deployhooks/events"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step/dns"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/harness/tenants"
)

// The tenants: the one of the recorded payloads, and one whose DNS service fails.
const (
	steady    = "acme"
	disturbed = "globex"
	outage    = 2 * time.Second
)

// Launch is how one tenant was launched.
type Launch struct {
	Tenant, Note string
	// Seconds are from the message to the active tenant; AWS is the estimate for AWS.
	Seconds, AWS float64
	// Path is the critical path.
	Path  []string
	Steps []LaunchedStep
}

// LaunchedStep is one step over time, in seconds from the message.
type LaunchedStep struct {
	Name          string
	Critical      bool
	Tries         []TrySpan
	From, To      float64 // the estimate for AWS
	CriticalOnAWS bool
	took          time.Duration
}

// TrySpan is one try of a step.
type TrySpan struct {
	From, To float64
	Failed   bool
}

// launches is the scenario of two tenants that are launched at once.
type launches struct {
	*tenants.Tenants
	began time.Time

	mu      sync.Mutex
	tries   []tenants.Try
	failing time.Time // when the DNS service began to fail
}

// launchTenants plays the scenario against a real PostgreSQL.
func launchTenants(ctx context.Context) ([]Launch, error) {
	dir, remove, err := tenants.TempDir()
	if err != nil {
		return nil, err
	}
	defer remove()
	say("\nTwo tenants from two messages, with a real PostgreSQL (fetched once if this machine has none):")
	l := &launches{}
	if l.Tenants, err = tenants.Start(ctx, dir, tenants.Options{Cloudflare: l.disturb, OnTry: l.tried}); err != nil {
		return nil, err
	}
	defer func() { _ = l.Close() }() // its data is removed anyway
	l.began = time.Now()
	for _, tenant := range []string{steady, disturbed} {
		if err := l.publish(ctx, tenant); err != nil {
			return nil, err
		}
	}
	if err := l.follow(ctx); err != nil {
		return nil, err
	}
	if err := l.complete(ctx); err != nil {
		return nil, err
	}
	var all []Launch
	for _, tenant := range []string{steady, disturbed} {
		launch, err := l.launch(ctx, tenant)
		if err != nil {
			return nil, err
		}
		all = append(all, launch)
	}
	all[0].Note = "What only people can do (store accounts, call-back URLs, the mobile release) is a task with an owner and a due date beside the launch: nothing waits for it. One was completed after the launch."
	all[1].Note = fmt.Sprintf("Its DNS service answered 503 for %g s. The steps were tried again with back-off; everything else went on, and the other tenant did not notice. The estimate for AWS is without the outage.", outage.Seconds())
	return all, nil
}

// publish sends the recorded message, with the tenant's name in it, as the topic and the queue
// hand it to intake.
func (l *launches) publish(ctx context.Context, tenant string) error {
	payload, err := events.Read("portal-sqs-sns-launch")
	if err != nil {
		return err
	}
	if tenant != steady {
		payload = bytes.ReplaceAll(payload, []byte(steady), []byte(tenant))
		payload = bytes.ReplaceAll(payload, []byte("order-1001"), []byte("order-1002"))
	}
	answer, err := l.Intake.Invoke(ctx, payload)
	if err == nil && string(answer) != `{"batchItemFailures":[]}` {
		err = fmt.Errorf("intake answers %s", answer)
	}
	return err
}

// disturb has the requests about one tenant fail for a while.
func (l *launches) disturb(send dns.HTTPClient) dns.HTTPClient {
	return doer(func(r *http.Request) (*http.Response, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !strings.Contains(r.URL.RawQuery, disturbed) || !l.failing.IsZero() && time.Since(l.failing) > outage {
			return send.Do(r)
		}
		if l.failing.IsZero() {
			l.failing = time.Now()
		}
		answer := httptest.NewRecorder()
		answer.WriteHeader(http.StatusServiceUnavailable)
		_, _ = answer.WriteString(`{"success":false,"errors":[{"code":10000,"message":"try later"}]}`)
		return answer.Result(), nil
	})
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func (l *launches) tried(t tenants.Try) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries = append(l.tries, t)
	if t.Err != nil {
		why, _, _ := strings.Cut(t.Err.Error(), "\n") // one line for each record
		say("  %4.1f s  %-7s %s failed, and is tried again: %s", t.To.Sub(l.began).Seconds(), t.Tenant, t.Step, why)
	}
}

// follow says how far the launches are, as an operator can ask, until they end.
func (l *launches) follow(ctx context.Context) error {
	over := make(chan struct{})
	go func() {
		defer close(over)
		l.Runner.Wait()
	}()
	last := map[string]string{}
	for ended := false; !ended; {
		select {
		case <-over:
			ended = true
		case <-time.After(100 * time.Millisecond):
		}
		for _, tenant := range []string{steady, disturbed} {
			s, err := l.status(ctx, tenant)
			if err != nil {
				return err
			}
			line := string(s.State)
			if s.Progress != nil {
				line = "waits for " + s.WaitsFor
			}
			if line == last[tenant] {
				continue
			}
			last[tenant] = line
			if s.Progress != nil {
				line = fmt.Sprintf("%d %%, %s", s.Progress.Percent, line)
			}
			say("  %4.1f s  %-7s %s", time.Since(l.began).Seconds(), tenant, line)
		}
	}
	return nil
}

// status is an operator's direct invocation.
func (l *launches) status(ctx context.Context, tenant string) (s intake.Status, err error) {
	answer, err := l.Intake.Invoke(ctx, fmt.Appendf(nil, `{"action":"tenant","tenant":%q}`, tenant))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(answer, &s)
}

// complete completes a manual task, as the person does who has done it.
func (l *launches) complete(ctx context.Context) error {
	payload, err := events.Read("deployhooks-direct-complete")
	if err != nil {
		return err
	}
	if _, err := l.Intake.Invoke(ctx, payload); err != nil {
		return err
	}
	s, err := l.status(ctx, steady)
	for _, task := range s.Tasks {
		say("  %4.1f s  %-7s manual task %s: %s", time.Since(l.began).Seconds(), steady, task.Step, strings.TrimSpace(task.State+" "+task.CompletedBy))
	}
	return err
}

// launch puts together how a tenant was launched.
func (l *launches) launch(ctx context.Context, tenant string) (Launch, error) {
	v, err := l.Registry.View(ctx, tenant)
	if err != nil {
		return Launch{}, err
	}
	if v.Tenant.State != registry.Active {
		return Launch{}, fmt.Errorf("tenant %s is %s and not active", tenant, v.Tenant.State)
	}
	launch := Launch{Tenant: tenant, Seconds: l.since(v.Tenant.Activated)}
	measured := slices.Clone(l.Blueprint.Steps)
	for i, s := range l.Blueprint.Steps {
		launched := LaunchedStep{Name: s.Name}
		var from, to time.Time
		for _, t := range l.tries {
			if t.Tenant == tenant && t.Step == s.Name {
				launched.Tries = append(launched.Tries, TrySpan{l.since(t.From), l.since(t.To), t.Err != nil})
				if from.IsZero() {
					from = t.From
				}
				to = t.To
			}
		}
		launched.took = to.Sub(from)
		measured[i].Policy.Expected = launched.took
		launch.Steps = append(launch.Steps, launched)
	}
	launch.Path, _ = workflow.CriticalPath(measured)
	launch.estimate(l.Blueprint.Steps)
	for i := range launch.Steps {
		launch.Steps[i].Critical = slices.Contains(launch.Path, launch.Steps[i].Name)
	}
	slices.SortStableFunc(launch.Steps, func(a, b LaunchedStep) int { return cmp.Compare(a.From, b.From) })
	return launch, nil
}

// estimate adds when each step would run on AWS: as long as its kind expects, as soon as what it
// needs is done.
func (l *Launch) estimate(steps []blueprint.Step) {
	path, total := workflow.CriticalPath(steps)
	l.AWS = total.Seconds()
	end := map[string]float64{}
	for i, s := range steps {
		at := &l.Steps[i]
		for _, need := range s.Needs {
			at.From = max(at.From, end[need])
		}
		at.To = at.From + s.Policy.Expected.Seconds()
		end[s.Name] = at.To
		at.CriticalOnAWS = slices.Contains(path, s.Name)
	}
}

func (l *launches) since(t time.Time) float64 { return t.Sub(l.began).Seconds() }

// tenantFigures are a launch in report.json.
type tenantFigures struct {
	Seconds      float64       `json:"seconds"`
	CriticalPath []string      `json:"criticalPath"`
	Steps        []stepFigures `json:"steps"`
}

type stepFigures struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

func (l Launch) figures() tenantFigures {
	f := tenantFigures{Seconds: l.Seconds, CriticalPath: l.Path}
	for _, s := range l.Steps {
		f.Steps = append(f.Steps, stepFigures{s.Name, s.took.Seconds()})
	}
	return f
}
