// Package bucket is the tenants' bucket as the kinds of steps use it: whole small objects
// under the prefix of one tenant.
package bucket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"deployhooks/pkg/tenant/step"
)

// S3 is what a bucket asks Amazon S3.
type S3 interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	DeleteObjects(context.Context, *s3.DeleteObjectsInput, ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error)
	ListObjectVersions(context.Context, *s3.ListObjectVersionsInput, ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error)
}

// Bucket is the tenants' bucket.
type Bucket struct {
	Name string
	// ARN is that of the bucket, such as arn:aws:s3:::tenants.
	ARN string
	S3  S3
}

// Permissions are those of a step that keeps objects. Without s3:ListBucket a missing object is
// answered as a denied one (GetObject, "Permissions"). Objects are deleted by their versions,
// which takes s3:DeleteObject as well (DeleteObjects, "Permissions": "you must always specify").
func Permissions(json.RawMessage) []step.Permission {
	return []step.Permission{
		{Actions: []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"}, Resources: []string{"{bucket}/*"}},
		{Actions: []string{"s3:ListBucket", "s3:ListBucketVersions"}, Resources: []string{"{bucket}"}},
	}
}

// Blueprints is the folder of the compiled blueprints, which is no tenant's: a spec with this name
// is refused, and so is a prefix of a step.
const Blueprints = "blueprints"

// Prefix is a prefix that belongs to the tenant of a step, with a slash at its end. One without the
// tenant's name as a folder is refused, and one in the folder [Blueprints]: undoing a step deletes
// what is under its prefix.
func Prefix(in step.Input, prefix string) (string, error) {
	folders := strings.Split(strings.TrimSuffix(prefix, "/"), "/")
	odd := func(f string) bool { return f == "" || f == "." || f == ".." || strings.ContainsAny(f, "\\\x00\n\r") }
	if !slices.Contains(folders, in.Tenant) || folders[0] == Blueprints || slices.ContainsFunc(folders, odd) {
		return "", step.Refuse(fmt.Errorf("prefix %q of step %s does not belong to tenant %s", prefix, in.Step, in.Tenant), "Name the tenant as one of its folders, such as "+in.Tenant+"/files/.")
	}
	return strings.Join(folders, "/") + "/", nil
}

// readLimit bounds what is read of an object, in bytes: one that somebody has replaced by a huge one must not
// exhaust the worker's memory. No object that a step writes is larger than a file of a blueprint, 4 MB.
const readLimit = 8 << 20

// Get reads an object, [readLimit] bytes at most; found is false for none.
func (b Bucket) Get(ctx context.Context, key string) (body []byte, found bool, err error) {
	out, err := b.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.Name, Key: &key})
	var none *types.NoSuchKey
	if errors.As(err, &none) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read s3://%s/%s: %w", b.Name, key, err)
	}
	defer out.Body.Close()
	if body, err = io.ReadAll(io.LimitReader(out.Body, readLimit)); err != nil {
		return nil, false, fmt.Errorf("read s3://%s/%s: %w", b.Name, key, err)
	}
	return body, true, nil
}

// Holds reports whether the objects are there with these bodies: all of them, and any.
func (b Bucket) Holds(ctx context.Context, objects map[string][]byte) (all, any bool, err error) {
	all = true
	for key, want := range objects {
		body, found, err := b.Get(ctx, key)
		if err != nil {
			return false, false, err
		}
		all, any = all && found && bytes.Equal(body, want), any || found
	}
	return all, any, nil
}

// State is what [step.Kind.Check] says of objects that are wanted like this. The keys in before are
// those of the last Apply.
func (b Bucket) State(ctx context.Context, objects map[string][]byte, before ...string) (step.State, error) {
	all, any, err := b.Holds(ctx, objects)
	former := former(objects, before)
	switch {
	case err != nil:
		return "", err
	case all && len(former) == 0:
		return step.Present, nil
	case any || len(former) > 0:
		return step.Drifted, nil
	}
	return step.Absent, nil
}

// Converge writes objects, and deletes those of the last Apply that are wanted no more.
func (b Bucket) Converge(ctx context.Context, objects map[string][]byte, before ...string) error {
	if err := b.Put(ctx, objects); err != nil {
		return err
	}
	return b.Delete(ctx, former(objects, before)...)
}

// Undo deletes objects, and those of the last Apply.
func (b Bucket) Undo(ctx context.Context, objects map[string][]byte, before ...string) error {
	return b.Delete(ctx, append(former(objects, before), sorted(objects)...)...)
}

// former are the keys of the last Apply that are wanted no more.
func former(objects map[string][]byte, before []string) (keys []string) {
	for _, key := range before {
		if _, wanted := objects[key]; key != "" && !wanted {
			keys = append(keys, key)
		}
	}
	return keys
}

// Put writes objects in the order of their keys.
func (b Bucket) Put(ctx context.Context, objects map[string][]byte) error {
	for _, key := range sorted(objects) {
		if _, err := b.put(ctx, key, objects[key], nil); err != nil {
			return err
		}
	}
	return nil
}

// Create writes an object unless there is one with this key.
func (b Bucket) Create(ctx context.Context, key string, body []byte) error {
	exists, err := b.put(ctx, key, body, aws.String("*"))
	if exists {
		return nil
	}
	return err
}

// put writes an object, with If-None-Match "*" only where there is none: S3 answers 412 otherwise
// ("How to prevent object overwrites with conditional writes", Amazon S3 User Guide).
func (b Bucket) put(ctx context.Context, key string, body []byte, ifNoneMatch *string) (exists bool, err error) {
	_, err = b.S3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.Name, Key: &key, Body: bytes.NewReader(body), IfNoneMatch: ifNoneMatch, ContentType: aws.String(contentType(key)),
		// Branding and configuration change at constant keys.
		CacheControl: aws.String("max-age=300"),
	})
	var answer smithy.APIError
	if errors.As(err, &answer) && answer.ErrorCode() == "PreconditionFailed" {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("write s3://%s/%s: %w", b.Name, key, err)
	}
	return false, nil
}

func contentType(key string) string {
	if t := mime.TypeByExtension(path.Ext(key)); t != "" {
		return t
	}
	return "application/octet-stream"
}

// Delete deletes objects; missing ones are no error. In a bucket that keeps versions, theirs go
// as well: what a removal deletes is gone.
func (b Bucket) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := b.purge(ctx, key, func(found string) bool { return found == key }); err != nil {
			return err
		}
	}
	return nil
}

// DeleteAll deletes every object under a prefix, all versions included.
func (b Bucket) DeleteAll(ctx context.Context, prefix string) error {
	return b.purge(ctx, prefix, func(string) bool { return true })
}

func (b Bucket) purge(ctx context.Context, prefix string, of func(key string) bool) error {
	for pages := s3.NewListObjectVersionsPaginator(b.S3, &s3.ListObjectVersionsInput{Bucket: &b.Name, Prefix: &prefix}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list s3://%s/%s: %w", b.Name, prefix, err)
		}
		var found []types.ObjectIdentifier
		for _, v := range page.Versions {
			found = append(found, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			found = append(found, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		found = slices.DeleteFunc(found, func(o types.ObjectIdentifier) bool { return !of(aws.ToString(o.Key)) })
		if err := b.deleteVersions(ctx, found); err != nil {
			return fmt.Errorf("delete s3://%s/%s: %w", b.Name, prefix, err)
		}
	}
	return nil
}

// deleteVersions deletes the versions of one page, at most 1,000, which is the limit of a call.
func (b Bucket) deleteVersions(ctx context.Context, found []types.ObjectIdentifier) error {
	if len(found) == 0 {
		return nil
	}
	out, err := b.S3.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &b.Name, Delete: &types.Delete{Objects: found, Quiet: aws.Bool(true)}})
	if err != nil {
		return err
	}
	for _, e := range out.Errors {
		err = errors.Join(err, fmt.Errorf("%s: %w", aws.ToString(e.Key), &smithy.GenericAPIError{Code: aws.ToString(e.Code), Message: aws.ToString(e.Message)}))
	}
	return err
}

func sorted(objects map[string][]byte) []string {
	keys := make([]string, 0, len(objects))
	for key := range objects {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
