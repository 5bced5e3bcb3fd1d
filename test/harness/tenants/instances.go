package tenants

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"go.yaml.in/yaml/v3"

	"deployhooks/pkg/store"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/step"
	"deployhooks/test/clouds"
)

// ServeHTTP serves what the instance of a host would: a log-in page with the title of its
// configuration, and its palette. Both are read from the bucket at each request.
func (t *Tenants) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tenant, environment := strings.TrimSuffix(r.Host, ".example.com"), "production"
	if name, staging := strings.CutSuffix(tenant, "-staging"); staging {
		tenant, environment = name, "staging"
	}
	folder := tenant + "/" + environment
	switch r.URL.Path {
	case "/login":
		text, err := t.object(r.Context(), folder+"/config/config.yml")
		var config struct{ Title string }
		if err == nil {
			err = yaml.Unmarshal(text, &config)
		}
		if err != nil {
			http.Error(w, "this instance has no configuration", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "<title>%s</title>", html.EscapeString(config.Title))
	case "/branding.json":
		text, err := t.object(r.Context(), folder+"/public/branding.json")
		if err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(text)
	default:
		http.NotFound(w, r)
	}
}

func (t *Tenants) object(ctx context.Context, key string) ([]byte, error) {
	bucket := clouds.Bucket
	out, err := t.objects.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// resolver finds the hosts that have a record in the zone.
type resolver struct{ *Tenants }

func (r resolver) LookupHost(_ context.Context, host string) ([]string, error) {
	for _, record := range r.Clouds.CloudflareRecords(r.zone) {
		if record.Name == host {
			return []string{"127.0.0.1"}, nil
		}
	}
	return nil, fmt.Errorf("no such host %s", host)
}

// Try is one try of a step, as its kind saw it: without what the engine does before and after.
type Try struct {
	Tenant, Step string
	From, To     time.Time
	Err          error
}

// timed reports the tries of a kind.
type timed struct {
	step.Kind
	report func(Try)
}

// Timed is a kind whose tries are reported.
func Timed(k step.Kind, report func(Try)) step.Kind {
	if report == nil {
		return k
	}
	return timed{k, report}
}

func (k timed) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	try := Try{Tenant: in.Tenant, Step: in.Step, From: time.Now()}
	out, err := k.Kind.Apply(ctx, in)
	try.To, try.Err = time.Now(), err
	k.report(try)
	return out, err
}

// CountedStore counts the calls of a store.
type CountedStore struct {
	registry.Store
	Calls atomic.Int64
}

type item = store.Item[json.RawMessage]

// Get implements [registry.Store].
func (s *CountedStore) Get(ctx context.Context, keys ...store.Key) (map[store.Key]item, error) {
	s.Calls.Add(1)
	return s.Store.Get(ctx, keys...)
}

// List implements [registry.Store].
func (s *CountedStore) List(ctx context.Context, partition string) ([]item, error) {
	s.Calls.Add(1)
	return s.Store.List(ctx, partition)
}

// Last implements [registry.Store].
func (s *CountedStore) Last(ctx context.Context, partition string, limit int) ([]item, error) {
	s.Calls.Add(1)
	return s.Store.Last(ctx, partition, limit)
}

// PutAll implements [registry.Store]. To write nothing is no call.
func (s *CountedStore) PutAll(ctx context.Context, items ...item) ([]store.Key, error) {
	if len(items) > 0 {
		s.Calls.Add(1)
	}
	return s.Store.PutAll(ctx, items...)
}
