package library_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"deployhooks/pkg/fault"
	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/bucket"
	"deployhooks/pkg/tenant/library"
	"deployhooks/pkg/tenant/spec"
	"deployhooks/pkg/tenant/step"
	"deployhooks/test/clouds"
)

// compiled is a blueprint, and what the deployment uploads of it.
func compiled(t *testing.T, name string) (version, text string) {
	t.Helper()
	b := &blueprint.Blueprint{Name: name, Spec: []byte("{}")}
	b.Version = b.Hash()
	encoded, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b.Version, string(encoded)
}

// key is where the library keeps a version.
func key(version string) string { return "blueprints/" + version + ".json" }

// denied answers a missing object as S3 does to a role without s3:ListBucket: with 403 ("If you
// don't have the s3:ListBucket permission", GetObject, Amazon S3 API Reference).
type denied struct{}

func (denied) Do(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultClient.Do(r)
	if err == nil && r.Method == http.MethodGet && res.StatusCode == http.StatusNotFound {
		res.StatusCode, res.Status = http.StatusForbidden, "403 Forbidden"
		_ = res.Body.Close()
		res.Body = io.NopCloser(strings.NewReader("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"))
	}
	return res, err
}

func client(c *clouds.Clouds, over aws.HTTPClient) *s3.Client {
	return s3.NewFromConfig(aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""), BaseEndpoint: &c.URL,
		HTTPClient: over, Retryer: func() aws.Retryer { return aws.NopRetryer{} },
	}, func(o *s3.Options) { o.UsePathStyle = true })
}

func put(t *testing.T, to *s3.Client, key, text string) {
	t.Helper()
	_, err := to.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String(clouds.Bucket), Key: &key, Body: strings.NewReader(text)})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	version, text := compiled(t, "shop")
	otherVersion, other := compiled(t, "other")
	const asset = "asset.json"
	intake := library.Config{Bucket: clouds.Bucket, Deployed: version, AssetBucket: clouds.Bucket, AssetKey: asset}
	worker := library.Config{Bucket: clouds.Bucket}
	for name, c := range map[string]struct {
		cfg     library.Config
		version string
		objects map[string]string
		over    aws.HTTPClient
		want    string // of the error, empty for none
		denied  bool   // an error that operators learn the missing permission from
	}{
		"deployed and not in the library":      {cfg: intake, version: version, objects: map[string]string{asset: text}},
		"deployed and in the library":          {cfg: intake, version: version, objects: map[string]string{key(version): text}},
		"of an earlier deployment":             {cfg: intake, version: otherVersion, objects: map[string]string{asset: text, key(otherVersion): other}},
		"read by a worker":                     {cfg: worker, version: version, objects: map[string]string{key(version): text}},
		"missing, for a worker":                {cfg: worker, version: version, objects: map[string]string{asset: text}, want: "NoSuchKey"},
		"missing, and not the deployed one":    {cfg: intake, version: otherVersion, objects: map[string]string{asset: text}, want: "NoSuchKey"},
		"deployed, and its asset missing":      {cfg: intake, version: version, want: "NoSuchKey"},
		"missing, without s3:ListBucket":       {cfg: intake, version: version, objects: map[string]string{asset: text}, over: denied{}, want: "AccessDenied", denied: true},
		"overwritten by another version":       {cfg: worker, version: version, objects: map[string]string{key(version): other}, want: "somebody has overwritten it"},
		"overwritten by the same, edited":      {cfg: worker, version: version, objects: map[string]string{key(version): strings.Replace(text, "shop", "shops", 1)}, want: "has the content of"},
		"overwritten by something else":        {cfg: worker, version: version, objects: map[string]string{key(version): "<html>"}, want: "decode blueprint"},
		"cut short":                            {cfg: worker, version: version, objects: map[string]string{key(version): text[:len(text)/2]}, want: "decode blueprint"},
		"the asset is that of another version": {cfg: intake, version: version, objects: map[string]string{asset: other}, want: "somebody has overwritten it"},
	} {
		t.Run(name, func(t *testing.T) {
			cloud := clouds.Start()
			defer cloud.Close()
			for key, object := range c.objects {
				put(t, client(cloud, nil), key, object)
			}
			l := library.New(c.cfg, client(cloud, c.over))
			b, err := l.Read(context.Background(), c.version)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.version) {
					t.Fatalf("error %v, want one of blueprint %s with %q: an operation runs with what it did not begin with, or nobody learns why it does not run", err, c.version, c.want)
				}
				if fault.Is(err, fault.Denied) != c.denied {
					t.Errorf("error %v is a denied call: %t", err, !c.denied)
				}
				return
			}
			if err != nil || b.Version != c.version {
				t.Fatalf("blueprint %+v, %v, want version %s", b, err, c.version)
			}
			if cloud.Objects()[key(c.version)] == "" {
				t.Error("the library does not have it: the workers find nothing")
			}
			calls := cloud.Calls(clouds.S3)
			if again, err := l.Read(context.Background(), c.version); err != nil || again != b || cloud.Calls(clouds.S3) != calls {
				t.Errorf("read again with %d calls, %v: each invocation downloads the blueprint", cloud.Calls(clouds.S3)-calls, err)
			}
		})
	}
}

// An asset that is another version must not become the one that workers read.
func TestWrongAssetIsNotKept(t *testing.T) {
	version, _ := compiled(t, "shop")
	_, other := compiled(t, "other")
	cloud := clouds.Start()
	defer cloud.Close()
	put(t, client(cloud, nil), "asset.json", other)
	l := library.New(library.Config{Bucket: clouds.Bucket, Deployed: version, AssetBucket: clouds.Bucket, AssetKey: "asset.json"}, client(cloud, nil))
	if _, err := l.Read(context.Background(), version); err == nil {
		t.Fatal("read as the deployed version")
	}
	if cloud.Objects()[key(version)] != "" {
		t.Error("it is in the library: it has to be deleted by hand before the deployed blueprint can be used")
	}
}

// Two functions start with a new deployment at the same time, each with several goroutines.
func TestFirstUseByTwo(t *testing.T) {
	version, text := compiled(t, "shop")
	cloud := clouds.Start()
	defer cloud.Close()
	put(t, client(cloud, nil), "asset.json", text)
	cfg := library.Config{Bucket: clouds.Bucket, Deployed: version, AssetBucket: clouds.Bucket, AssetKey: "asset.json"}
	var all sync.WaitGroup
	before := cloud.Calls(clouds.S3)
	for _, l := range []*library.Library{library.New(cfg, client(cloud, nil)), library.New(cfg, client(cloud, nil))} {
		for range 8 {
			all.Go(func() {
				if b, err := l.Read(context.Background(), version); err != nil || b.Name != "shop" {
					t.Errorf("blueprint %+v, %v: a launch fails because another came at the same time", b, err)
				}
			})
		}
	}
	all.Wait()
	if cloud.Objects()[key(version)] != text {
		t.Error("the library has something else than what was deployed")
	}
	if calls := cloud.Calls(clouds.S3) - before; calls > 6 {
		t.Errorf("%d calls of two functions: a goroutine downloads for itself", calls)
	}
}

// A failed download is not remembered.
func TestReadAfterAFailure(t *testing.T) {
	version, text := compiled(t, "shop")
	cloud := clouds.Start()
	defer cloud.Close()
	put(t, client(cloud, nil), key(version), text)
	l := library.New(library.Config{Bucket: clouds.Bucket}, client(cloud, nil))
	cloud.Fail(clouds.S3, clouds.Fault{Status: http.StatusServiceUnavailable})
	if _, err := l.Read(context.Background(), version); err == nil || step.ClassOf(err) != step.Transient {
		t.Fatalf("error %v: an operation is held because S3 did not answer once", err)
	}
	if _, err := l.Read(context.Background(), version); err != nil {
		t.Errorf("%v: a function that failed once fails until it is replaced", err)
	}
}

// Operations of many versions run at once after many deployments.
func TestManyVersions(t *testing.T) {
	cloud := clouds.Start()
	defer cloud.Close()
	l := library.New(library.Config{Bucket: clouds.Bucket}, client(cloud, nil))
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "a"} {
		version, text := compiled(t, name)
		put(t, client(cloud, nil), key(version), text)
		if b, err := l.Read(context.Background(), version); err != nil || b.Name != name {
			t.Errorf("version %s of %s: %+v, %v", version, name, b, err)
		}
	}
}

// What the stack keeps in the bucket is out of reach of every tenant, whatever its name.
func TestNoTenantOwnsTheLibrary(t *testing.T) {
	folder, _, _ := strings.Cut(key("x"), "/")
	schema, err := spec.Schema(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	faults := spec.Validate(schema, []byte(`{"schemaVersion":1,"name":"`+folder+`","title":"x","contacts":{"owner":{"name":"x","email":"x@example.com"}}}`))
	if len(faults) != 1 || faults[0].Path != "spec.name" || !strings.Contains(faults[0].Fault, "reserved") {
		t.Errorf("faults %v: a tenant can be named %s, and its removal deletes every blueprint", faults, folder)
	}
	for _, in := range []struct{ tenant, prefix string }{{folder, folder + "/"}, {folder, folder + "/production"}, {"acme", folder + "/acme/"}} {
		if prefix, err := bucket.Prefix(step.Input{Tenant: in.tenant}, in.prefix); err == nil {
			t.Errorf("tenant %s may have the prefix %s: its removal deletes blueprints", in.tenant, prefix)
		}
	}
}
