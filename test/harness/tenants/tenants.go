// Package tenants runs the whole tenant domain on this machine: intake, registry, workers
// and the runner with the shipped example blueprint, a real PostgreSQL, the services of
// test/clouds, and a web server for the tenants' instances. The demo and the benchmarks
// call it.
package tenants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"

	"deployhooks/pkg/boot"
	"deployhooks/pkg/event"
	"deployhooks/pkg/notice"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/blueprint/example"
	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/intake"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/registry"
	"deployhooks/pkg/tenant/source"
	"deployhooks/pkg/tenant/spec"
	"deployhooks/pkg/tenant/step"
	"deployhooks/pkg/tenant/step/dns"
	"deployhooks/pkg/tenant/workflow"
	"deployhooks/test/clouds"
	"deployhooks/test/harness"
	"deployhooks/test/postgres"
	"deployhooks/test/region"
)

// Options say how the domain runs. The zero value is a good one.
type Options struct {
	// Cloudflare, if set, is given the requests to Cloudflare before they are sent.
	Cloudflare func(send dns.HTTPClient) dns.HTTPClient
	// OnTry, if set, is called after each try of a step, from several goroutines.
	OnTry func(Try)
	// Databases is how many tasks of class database run at once; 0 is any number. Each
	// has three connections to the server at most.
	Databases int
}

// Tenants is the domain on this machine.
type Tenants struct {
	Blueprint *blueprint.Blueprint
	Intake    *intake.Intake
	Registry  *registry.Registry
	Runner    *workflow.Runner
	Postgres  *postgres.Server
	Clouds    *clouds.Clouds
	// Store is the registry's.
	Store *CountedStore

	instances *httptest.Server
	objects   *s3.Client
	zone      string
	workers   map[step.Class]*workflow.Worker
	databases chan struct{}
}

// Start starts everything, with the database in a folder that exists.
func Start(ctx context.Context, dir string, o Options) (*Tenants, error) {
	t := &Tenants{Clouds: clouds.Start(), workers: map[step.Class]*workflow.Worker{}}
	t.instances = httptest.NewTLSServer(t)
	if o.Databases > 0 {
		t.databases = make(chan struct{}, o.Databases)
	}
	var err error
	if t.Postgres, err = postgres.Start(ctx, dir); err == nil {
		t.Blueprint, err = t.load()
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	cfg := aws.Config{
		Region: region.Name, Credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
		BaseEndpoint: &t.Clouds.URL, HTTPClient: boot.HTTPClient(time.Minute),
	}
	t.objects = s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	t.Store = &CountedStore{Store: registry.NewMemory()}
	t.Registry = registry.New(t.Store, time.Now)
	t.Runner = workflow.NewRunner(workflow.RunnerParts{
		Run: t.run, Blueprints: t.blueprint, Now: time.Now, Sleep: sleep, Fraction: rand.Float64, OnEnd: t.ended,
	})
	t.addWorkers(cfg, o)
	r := region.New(region.Options{}) // only its topic and its bus
	notices := notice.New(notice.Config{TopicARN: r.Topic("notices").ARN(), EventBus: "default"}, "intake", r.SNS(), r.EventBridge(), io.Discard, time.Now)
	machine := func(name string) string {
		return fmt.Sprintf("arn:aws:states:%s:%s:stateMachine:%s:1", region.Name, region.Account, name)
	}
	t.Intake = intake.New(intake.Config{
		RemovalDelay: time.Second,
		Offer:        intake.Offer{Blueprint: t.Blueprint.Version, ConvergeMachine: machine("converge"), RemoveMachine: machine("remove")},
	}, intake.Parts{Registry: t.Registry, Blueprints: t.blueprint, Validate: spec.Validate, Engine: t.Runner, Notices: notices}, harness.Logger(), time.Now)
	return t, nil
}

// Close ends everything.
func (t *Tenants) Close() error {
	t.instances.Close()
	t.Clouds.Close()
	if t.Postgres == nil {
		return nil
	}
	return t.Postgres.Stop()
}

// load compiles the example with the values of this machine.
func (t *Tenants) load() (*blueprint.Blueprint, error) {
	const ours = "mail.example.com"
	t.Clouds.AddIdentity(ours)
	t.Clouds.Verify(ours)
	login, err := json.Marshal(map[string]any{"host": t.Postgres.Host, "port": t.Postgres.Port, "username": t.Postgres.User, "password": t.Postgres.Password})
	if err != nil {
		return nil, err
	}
	administrator := t.Clouds.PutSecret("administrator", string(login))
	t.zone = "023e105f4ecef8ad9ca31a8372d0c353"
	files, err := Replace(example.FS(), map[string]string{
		"arn:aws:secretsmanager:eu-central-1:123456789012:secret:production/postgres-AbCdEf": administrator,
		"arn:aws:secretsmanager:eu-central-1:123456789012:secret:staging/postgres-GhIjKl":    administrator,
		"arn:aws:secretsmanager:eu-central-1:123456789012:secret:cloudflare-MnOpQr":          t.Clouds.PutSecret("cloudflare", clouds.Token),
		"tls: verify-full": "tls: disable",
	})
	if err != nil {
		return nil, err
	}
	return source.Load(files, kinds.Descriptions())
}

// Replace is a blueprint's directory with other values in its blueprint.yaml: what an engineer
// does with those that are marked REPLACE. A value that is not there is an error.
func Replace(directory fs.FS, values map[string]string) (fs.FS, error) {
	files := fstest.MapFS{}
	err := fs.WalkDir(directory, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(directory, path)
		files[path] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		return nil, err
	}
	text := string(files["blueprint.yaml"].Data)
	for from, to := range values {
		if !strings.Contains(text, from) {
			return nil, fmt.Errorf("blueprint.yaml does not hold %q", from)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	files["blueprint.yaml"].Data = []byte(text)
	return files, nil
}

func (t *Tenants) addWorkers(cfg aws.Config, o Options) {
	var cloudflare dns.HTTPClient = boot.HTTPClient(time.Minute)
	if o.Cloudflare != nil {
		cloudflare = o.Cloudflare(cloudflare)
	}
	all := kinds.All(kinds.Clients{
		Registry: t.Registry, Engine: t.Runner, Secrets: secretsmanager.NewFromConfig(cfg), Identities: sesv2.NewFromConfig(cfg),
		Bucket: bucket.Bucket{Name: clouds.Bucket, ARN: "arn:aws:s3:::" + clouds.Bucket, S3: t.objects},
		DNS:    dns.Clients{Cloudflare: cloudflare, CloudflareURL: t.Clouds.URL + "/client/v4/"},
		Web:    t.instances.Client(), Resolver: resolver{t},
	})
	for name, k := range all {
		all[name] = Timed(k, o.OnTry)
	}
	for _, class := range step.Classes() {
		t.workers[class] = workflow.NewWorker(workflow.Parts{
			Class: class, Registry: t.Registry, Kinds: all, Blueprints: t.blueprint, Now: time.Now, Log: harness.Logger(),
		})
	}
}

func (t *Tenants) blueprint(context.Context, string) (*blueprint.Blueprint, error) {
	return t.Blueprint, nil
}

// run runs a task, as Lambda does with so many functions of its class at once.
func (t *Tenants) run(ctx context.Context, class step.Class, task workflow.Task) (workflow.Result, error) {
	if class == step.Database && t.databases != nil {
		t.databases <- struct{}{}
		defer func() { <-t.databases }()
	}
	return t.workers[class].Run(ctx, task)
}

// ended reports the end of an execution to intake, as EventBridge does.
func (t *Tenants) ended(e workflow.Execution, status string) {
	input, err := json.Marshal(e)
	if err == nil {
		// The sweep is there for reports that get lost.
		_ = t.Intake.Handle(context.Background(), []event.Message{{Event: event.Execution{Name: e.Operation, Status: status, Input: string(input)}}})
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// TempDir is a new folder for [Start], and how to remove it.
func TempDir() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "tenants-")
	return filepath.Clean(dir), func() { _ = os.RemoveAll(dir) }, err
}
