package bucket_test

import (
	"context"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"deployhooks/pkg/tenant/bucket"
)

// endless has an object of any size.
type endless struct{ bucket.S3 }

func (endless) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return &s3.GetObjectOutput{Body: io.NopCloser(&zeros{})}, nil
}

type zeros struct{ read int }

func (z *zeros) Read(b []byte) (int, error) {
	if z.read += len(b); z.read > 64<<20 {
		return 0, io.ErrNoProgress
	}
	return len(b), nil
}

func TestGetHugeObject(t *testing.T) {
	body, found, err := bucket.Bucket{S3: endless{}}.Get(context.Background(), "acme/branding.css")
	if err != nil || !found || len(body) > 16<<20 {
		t.Errorf("%d bytes, %t, %v: an object that somebody has replaced exhausts the worker's memory", len(body), found, err)
	}
}
