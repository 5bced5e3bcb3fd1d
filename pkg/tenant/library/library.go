// Package library keeps compiled blueprints in the tenants' bucket, each under its version,
// so that an operation ends with the blueprint it began with, whatever is deployed
// meanwhile. Both functions of the tenants stack read them; intake adds the one that is
// deployed with it.
package library

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/bucket"
)

// Objects is what a [Library] calls.
type Objects interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// Config says where blueprints are, from the function's environment.
type Config struct {
	// Bucket is the tenants' bucket.
	Bucket string `env:"BUCKET,required,notEmpty"`
	// Deployed is the version whose compiled blueprint was uploaded to AssetBucket and
	// AssetKey by the deployment. Only intake has them.
	Deployed    string `env:"BLUEPRINT"`
	AssetBucket string `env:"BLUEPRINT_BUCKET"`
	AssetKey    string `env:"BLUEPRINT_KEY"`
}

// Library reads blueprints. Its methods may be called from several goroutines.
type Library struct {
	cfg    Config
	client Objects

	mu    sync.Mutex
	cache map[string]*blueprint.Blueprint // by version
}

// New makes a library. It makes no call.
func New(cfg Config, client Objects) *Library {
	return &Library{cfg: cfg, client: client, cache: map[string]*blueprint.Blueprint{}}
}

// cached is how many versions are kept: the present one, and those of operations that
// began earlier.
const cached = 4

// Read returns the blueprint of a version, which must not be changed. The deployed one
// is added to the library when it is first read.
func (l *Library) Read(ctx context.Context, version string) (*blueprint.Blueprint, error) {
	l.mu.Lock()
	defer l.mu.Unlock() // one download for all
	if b := l.cache[version]; b != nil {
		return b, nil
	}
	b, err := l.decoded(ctx, version, l.cfg.Bucket, key(version))
	var missing *types.NoSuchKey
	if errors.As(err, &missing) && version == l.cfg.Deployed && l.cfg.AssetKey != "" {
		b, err = l.add(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("blueprint %s: %w", version, err)
	}
	if len(l.cache) >= cached {
		clear(l.cache)
	}
	l.cache[version] = b
	return b, nil
}

// add copies the deployed blueprint into the library, once it is known to be the one that
// was deployed.
func (l *Library) add(ctx context.Context) (*blueprint.Blueprint, error) {
	b, err := l.decoded(ctx, l.cfg.Deployed, l.cfg.AssetBucket, l.cfg.AssetKey)
	if err != nil {
		return nil, err
	}
	text, err := b.Encode()
	if err != nil {
		return nil, err
	}
	_, err = l.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &l.cfg.Bucket, Key: aws.String(key(b.Version)), Body: bytes.NewReader(text), ContentType: aws.String("application/json"),
	})
	if err != nil {
		return nil, fmt.Errorf("write s3://%s/%s: %w", l.cfg.Bucket, key(b.Version), err)
	}
	return b, nil
}

// decoded reads the blueprint of a version from an object.
func (l *Library) decoded(ctx context.Context, version, bucket, key string) (*blueprint.Blueprint, error) {
	text, err := l.get(ctx, bucket, key)
	if err != nil {
		return nil, err
	}
	b, err := blueprint.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("s3://%s/%s: %w", bucket, key, err)
	}
	if b.Version != version {
		return nil, fmt.Errorf("s3://%s/%s has version %s: somebody has overwritten it", bucket, key, b.Version)
	}
	return b, nil
}

func (l *Library) get(ctx context.Context, bucket, key string) (text []byte, err error) {
	out, err := l.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err == nil {
		defer func() { _ = out.Body.Close() }()
		text, err = io.ReadAll(out.Body)
	}
	if err != nil {
		return nil, fmt.Errorf("read s3://%s/%s: %w", bucket, key, err)
	}
	return text, nil
}

func key(version string) string { return bucket.Blueprints + "/" + version + ".json" }
