package main

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// newAssembly writes a cloud assembly with one function and its template.
func newAssembly(t *testing.T, bucket string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "asset.1"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"asset.1/bootstrap":         "program",
		"deployhooks.template.json": `{"Resources":{}}`,
		"deployhooks.assets.json": `{"files":{
			"1":{"source":{"path":"asset.1","packaging":"zip"},"destinations":{"d":{"bucketName":"` + bucket + `","objectKey":"1.zip"}}},
			"2":{"source":{"path":"deployhooks.template.json","packaging":"file"},"destinations":{"d":{"bucketName":"` + bucket + `","objectKey":"2.json"}}}}}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// serve serves S3 with some buckets, to the default credentials of this process.
func serve(t *testing.T, names ...string) *s3.Client {
	t.Helper()
	store := s3mem.New()
	for _, name := range names {
		if err := store.CreateBucket(name); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(gofakes3.New(store).Server())
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu-west-1",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		t.Setenv(name, value)
	}
	return s3.New(s3.Options{BaseEndpoint: &server.URL, Region: "eu-west-1", UsePathStyle: true, Credentials: aws.AnonymousCredentials{}})
}

func TestPublishPutsWhatTemplatesReadIntoEachRegion(t *testing.T) {
	client := serve(t, "acme-eu-west-1", "acme-us-east-1")
	var out strings.Builder
	args := []string{"--regions", "eu-west-1,us-east-1", newAssembly(t, "acme-${AWS::Region}")}
	if err := run(t.Context(), args, &out); err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"acme-eu-west-1", "acme-us-east-1"} {
		got, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String("1.zip")})
		if err != nil {
			t.Fatalf("%s lacks the program, so no stack can be made there: %v", bucket, err)
		}
		b, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		testProgram(t, b)
		if _, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String("2.json")}); err != nil {
			t.Errorf("%s lacks the template: %v", bucket, err)
		}
	}
	if want := "--template-url https://acme-eu-west-1.s3.eu-west-1.amazonaws.com/2.json"; !strings.Contains(out.String(), want) {
		t.Errorf("what to run next is missing %q:\n%s", want, &out)
	}
	out.Reset()
	if err := run(t.Context(), args, &out); err != nil || strings.Contains(out.String(), "uploaded") {
		t.Errorf("publishing again uploads again, or fails: %v\n%s", err, &out)
	}
}

// testProgram holds that Lambda can run what a zip has.
func testProgram(t *testing.T, content []byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	if len(z.File) != 1 || z.File[0].Name != "bootstrap" || z.File[0].Mode().Perm() != 0o755 {
		t.Errorf("the zip has %v, which Lambda cannot start", z.File)
	}
}

func TestPublishSaysWhatIsMissing(t *testing.T) {
	for scenario, tt := range map[string]struct{ bucket, region, want string }{
		"no bucket":               {"acme-${AWS::Region}", "us-east-1", "the bucket acme-us-east-1 is missing: aws s3 mb s3://acme-us-east-1 --region us-east-1"},
		"made for the bootstrap":  {"cdk-assets-${AWS::AccountId}-${AWS::Region}", "eu-west-1", "synthesise with the setting deployhooks:assetBucket"},
		"a bucket for one region": {"acme-eu-west-1", "eu-west-1", "synthesise with the setting deployhooks:assetBucket"},
	} {
		t.Run(scenario, func(t *testing.T) {
			serve(t, "acme-eu-west-1")
			err := run(t.Context(), []string{"--regions", tt.region, newAssembly(t, tt.bucket)}, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// The same program must be the same object, or each publication changes every stack.
func TestZipIsReproducible(t *testing.T) {
	folder := filepath.Join(newAssembly(t, "x"), "asset.1")
	first, err := pack(folder, "zip")
	if err != nil {
		t.Fatal(err)
	}
	later := filepath.Join(folder, "bootstrap")
	info, err := os.Stat(later)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(later, info.ModTime().AddDate(0, 0, 1), info.ModTime().AddDate(0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	second, err := pack(folder, "zip")
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the time of the build changes the zip (%v)", err)
	}
}

func TestUnreachableBucketIsAnError(t *testing.T) {
	a := []asset{{bucket: "acme-" + regionPlaceholder, key: "1.zip"}}
	if err := publish(context.Background(), refusing{}, "eu-west-1", a, io.Discard); err == nil {
		t.Error("a program that could not be published counts as published")
	}
}

// refusing is S3 that answers nothing.
type refusing struct{ buckets }

func (refusing) HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error) {
	return nil, errors.New("no route")
}
