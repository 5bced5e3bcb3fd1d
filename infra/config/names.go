package config

import (
	"errors"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

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

// tagText is what AWS allows in tags of all services (AWS General Reference,
// "Tagging your AWS resources").
var tagText = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)

// tag takes key=value. AWS's own tags (aws:…) are refused because CodeDeploy
// cannot copy them to the replacement group: scope would end with the first
// deployment.
func tag(v any) (Tag, error) {
	s, err := text(v)
	if err != nil {
		return Tag{}, err
	}
	key, value, found := strings.Cut(s, "=")
	switch {
	case !found:
		return Tag{}, errors.New("without an equals sign")
	case key == "" || utf8.RuneCountInString(key) > 128:
		return Tag{}, errors.New("a key of the wrong length")
	case utf8.RuneCountInString(value) > 256:
		return Tag{}, errors.New("a value that is too long")
	case !tagText.MatchString(s):
		return Tag{}, errors.New("a character that tags cannot hold")
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		return Tag{}, errors.New("one of AWS's own tags, which a copied group does not get")
	}
	return Tag{key, value}, nil
}

func email(address string) error {
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address {
		return errors.New("not an e-mail address")
	}
	return nil
}

// retentions are the retentions that CloudWatch Logs takes, in days (API
// reference, PutRetentionPolicy).
func retentions() []int {
	return []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
}

func retentionWords() string {
	var words []string
	for _, days := range retentions() {
		words = append(words, strconv.Itoa(days))
	}
	return strings.Join(words, ", ")
}

func retention(v any) (int, error) {
	days, err := number(v)
	if err != nil {
		return 0, err
	}
	if !slices.Contains(retentions(), days) {
		return 0, errors.New("not a retention that CloudWatch Logs has")
	}
	return days, nil
}

// parameterPath is the form of an SSM parameter hierarchy. SSM has at most 15
// levels (API reference, PutParameter); five are left for what is published.
var parameterPath = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+){1,10}$`)

// longestPath, in characters, leaves room for two names of 100 characters with a
// hash each in the 1,011 that a parameter's name may have together with the rest
// of its ARN (same reference).
const longestPath = 500

func parameterPrefix(v any) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	lower := strings.ToLower(s)
	if !parameterPath.MatchString(s) || len(s) > longestPath || strings.HasPrefix(lower, "/aws") || strings.HasPrefix(lower, "/ssm") {
		return "", errors.New("not a path that SSM allows")
	}
	return s, nil
}

// busName is the name of a bus of the account's own: a slash is in those of
// partners only, which take no events of ours (EventBridge API reference,
// CreateEventBus).
var busName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,256}$`)

// tableName is what DynamoDB takes (API reference, CreateTable).
var tableName = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

var sourceOfEvents = regexp.MustCompile(`^[0-9]{12}/[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)

func eventSource(s string) error {
	if !sourceOfEvents.MatchString(s) {
		return errors.New("not of the form <account>/<region>, such as 123456789012/eu-west-1")
	}
	return nil
}

var (
	snsTopic = regexp.MustCompile(`^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)
	iamRole  = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$`)
)

func roleARN(s string) error {
	if !iamRole.MatchString(s) {
		return errors.New("not the ARN of an IAM role")
	}
	return nil
}

var (
	// targetGroupName is what Elastic Load Balancing takes as a name: at most 32
	// letters, digits and hyphens, neither first nor last a hyphen (API
	// reference, CreateTargetGroup).
	targetGroupName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)
	targetGroupARN  = regexp.MustCompile(`^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/[A-Za-z0-9-]+/[0-9a-f]+$`)
)

func targetGroup(s string) error {
	if !targetGroupName.MatchString(s) && !targetGroupARN.MatchString(s) {
		return errors.New("neither the name nor the ARN of a target group")
	}
	return nil
}

// longestCommand, in bytes, leaves room in the function's environment.
const longestCommand = 1000

func shellCommands(v any) (string, error) {
	s, err := text(v)
	if err == nil && len(s) > longestCommand {
		err = errors.New("too long; make it an SSM document and give drainDocument")
	}
	return s, err
}

var (
	// ssmDocument is what Systems Manager takes as a name (API reference,
	// CreateDocument). Without wildcards, which would mean more in IAM.
	ssmDocument    = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,128}$`)
	ssmDocumentARN = regexp.MustCompile(`^arn:aws[a-z-]*:ssm:[a-z0-9-]+:([0-9]{12})?:document/[A-Za-z0-9_.-]{3,128}$`)
)

func documentName(s string) error {
	if !ssmDocument.MatchString(s) && !ssmDocumentARN.MatchString(s) {
		return errors.New("neither the name nor the ARN of an SSM document")
	}
	return nil
}

func document(v any) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	return s, documentName(s)
}
