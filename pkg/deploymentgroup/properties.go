package deploymentgroup

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"deployhooks/pkg/nearest"
)

// Properties are what a template says of a deployment group.
type Properties struct {
	ID               ID
	ServiceRole      string // ARN
	AutoScalingGroup string // name of the one that the deployment group begins with
	TargetGroups     []string
	TerminationWait  int32 // minutes
	DeploymentConfig string
	Alarms           []string
	TriggerTopic     string // ARN, empty for none
	LaunchTemplate   string // ID
	TemplateVersion  string // a number
	MinSize, MaxSize int32
	TargetCPU        int32 // percent, 0 for no policy
	Tags             map[string]string
	// Import takes over a deployment group that the stack did not make.
	Import bool
}

// ID is a deployment group's name with its application's: the resource's physical ID.
type ID struct{ Application, Group string }

func (id ID) String() string { return id.Application + "/" + id.Group }

// parseID is the ID of a physical ID; ok is false for one that never was a deployment
// group, as CloudFormation sends for a creation that failed.
func parseID(physical string) (id ID, ok bool) {
	app, group, _ := strings.Cut(physical, "/")
	if app == "" || group == "" || strings.Contains(group, "/") {
		return ID{}, false
	}
	return ID{app, group}, true
}

// Limits of names and numbers.
const (
	maxName        = 100   // applications and deployment groups (CodeDeploy API Reference)
	maxWait        = 2880  // minutes, BlueInstanceTerminationOption (CodeDeploy API Reference)
	maxAlarms      = 10    // "CodeDeploy quotas" (CodeDeploy User Guide)
	maxTargets     = 10    // target groups of a deployment group (same page)
	maxInstances   = 10000 // ours
	maxUserTags    = 45    // 50 in all ("Tag naming limits and requirements", Tagging AWS Resources User Guide)
	maxTagKey      = 128   // characters (same page)
	maxTagValue    = 256
	serviceToken   = "ServiceToken"   // CloudFormation's own properties
	serviceTimeout = "ServiceTimeout" //
)

// reader reads properties and collects what is wrong with them.
type reader struct {
	values map[string]json.RawMessage
	known  []string
	faults []string
}

// ReadProperties reads the properties of a request. The error names every fault, what
// the property holds, and what would be right.
func ReadProperties(text []byte) (Properties, error) {
	r := reader{values: map[string]json.RawMessage{}, known: []string{serviceToken, serviceTimeout}}
	if err := json.Unmarshal(text, &r.values); err != nil {
		return Properties{}, errors.New("ResourceProperties are missing, or not an object")
	}
	p := Properties{
		ID:               ID{r.matching("ApplicationName", codeDeployName, "1 to 100 characters without a slash"), r.matching("DeploymentGroupName", codeDeployName, "1 to 100 characters without a slash")},
		ServiceRole:      r.matching("ServiceRoleArn", roleARN, "the ARN of a role"),
		AutoScalingGroup: r.matching("AutoScalingGroup", anyName, "the name of an Auto Scaling group"),
		TargetGroups:     r.list("TargetGroups", 1, maxTargets, targetGroupARN, "the ARN of a target group"),
		TerminationWait:  r.number("TerminationWaitMinutes", 0, maxWait, 60),
		DeploymentConfig: "CodeDeployDefault.AllAtOnce",
		Alarms:           r.list("Alarms", 0, maxAlarms, anyName, "the name of an alarm"),
		LaunchTemplate:   r.matching("LaunchTemplateId", templateID, "the ID of a launch template, such as lt-0a1b2c3d4e5f60718"),
		TemplateVersion:  r.matching("LaunchTemplateVersion", version, "a version number, such as the LatestVersionNumber of the launch template"),
		MinSize:          r.number("MinSize", 1, maxInstances, -1),
		MaxSize:          r.number("MaxSize", 1, maxInstances, -1),
		TargetCPU:        r.number("TargetCPUPercent", 1, 100, 0),
		Tags:             r.tags(),
		Import:           r.flag("Import"),
	}
	if r.has("DeploymentConfig") {
		p.DeploymentConfig = r.matching("DeploymentConfig", codeDeployName, "the name of a deployment configuration")
	}
	if r.has("TriggerTopic") {
		p.TriggerTopic = r.matching("TriggerTopic", topicARN, "the ARN of an SNS topic")
	}
	if p.MaxSize > 0 && p.MinSize > p.MaxSize {
		r.fault("MinSize", "%d is more than MaxSize, %d", p.MinSize, p.MaxSize)
	}
	r.unknown()
	slices.Sort(r.faults)
	if len(r.faults) > 0 {
		return p, errors.New(strings.Join(r.faults, "; "))
	}
	return p, nil
}

var (
	codeDeployName = regexp.MustCompile(`^[^/]{1,100}$`)
	anyName        = regexp.MustCompile(`^.{1,255}$`)
	roleARN        = regexp.MustCompile(`^arn:[a-z-]+:iam::\d{12}:role/.+$`)
	targetGroupARN = regexp.MustCompile(`^arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:targetgroup/[^/]+/[^/]+$`)
	topicARN       = regexp.MustCompile(`^arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[^:]+$`)
	templateID     = regexp.MustCompile(`^lt-[0-9a-f]{8,17}$`)
	version        = regexp.MustCompile(`^[1-9]\d{0,8}$`)
)

func (r *reader) fault(property, format string, args ...any) {
	r.faults = append(r.faults, property+": "+fmt.Sprintf(format, args...))
}

// has reports whether a property is given, and remembers its name.
func (r *reader) has(property string) bool {
	if !slices.Contains(r.known, property) {
		r.known = append(r.known, property)
	}
	value, ok := r.values[property]
	return ok && string(value) != "null"
}

// text is a property in the form that CloudFormation gives every value, a string.
func (r *reader) text(property string) (string, bool) {
	if !r.has(property) {
		return "", false
	}
	return asText(r.values[property])
}

// asText is a string, or the number or boolean that whoever calls by hand may write.
func asText(value json.RawMessage) (string, bool) {
	var text string
	if err := json.Unmarshal(value, &text); err == nil {
		return text, true
	}
	plain := string(value)
	return plain, !strings.ContainsAny(plain[:1], `[{"`)
}

func (r *reader) matching(property string, pattern *regexp.Regexp, want string) string {
	if !r.has(property) {
		r.fault(property, "missing; give %s", want)
		return ""
	}
	text, ok := r.text(property)
	if !ok || !pattern.MatchString(text) {
		r.fault(property, "%s; give %s", shown(r.values[property]), want)
		return ""
	}
	return text
}

// shown is a value in a length that fits a reason.
func shown(value json.RawMessage) string {
	if text := []rune(string(value)); len(text) > 80 {
		return string(text[:80]) + "…"
	}
	return string(value)
}

// number is a whole number; otherwise stands for one that is not given, unless it is
// negative, which requires the property.
func (r *reader) number(property string, least, most, otherwise int32) int32 {
	if !r.has(property) {
		if otherwise < 0 {
			r.fault(property, "missing; give a whole number from %d to %d", least, most)
		}
		return max(otherwise, 0)
	}
	text, _ := r.text(property)
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || int32(n) < least || int32(n) > most {
		r.fault(property, "%s; give a whole number from %d to %d", shown(r.values[property]), least, most)
		return 0
	}
	return int32(n)
}

func (r *reader) flag(property string) bool {
	text, ok := r.text(property)
	if r.has(property) && (!ok || text != "true" && text != "false") {
		r.fault(property, "%s; give true or false", shown(r.values[property]))
	}
	return text == "true"
}

// list is a list of different texts, sorted.
func (r *reader) list(property string, least, most int, pattern *regexp.Regexp, want string) []string {
	var all []string
	if r.has(property) && json.Unmarshal(r.values[property], &all) != nil {
		r.fault(property, "%s; give a list, each element %s", shown(r.values[property]), want)
		return nil
	}
	for _, text := range all {
		if !pattern.MatchString(text) {
			r.fault(property, "%q; give %s", text, want)
		}
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) < least || len(all) > most {
		r.fault(property, "%d elements; give %d to %d, each %s", len(all), least, most, want)
	}
	return all
}

// tags are those of the template. The function's own are not for templates.
func (r *reader) tags() map[string]string {
	tags := map[string]string{}
	if r.has("Tags") && json.Unmarshal(r.values["Tags"], &tags) != nil {
		r.fault("Tags", "%s; give an object of strings", shown(r.values["Tags"]))
		return nil
	}
	if len(tags) > maxUserTags {
		r.fault("Tags", "%d tags; give %d at most", len(tags), maxUserTags)
	}
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		switch {
		case strings.HasPrefix(key, OwnTag), strings.HasPrefix(strings.ToLower(key), "aws:"):
			r.fault("Tags", "%q begins with %s or aws:, which are not for templates; give another key", key, OwnTag)
		case key == "" || len([]rune(key)) > maxTagKey || len([]rune(tags[key])) > maxTagValue:
			r.fault("Tags", "%q has a key or a value too long; give up to %d and %d characters", key, maxTagKey, maxTagValue)
		}
	}
	return tags
}

// unknown adds a fault for each property that is none.
func (r *reader) unknown() {
	for _, name := range slices.Sorted(maps.Keys(r.values)) {
		if slices.Contains(r.known, name) {
			continue
		}
		hint := "leave it out"
		if meant := nearest.Of(name, r.known); meant != "" {
			hint = "did you mean " + meant + "?"
		}
		r.fault(name, "no such property; %s", hint)
	}
}

// formerID is the ID that old properties name, zero where they name none.
func formerID(old []byte) ID {
	var before struct{ ApplicationName, DeploymentGroupName string }
	_ = json.Unmarshal(old, &before)
	id, _ := parseID(before.ApplicationName + "/" + before.DeploymentGroupName)
	return id
}

// removedTags are the keys that the old properties have and the new ones lack.
func removedTags(old []byte, now map[string]string) []string {
	var before struct{ Tags map[string]string }
	_ = json.Unmarshal(old, &before) // what cannot be read was never applied
	var removed []string
	for _, key := range slices.Sorted(maps.Keys(before.Tags)) {
		if _, kept := now[key]; !kept && !strings.HasPrefix(key, OwnTag) {
			removed = append(removed, key)
		}
	}
	return removed
}
