package events_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"deployhooks/events"
)

func TestDocumentationListsEveryPayload(t *testing.T) {
	source, err := os.ReadFile("events.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := regexp.MustCompile(`(?m)^//\t([a-z0-9]+-[a-z-]+)(?: |$)`).FindAllSubmatch(source, -1)
	var names []string
	for _, match := range listed {
		if name := string(match[1]); !strings.HasPrefix(name, "sqs-") { // the table of envelopes
			names = append(names, name)
		}
	}
	for _, name := range events.Names() {
		if !slices.Contains(names, name) {
			t.Errorf("%s.json is not in the package's documentation: nobody could say what it is worth", name)
		}
	}
	for _, name := range names {
		if _, err := events.Read(name); err != nil {
			t.Errorf("the package's documentation lists %s, which does not exist", name)
		}
	}
}

func TestReadOfMissingPayload(t *testing.T) {
	if _, err := events.Read("codedeploy-eventbridge-succes"); err == nil || !strings.Contains(err.Error(), `"codedeploy-eventbridge-succes"`) {
		t.Errorf("got %v, want an error with the name in it", err)
	}
}

// TestOneInventedAccount holds that the files are about one account, so that what a
// test puts in or looks for is the same in all of them, and that no real
// account has slipped in with a recording.
func TestOneInventedAccount(t *testing.T) {
	account := regexp.MustCompile(`\b[0-9]{12}\b`)
	region := regexp.MustCompile(`\b(us|eu|ap|sa|ca|me|af)-[a-z]+-[0-9]`)
	deployment := regexp.MustCompile(`\bd-[A-Z0-9]{9}\b`)
	for _, name := range events.Names() {
		payload := read(t, name)
		only(t, name, account.FindAll(payload, -1), "123456789012")
		only(t, name, region.FindAll(payload, -1), "eu-west-1")
		only(t, name, deployment.FindAll(payload, -1), "d-4X8QK2M1Z", "d-7R3BNC95W")
	}
}

func only(t *testing.T, name string, found [][]byte, allowed ...string) {
	t.Helper()
	for _, word := range found {
		if !slices.Contains(allowed, string(word)) {
			t.Errorf("%s.json names %s, want only %s", name, word, strings.Join(allowed, ", "))
		}
	}
}

// TestFormat holds that every file is JSON, indented for its readers.
func TestFormat(t *testing.T) {
	for _, name := range events.Names() {
		payload := read(t, name)
		var tidy bytes.Buffer
		if err := json.Indent(&tidy, bytes.TrimSpace(payload), "", "  "); err != nil {
			t.Errorf("%s.json is not JSON: %v", name, err)
			continue
		}
		if tidy.String()+"\n" != string(payload) {
			t.Errorf("%s.json is not indented by two spaces with a line break at its end", name)
		}
	}
}

// TestEnvelopesHoldTheSameMessages holds that a message is the same in every
// envelope, byte by byte as the service sends it: without white space.
func TestEnvelopesHoldTheSameMessages(t *testing.T) {
	pairs := map[string]string{
		"cloudformation-sqs-sns-create":         "cloudformation-message-create",
		"cloudformation-sqs-sns-delete":         "cloudformation-message-delete",
		"cloudformation-sqs-sns-update":         "cloudformation-message-update",
		"autoscaling-sns-terminate":             "autoscaling-message-terminate-with-metadata",
		"autoscaling-sqs-eventbridge-terminate": "autoscaling-eventbridge-terminate",
		"autoscaling-sqs-sns-terminate":         "autoscaling-message-terminate-with-metadata",
		"autoscaling-sqs-terminate":             "autoscaling-message-terminate",
		"autoscaling-sqs-test":                  "autoscaling-message-test",
		"codedeploy-sns-eventbridge-success":    "codedeploy-eventbridge-success",
		"codedeploy-sns-succeeded":              "codedeploy-message-succeeded",
		"codedeploy-sqs-eventbridge-start":      "codedeploy-eventbridge-start",
		"codedeploy-sqs-eventbridge-success":    "codedeploy-eventbridge-success",
		"codedeploy-sqs-raw-succeeded":          "codedeploy-message-succeeded",
		"codedeploy-sqs-sns-succeeded":          "codedeploy-message-succeeded",
		"portal-sqs-raw-remove":                 "portal-message-remove",
		"portal-sqs-sns-change":                 "portal-message-change",
		"portal-sqs-sns-launch":                 "portal-message-launch",
	}
	for envelope, message := range pairs {
		var want bytes.Buffer
		if err := json.Compact(&want, read(t, message)); err != nil {
			t.Fatal(err)
		}
		record := records(t, envelope)[0]
		got := record.Body + record.Sns.Message
		if strings.Contains(envelope, "-sqs-sns-") {
			var notification struct{ Message string }
			if err := json.Unmarshal([]byte(record.Body), &notification); err != nil {
				t.Fatalf("%s.json: %v", envelope, err)
			}
			got = notification.Message
		}
		if got != want.String() {
			t.Errorf("%s.json holds\n%s\nwant what is in %s.json\n%s", envelope, got, message, &want)
		}
	}
}

func TestMD5OfQueuedBodies(t *testing.T) {
	for _, name := range events.Names() {
		if !strings.Contains(name, "-sqs") {
			continue
		}
		for i, record := range records(t, name) {
			sum := md5.Sum([]byte(record.Body))
			if got := hex.EncodeToString(sum[:]); got != record.MD5OfBody {
				t.Errorf("%s.json: the body of record %d has the MD5 sum %s, not the %s it says", name, i, got, record.MD5OfBody)
			}
		}
	}
}

// record is what this test reads of a record of SQS or SNS.
type record struct {
	Body, MD5OfBody string
	Sns             struct{ Message string }
}

func records(t *testing.T, name string) []record {
	t.Helper()
	var payload struct{ Records []record }
	if err := json.Unmarshal(read(t, name), &payload); err != nil {
		t.Fatalf("%s.json: %v", name, err)
	}
	if len(payload.Records) == 0 {
		t.Fatalf("%s.json has no records", name)
	}
	return payload.Records
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	payload, err := events.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}
