package config

import (
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// form checks that a string has a form.
func form(pattern, fault string) func(string) error {
	compiled := regexp.MustCompile(pattern)
	return func(s string) error {
		if !compiled.MatchString(s) {
			return errors.New(fault)
		}
		return nil
	}
}

var (
	iamRole  = form(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$`, "not the ARN of an IAM role")
	snsTopic = form(`^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`, "not the ARN of a standard SNS topic")
	// tableName is what DynamoDB takes (API reference, CreateTable).
	tableName = form(`^[A-Za-z0-9_.-]{3,255}$`, "not a name that DynamoDB takes")
	// busName is the name of a bus of the account's own: a slash is in those of
	// partners only, which take no events of ours (EventBridge API reference,
	// CreateEventBus).
	busName = form(`^[A-Za-z0-9._-]{1,256}$`, "not the name of an event bus")
	// busARN may be that of a bus of another account and region.
	busARN = form(`^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[A-Za-z0-9._-]{1,256}$`, "not the ARN of an event bus")
	// bucketPrefix leaves room for a hyphen and a region in the 63 characters that S3 takes
	// (Amazon S3 user guide, "General purpose bucket naming rules").
	bucketPrefix = form(`^[a-z0-9][a-z0-9-]{1,38}[a-z0-9]$`, "not the beginning of a bucket's name")
	// sender is an account, or an organization (AWS Organizations API reference,
	// Organization).
	sender         = form(`^([0-9]{12}|o-[a-z0-9]{10,32})$`, "neither the ID of an account, 12 digits, nor that of an organization, such as o-a1b2c3d4e5")
	sourceOfEvents = form(`^[0-9]{12}/[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`, "not of the form <account>/<region>, such as 123456789012/eu-west-1")
	// targetGroup is what Elastic Load Balancing takes as a name, at most 32 letters,
	// digits and hyphens, neither first nor last a hyphen (API reference,
	// CreateTargetGroup), or an ARN.
	targetGroup = form(`^([A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?|arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/[A-Za-z0-9-]+/[0-9a-f]+)$`,
		"neither the name nor the ARN of a target group")
	// ssmDocument is what Systems Manager takes as a name (API reference,
	// CreateDocument), or an ARN. Without wildcards, which would mean more in IAM.
	ssmDocument = form(`^(arn:aws[a-z-]*:ssm:[a-z0-9-]+:([0-9]{12})?:document/)?[A-Za-z0-9_.-]{3,128}$`, "neither the name nor the ARN of an SSM document")
	// parameterForm is that of an SSM parameter hierarchy. SSM has at most 15 levels
	// (API reference, PutParameter); five are left for what is published.
	parameterForm = form(`^(/[A-Za-z0-9_.-]+){1,10}$`, "not a path that SSM allows")
)

const (
	// longestPath, in characters, leaves room for two names of 100 characters with a
	// hash each in the 1,011 that a parameter's name may have together with the rest
	// of its ARN (same reference).
	longestPath = 500
	// longestCommand, in bytes, leaves room in the function's environment.
	longestCommand = 1000
)

func parameterPath(s string) error {
	lower := strings.ToLower(s)
	if len(s) > longestPath || strings.HasPrefix(lower, "/aws") || strings.HasPrefix(lower, "/ssm") {
		return errors.New("not a path that SSM allows")
	}
	return parameterForm(s)
}

func shellCommands(s string) error {
	if len(s) > longestCommand {
		return errors.New("too long; make it an SSM document and give drainDocument")
	}
	return nil
}

// application checks a CodeDeploy application name: 1 to 100 characters of any
// kind, commas and spaces among them (CodeDeploy API reference,
// CreateApplication). * ? and $ mean something else in the ARN of an IAM
// statement, which would let the function read other applications too.
func application(name string) error {
	if utf8.RuneCountInString(name) > 100 {
		return errors.New("longer than 100 characters")
	}
	if strings.ContainsAny(name, "*?$") || strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("not a possible name")
	}
	return nil
}

func email(address string) error {
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address {
		return errors.New("not an e-mail address")
	}
	return nil
}

// tagText is what AWS allows in tags of all services (AWS General Reference,
// "Tagging your AWS resources").
var tagText = form(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`, "a character that tags cannot hold")

// tag is key=value. AWS's own tags (aws:…) are refused because CodeDeploy cannot
// copy them to the replacement group: scope would end with the first deployment.
func tag(to *Tag) value {
	const allowed = "key=value, both of letters, digits, spaces and _ . : / + - @, the key at most 128 long and not beginning with aws:, the value at most 256"
	return text(new(string), allowed, func(s string) error {
		key, value, found := strings.Cut(s, "=")
		*to = Tag{key, value}
		switch {
		case !found:
			return errors.New("without an equals sign")
		case key == "" || utf8.RuneCountInString(key) > 128:
			return errors.New("a key of the wrong length")
		case utf8.RuneCountInString(value) > 256:
			return errors.New("a value that is too long")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return errors.New("one of AWS's own tags, which a copied group does not get")
		}
		return tagText(s)
	})
}

// LogRetentions are the retentions that CloudWatch Logs takes, in days (API reference,
// PutRetentionPolicy).
func LogRetentions() []int {
	return []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
}

// retention is one of them.
func retention(to *int) value {
	days := LogRetentions()
	words := strings.ReplaceAll(strings.Trim(fmt.Sprint(days), "[]"), " ", ", ")
	return number(to, "a retention period of CloudWatch Logs: "+words+" days", func(n int) error {
		if !slices.Contains(days, n) {
			return errors.New("not a retention period of CloudWatch Logs")
		}
		return nil
	})
}
