package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"deployhooks/infra/config"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/registry"
)

// succeeded waits until an operation of the tenant has succeeded, and everybody is
// notified of it.
func (t *tenants) succeeded(ctx context.Context, kind registry.OperationKind, watch *observer) (string, error) {
	begin := time.Now()
	err := eventually(ctx, 4*time.Minute, "operators and other systems are notified of the "+string(kind)+" of "+tenant, func() (bool, error) {
		if watch.notifiedOfOperation(kind, tenant, registry.Held) {
			return false, errors.New("the operation is held")
		}
		return watch.notifiedOfOperation(kind, tenant, registry.Succeeded), watch.receive(ctx)
	})
	if err != nil {
		s, statusErr := t.status(ctx, tenant)
		said, _ := json.MarshalIndent(s, "", " ")
		return "", fmt.Errorf("%w; notified so far: %s; the tenant: %s (%v)", err, watch.soFar(), said, statusErr)
	}
	return "notified by topic and bus after " + took(begin), nil
}

// launch launches the tenant, twice by the same request.
func (t *tenants) launch(ctx context.Context, watch *observer) (string, error) {
	for range 2 {
		if err := t.request(ctx, tenant, "launch", specOf("#0b5fff")); err != nil {
			return "", err
		}
	}
	return t.succeeded(ctx, registry.Launch, watch)
}

// active checks what a launch has left.
func (t *tenants) active(ctx context.Context) (string, error) {
	s, err := t.status(ctx, tenant)
	if err != nil {
		return "", err
	}
	if s.State != registry.Active || len(s.Operations) != 1 || len(s.Tasks) != 3 {
		return "", fmt.Errorf("the tenant is %s after %d operations with %d manual tasks, want active after 1 with 3", s.State, len(s.Operations), len(s.Tasks))
	}
	for environment, host := range hosts {
		secret := secretOf(environment)
		title, err := t.cloud.query(ctx, secret, "SELECT value FROM settings WHERE name = 'title' AND current_database() = '"+tenant+"_"+environment+"'")
		if err != nil || title != "Acme Markets & Sons" {
			return "", fmt.Errorf("the database of %s has the title %q: %v", environment, title, err)
		}
		if page, err := t.get(ctx, host, "/login"); err != nil || !strings.Contains(page, "Acme Markets &amp; Sons: Welcome") {
			return "", fmt.Errorf("the log-in page of %s is %q: %v", host, page, err)
		}
		if page, err := t.get(ctx, host, "/branding.css"); err != nil || !strings.Contains(page, "--brand-link: #0b5fff;") {
			return "", fmt.Errorf("the colours of %s are %q: %v", host, page, err)
		}
	}
	t.before, err = t.objects(ctx)
	return fmt.Sprintf("%d steps, one of two equal requests; databases, pages and colours of %d hosts", len(s.Steps), len(hosts)), err
}

// change changes a colour, and sees that nothing is touched but the files of colours.
func (t *tenants) change(ctx context.Context, watch *observer) (string, error) {
	log := filepath.Join(t.folder, "log")
	statements := func() int64 {
		info, err := os.Stat(log)
		if err != nil {
			return -1
		}
		return info.Size()
	}
	asked := statements()
	if err := t.request(ctx, tenant, "change", specOf("#003366")); err != nil {
		return "", err
	}
	said, err := t.succeeded(ctx, registry.Change, watch)
	if err != nil {
		return "", err
	}
	if now := statements(); now != asked || asked <= 0 {
		return "", fmt.Errorf("the change has spoken to the database server: its log had %d bytes and has %d", asked, now)
	}
	after, err := t.objects(ctx)
	if err != nil {
		return "", err
	}
	var changed []string
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if after[key] != t.before[key] {
			changed = append(changed, key)
		}
	}
	var want []string
	for environment, host := range hosts {
		want = append(want, tenant+"/"+environment+"/public/branding.css", tenant+"/"+environment+"/public/branding.json")
		if page, err := t.get(ctx, host, "/branding.css"); err != nil || !strings.Contains(page, "--brand-link: #003366;") {
			return "", fmt.Errorf("the colours of %s are %q: %v", host, page, err)
		}
	}
	slices.Sort(want)
	if !slices.Equal(changed, want) || len(after) != len(t.before) {
		return "", fmt.Errorf("the change of a colour has written %v of %d objects, want %v of %d", changed, len(after), want, len(t.before))
	}
	return fmt.Sprintf("%s; %d of %d objects written, no statement to the databases", said, len(changed), len(after)), nil
}

// complete completes a manual task, whose execution then ends.
func (t *tenants) complete(ctx context.Context) (string, error) {
	const task = "google-calendar"
	var s intake.Status
	payload := `{"action":"complete","tenant":"` + tenant + `","step":"` + task + `","by":"jo@example.net"}`
	if err := t.cloud.invoke(ctx, config.IntakeFunctionOutput, payload, &s); err != nil {
		return "", err
	}
	if !slices.ContainsFunc(s.Tasks, func(m intake.TaskStatus) bool {
		return m.Step == task && m.State == "completed" && m.CompletedBy == "jo@example.net"
	}) {
		return "", fmt.Errorf("the task is not completed: %v", s.Tasks)
	}
	manual := strings.TrimSuffix(t.cloud.outputs[config.ConvergeMachineOutput], "converge") + "manual"
	var ended []string
	return "its execution has ended, two others wait", eventually(ctx, time.Minute, "the execution that waits for the task ends", func() (bool, error) {
		err := t.cloud.aws(ctx, &ended, "stepfunctions", "list-executions", "--state-machine-arn", manual, "--query", "executions[?status!='RUNNING'].status")
		if len(ended) > 1 || len(ended) == 1 && ended[0] != "SUCCEEDED" {
			return false, fmt.Errorf("the executions that wait for people ended: %v", ended)
		}
		return len(ended) == 1, err
	})
}

// refused sends a request with faults.
func (t *tenants) refused(ctx context.Context, watch *observer) (string, error) {
	bad := specOf("#0b5fff")
	bad["name"], bad["locale"], bad["surprise"] = stranger, 7, true
	if err := t.request(ctx, stranger, "launch", bad); err != nil {
		return "", err
	}
	err := eventually(ctx, time.Minute, "operators and other systems are notified of the rejected request", func() (bool, error) {
		return watch.notifiedOfOperation(registry.Launch, stranger, registry.Rejected), watch.receive(ctx)
	})
	if err != nil {
		return "", fmt.Errorf("%w; notified so far: %s", err, watch.soFar())
	}
	s, err := t.status(ctx, stranger)
	if err != nil {
		return "", err
	}
	if len(s.Operations) != 1 || s.Operations[0].State != registry.Rejected || len(s.Operations[0].Faults) != 2 || s.State != "" {
		return "", fmt.Errorf("the rejected request is kept as %+v", s)
	}
	if text := watch.emailOf(stranger); !strings.Contains(text, "spec.locale") || !strings.Contains(text, "spec.surprise") {
		return "", fmt.Errorf("the notification does not name the faults: %s", text)
	}
	return "kept with its two faults, which the notification names", nil
}

// remove removes the tenant.
func (t *tenants) remove(ctx context.Context, watch *observer) (string, error) {
	if err := t.request(ctx, tenant, "remove", nil); err != nil {
		return "", err
	}
	return t.succeeded(ctx, registry.Remove, watch)
}

// retained sees what is left of the tenant: its databases and their logins, as the
// blueprint says, and the record that there was one.
func (t *tenants) retained(ctx context.Context) (string, error) {
	s, err := t.status(ctx, tenant)
	if err != nil {
		return "", err
	}
	if s.State != registry.Removed {
		return "", fmt.Errorf("the tenant is %s", s.State)
	}
	left, err := t.left(ctx)
	if err != nil {
		return "", err
	}
	want := []string{
		"database acme_production", "database acme_staging",
		"identity mail." + domain,
		"secret administrator", "secret deployhooks/acme/database-production", "secret deployhooks/acme/database-staging",
	}
	if !slices.Equal(left, want) {
		return "", fmt.Errorf("left are %q, want %q", left, want)
	}
	for environment, host := range hosts {
		if _, err := t.cloud.query(ctx, secretOf(environment), "SELECT title FROM pages WHERE path = '/'"); err != nil {
			return "", fmt.Errorf("the database of %s that is kept: %w", environment, err)
		}
		if page, err := t.get(ctx, host, "/login"); err == nil {
			return "", fmt.Errorf("%s still answers: %q", host, page)
		}
	}
	return "its databases and their secrets, as the blueprint says, and nothing else", nil
}
