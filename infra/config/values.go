package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// errEmpty is the fault of a value that was probably meant to be something.
var errEmpty = errors.New("empty; leave the key out to get its default")

// quote shows a value as it was given.
func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v", v)
	}
	return string(b)
}

// text takes a string.
func text(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", errors.New("not a string")
	}
	return s, nil
}

// oneOf takes one of a few words, in their exact spelling.
func oneOf[T ~string](v any, allowed ...T) (T, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if !slices.Contains(allowed, T(s)) {
		return "", errors.New("not one of the allowed words")
	}
	return T(s), nil
}

// number takes a whole number, as JSON has it or as the command line does.
func number(v any) (int, error) {
	switch v := v.(type) {
	case float64:
		if v == float64(int(v)) {
			return int(v), nil
		}
	case int:
		return v, nil
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n, nil
		}
	}
	return 0, errors.New("not a whole number")
}

func between(v any, least, most int) (int, error) {
	n, err := number(v)
	if err != nil {
		return 0, err
	}
	if n < least || n > most {
		return 0, errors.New("out of range")
	}
	return n, nil
}

// list takes a JSON list of strings, or a string with commas, and checks each
// element. Empty elements and spaces around elements fall away, but not all: of
// "$A,$B" with nothing in the variables, a comma is left.
func list(v any, check func(string) error) ([]string, error) {
	var given []string
	switch v := v.(type) {
	case string:
		given = strings.Split(v, ",")
	case []any:
		for _, element := range v {
			s, ok := element.(string)
			if !ok {
				return nil, fmt.Errorf("%s is not a string", quote(element))
			}
			given = append(given, s)
		}
	default:
		return nil, errors.New("neither a list nor a string")
	}
	var out []string
	for _, s := range given {
		s = strings.TrimSpace(s)
		if s == "" {
			continue
		}
		if err := check(s); err != nil {
			return nil, fmt.Errorf("%q is %w", s, err)
		}
		if slices.Contains(out, s) {
			return nil, fmt.Errorf("%q is given twice", s)
		}
		out = append(out, s)
	}
	if len(given) > 0 && len(out) == 0 {
		return nil, errEmpty
	}
	return out, nil
}

// application checks a CodeDeploy application name: 1 to 100 characters
// (CodeDeploy API reference, CreateApplication). A comma would split the name
// in the function's environment; * ? and $ mean something else in the ARN of
// an IAM statement.
func application(name string) error {
	if utf8.RuneCountInString(name) > 100 {
		return errors.New("longer than 100 characters")
	}
	if strings.ContainsAny(name, ",*?$") || strings.ContainsFunc(name, unicode.IsControl) {
		return errors.New("not a possible name")
	}
	return nil
}

func glob(v any) (string, error) {
	pattern, err := text(v)
	if err != nil {
		return "", err
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return "", errors.New("not a glob pattern")
	}
	return pattern, nil
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

func parameterPrefix(v any) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	lower := strings.ToLower(s)
	if !parameterPath.MatchString(s) || strings.HasPrefix(lower, "/aws") || strings.HasPrefix(lower, "/ssm") {
		return "", errors.New("not a path that SSM allows")
	}
	return s, nil
}

var busName = regexp.MustCompile(`^[A-Za-z0-9._/-]{1,256}$`)

func eventBus(v any) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if !busName.MatchString(s) {
		return "", errors.New("not the name of an event bus")
	}
	return s, nil
}

var (
	snsTopic = regexp.MustCompile(`^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$`)
	iamRole  = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}$`)
)

func topicARN(v any) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if !snsTopic.MatchString(s) {
		return "", errors.New("not the ARN of a standard SNS topic")
	}
	return s, nil
}

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

// longestCommand, in bytes, keeps the function's environment below Lambda's
// limit of 4 KB for all variables together (Lambda developer guide, "Lambda
// quotas").
const longestCommand = 1000

func shellLines(v any) (string, error) {
	s, err := text(v)
	switch {
	case err != nil:
		return "", err
	case len(s) > longestCommand:
		return "", errors.New("too long; make it an SSM document and give drainDocument")
	case strings.TrimSpace(s) == "":
		return "", errEmpty
	}
	return s, nil
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
