package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// buckets is what publishing calls of S3.
type buckets interface {
	HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// publish uploads the assets that a region's buckets lack. A key has the hash of its
// content, so what is there is right.
func publish(ctx context.Context, to buckets, region string, assets []asset, out io.Writer) error {
	for _, a := range assets {
		bucket := a.bucketIn(region)
		_, err := to.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &a.key})
		switch {
		case err == nil:
			fmt.Fprintf(out, "s3://%s/%s is there\n", bucket, a.key)
			continue
		case !missing(err):
			return fmt.Errorf("look for s3://%s/%s: %w", bucket, a.key, err)
		}
		_, err = to.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &a.key, Body: bytes.NewReader(a.content)})
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorCode() == "NoSuchBucket" {
			return fmt.Errorf("the bucket %s is missing: aws s3 mb s3://%s --region %s, and let the accounts of the stack set read it", bucket, bucket, region)
		}
		if err != nil {
			return fmt.Errorf("upload s3://%s/%s: %w", bucket, a.key, err)
		}
		fmt.Fprintf(out, "s3://%s/%s uploaded, %d bytes\n", bucket, a.key, len(a.content))
	}
	return nil
}

// missing reports whether an object is not there. Without s3:ListBucket S3 answers 403
// for it ("Permissions", HeadObject, Amazon S3 API Reference): then uploading decides.
func missing(err error) bool {
	var response interface{ HTTPStatusCode() int }
	return errors.As(err, &response) && (response.HTTPStatusCode() == 404 || response.HTTPStatusCode() == 403)
}

var _ buckets = (*s3.Client)(nil)
