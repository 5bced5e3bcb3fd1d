package bucket_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"deployhooks/pkg/fault"
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

// versioned has versions of an object, and one that its policy keeps.
type versioned struct {
	bucket.S3
	deleted []string
}

func (*versioned) ListObjectVersions(context.Context, *s3.ListObjectVersionsInput, ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error) {
	out := &s3.ListObjectVersionsOutput{DeleteMarkers: []types.DeleteMarkerEntry{{Key: aws.String("acme/a"), VersionId: aws.String("marker")}}}
	for _, key := range []string{"acme/a", "acme/ab", "acme/kept"} {
		out.Versions = append(out.Versions, types.ObjectVersion{Key: aws.String(key), VersionId: aws.String("1")})
	}
	return out, nil
}

func (v *versioned) DeleteObjects(_ context.Context, in *s3.DeleteObjectsInput, _ ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error) {
	out := &s3.DeleteObjectsOutput{}
	for _, o := range in.Delete.Objects {
		if *o.Key == "acme/kept" {
			out.Errors = append(out.Errors, types.Error{Key: o.Key, Code: aws.String("AccessDenied"), Message: aws.String("Object is locked")})
			continue
		}
		v.deleted = append(v.deleted, *o.Key+" "+*o.VersionId)
	}
	return out, nil
}

func TestDelete(t *testing.T) {
	var v versioned
	b := bucket.Bucket{Name: "tenants", S3: &v}
	if err := b.Delete(context.Background(), "acme/a"); err != nil || !slices.Equal(v.deleted, []string{"acme/a 1", "acme/a marker"}) {
		t.Errorf("deleted are %q, %v: what a removal deletes is not gone, or another object is", v.deleted, err)
	}
	if err := b.DeleteAll(context.Background(), "acme/"); !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), "acme/kept") {
		t.Errorf("%v: the removal counts as done, and the client's data is still there", err)
	}
}

func TestGetHugeObject(t *testing.T) {
	body, found, err := bucket.Bucket{S3: endless{}}.Get(context.Background(), "acme/branding.css")
	if err != nil || !found || len(body) > 16<<20 {
		t.Errorf("%d bytes, %t, %v: an object that somebody has replaced exhausts the worker's memory", len(body), found, err)
	}
}
