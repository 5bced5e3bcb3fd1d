package infra

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"deployhooks/pkg/backup"
	"deployhooks/pkg/notice"
)

// namespace is what AWS documents of a CloudWatch namespace: its metrics, and by which dimensions
// of which resources it has them.
type namespace struct {
	metrics []string
	// dimensions are sets, each by name with the type of the resource and the
	// attribute that its value is; empty for the resource's Ref.
	dimensions []map[string][2]string
}

func documented() map[string]namespace {
	balancer := [2]string{"AWS::ElasticLoadBalancingV2::LoadBalancer", ".LoadBalancerFullName"}
	targets := [2]string{"AWS::ElasticLoadBalancingV2::TargetGroup", ".TargetGroupFullName"}
	return map[string]namespace{
		// "Types of metrics for Lambda functions" (AWS Lambda Developer Guide).
		"AWS/Lambda": {
			metrics:    []string{"ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles"},
			dimensions: []map[string][2]string{{"FunctionName": {"AWS::Lambda::Function", ""}}},
		},
		// "Available CloudWatch metrics for Amazon SQS" (Amazon SQS Developer Guide).
		"AWS/SQS": {
			metrics: []string{
				"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesVisible",
			},
			dimensions: []map[string][2]string{{"QueueName": {"AWS::SQS::Queue", ".QueueName"}}},
		},
		// "Monitoring Step Functions metrics using Amazon CloudWatch" (AWS Step Functions
		// Developer Guide).
		"AWS/States": {
			metrics:    []string{"ExecutionThrottled", "ExecutionTime", "ExecutionsAborted", "ExecutionsFailed", "ExecutionsStarted", "ExecutionsSucceeded", "ExecutionsTimedOut"},
			dimensions: []map[string][2]string{{"StateMachineArn": {"AWS::StepFunctions::StateMachine", ""}}},
		},
		// "CloudWatch metrics for your Application Load Balancer" (Elastic Load Balancing).
		"AWS/ApplicationELB": {
			metrics: []string{
				"ActiveConnectionCount", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count", "HealthyHostCount", "NewConnectionCount",
				"RejectedConnectionCount", "RequestCount", "RequestCountPerTarget", "TargetConnectionErrorCount", "TargetResponseTime", "UnHealthyHostCount",
			},
			dimensions: []map[string][2]string{{"LoadBalancer": balancer}, {"LoadBalancer": balancer, "TargetGroup": targets}},
		},
		// "Amazon CloudWatch instance-level metrics for Amazon RDS" (Amazon RDS User Guide).
		"AWS/RDS": {
			metrics: []string{
				"CPUCreditBalance", "CPUUtilization", "DatabaseConnections", "DiskQueueDepth", "FreeStorageSpace", "FreeableMemory", "ReadLatency", "WriteLatency",
			},
			dimensions: []map[string][2]string{{"DBInstanceIdentifier": {"AWS::RDS::DBInstance", ""}}},
		},
	}
}

// series is a metric as an alarm or a graph names it.
type series struct {
	namespace, name string
	dimensions      map[string]string // values in words
}

// exists reports whether AWS or a function of ours has the series for a resource of
// the template.
func (s series) exists(t template, ours map[string][]string) bool {
	if sets, own := ours[s.namespace+" "+s.name]; own {
		return slices.Contains(sets, strings.Join(slices.Sorted(maps.Keys(s.dimensions)), ","))
	}
	from := documented()[s.namespace]
	if !slices.Contains(from.metrics, s.name) {
		return false
	}
	return slices.ContainsFunc(from.dimensions, func(want map[string][2]string) bool {
		if len(want) != len(s.dimensions) {
			return false
		}
		for dimension, of := range want {
			value := strings.TrimSuffix(s.dimensions[dimension], of[1]+">")
			if of[1] == "" {
				value = strings.TrimSuffix(value, ">")
			}
			if listener := ofListener.FindStringSubmatch(value); listener != nil {
				if !t.hasNamed("AWS::ElasticLoadBalancingV2::Listener", listener[1]) {
					return false
				}
				continue
			}
			id, reference := strings.CutPrefix(value, "<")
			if !reference || strings.ContainsAny(id, ".<>") || !t.hasNamed(of[0], id) {
				return false
			}
		}
		return true
	})
}

// ofListener is how the CDK takes a load balancer's full name from the ARN of a listener.
var ofListener = regexp.MustCompile(`^Fn::Select=1, Fn::Split=/, <(\w+)>/Fn::Select=2, Fn::Split=/, <\w+>/Fn::Select=3, Fn::Split=/, <\w+>$`)

// hasNamed reports whether the template has a resource of a type and an ID.
func (t template) hasNamed(kind, id string) bool {
	for logicalID := range t.of(kind) {
		if name(logicalID) == id {
			return true
		}
	}
	return false
}

// emitted are the functions' own metrics as they write them, "namespace name", with
// the sets of their dimensions, and the names of the functions that write them.
func emitted(t *testing.T) (metrics map[string][]string, functions []string) {
	t.Helper()
	var written bytes.Buffer
	out := notice.New(notice.Config{}, "repair", nil, nil, &written, time.Now)
	out.Count("attached")
	for _, name := range []string{backup.AgeOfProof, backup.BackupAge, backup.ProofSeconds, backup.ProofFailed, backup.FillFailed, backup.Stuck} {
		out.Measure("production", notice.Value{Name: name})
	}
	type line struct {
		AWS struct {
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name string }
			}
		} `json:"_aws"`
	}
	metrics = map[string][]string{}
	for lines := json.NewDecoder(&written); lines.More(); {
		var l line
		if err := lines.Decode(&l); err != nil {
			t.Fatal(err)
		}
		for _, directive := range l.AWS.CloudWatchMetrics {
			for _, m := range directive.Metrics {
				for _, set := range directive.Dimensions {
					key := directive.Namespace + " " + m.Name
					metrics[key] = append(metrics[key], strings.Join(slices.Sorted(slices.Values(set)), ","))
				}
			}
		}
	}
	mains, err := filepath.Glob(filepath.Join("..", "..", "functions", "*", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, main := range mains {
		text, err := os.ReadFile(main)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`notice\.New\(.*, "([a-z]+)", sns`).FindAllStringSubmatch(string(text), -1) {
			functions = append(functions, match[1])
		}
	}
	if len(functions) == 0 || len(metrics) == 0 {
		t.Fatalf("no function writes metrics: %v %v", functions, metrics)
	}
	return metrics, functions
}

// search finds the series of the functions' own metrics, whose outcomes the functions
// decide.
var search = regexp.MustCompile(`^SEARCH\('\{([^,}]+),([^}]+)\} (?:MetricName="(\w+)" )?Function="(\w+)"', '(?:Sum|Maximum)', \d+\)$`)

// testExpression holds that a search finds what a function writes. Other expressions
// compute with series, which are tested by themselves.
func testExpression(t *testing.T, where, expression string, ours map[string][]string, functions []string) {
	t.Helper()
	if !strings.Contains(expression, "SEARCH") {
		return
	}
	found := search.FindStringSubmatch(expression)
	if found == nil {
		t.Errorf("%s: %s is a search that this test cannot read", where, expression)
		return
	}
	set := strings.Join(slices.Sorted(slices.Values(strings.Split(found[2], ","))), ",")
	var sets []string
	for metric, of := range ours {
		if namespace, name, _ := strings.Cut(metric, " "); namespace == found[1] && (found[3] == "" || found[3] == name) {
			sets = append(sets, of...)
		}
	}
	if !slices.Contains(sets, set) || !slices.Contains(functions, found[4]) {
		t.Errorf("%s: %s finds nothing: %v write %v", where, expression, functions, ours)
	}
}

// Alarms watch, and dashboards show, series that exist: an alarm on another never goes
// off, and a graph of another is empty, without a word.
func TestAlarmsAndDashboardsReadMetricsThatExist(t *testing.T) {
	t.Parallel()
	ours, functions := emitted(t)
	for variant, template := range variants() {
		graphs := 0
		check := func(where string, s series) {
			if !s.exists(template, ours) {
				t.Errorf("%s: %s reads %s %s %v, which nothing writes", variant, where, s.namespace, s.name, s.dimensions)
			}
		}
		for id, alarm := range template.of("AWS::CloudWatch::Alarm") {
			all, expressions := alarmSeries(alarm.Properties)
			for _, s := range all {
				check(id, s)
			}
			for _, e := range expressions {
				testExpression(t, variant+": "+id, e, ours, functions)
			}
			if len(all) == 0 {
				t.Errorf("%s: %s watches nothing", variant, id)
			}
		}
		for id, dashboard := range template.of("AWS::CloudWatch::Dashboard") {
			for _, g := range graphsOf(t, dashboard.Properties["DashboardBody"]) {
				graphs++
				for _, s := range g.series {
					check(id+", "+g.title, s)
				}
				for _, e := range g.expressions {
					testExpression(t, variant+": "+id+", "+g.title, e, ours, functions)
				}
				if g.title == "" || len(g.series)+len(g.expressions) == 0 {
					t.Errorf("%s: %s has a graph %q of nothing", variant, id, g.title)
				}
			}
		}
		if graphs == 0 && variant != "central" { // it has no function, and an alarm for what it loses
			t.Errorf("%s has no dashboard", variant)
		}
	}
}

// alarmSeries are the series and expressions of an alarm.
func alarmSeries(alarm map[string]any) (all []series, expressions []string) {
	read := func(metric any) series {
		s := series{namespace: words(at(metric, "Namespace")), name: words(at(metric, "MetricName")), dimensions: map[string]string{}}
		for _, d := range asList(at(metric, "Dimensions")) {
			s.dimensions[words(at(d, "Name"))] = words(at(d, "Value"))
		}
		return s
	}
	if alarm["Metrics"] == nil {
		return []series{read(alarm)}, nil
	}
	for _, m := range asList(alarm["Metrics"]) {
		if metric := at(m, "MetricStat", "Metric"); metric != nil {
			all = append(all, read(metric))
		} else {
			expressions = append(expressions, words(at(m, "Expression")))
		}
	}
	return all, expressions
}

// graph is one widget of a dashboard.
type graph struct {
	title       string
	series      []series
	expressions []string
}

// graphsOf reads a dashboard ("Dashboard body structure and syntax", Amazon CloudWatch API
// Reference).
func graphsOf(t *testing.T, body any) (graphs []graph) {
	t.Helper()
	var dashboard struct {
		Widgets []struct {
			Type       string
			Properties struct {
				Title   string
				Metrics [][]any
			}
		}
	}
	if err := json.Unmarshal([]byte(words(body)), &dashboard); err != nil {
		t.Fatalf("a dashboard is no JSON: %v", err)
	}
	for _, w := range dashboard.Widgets {
		if w.Type != "metric" {
			continue // text, and states of alarms
		}
		g := graph{title: w.Properties.Title}
		for _, m := range w.Properties.Metrics {
			if options, ok := m[len(m)-1].(map[string]any); ok {
				m = m[:len(m)-1]
				if e, ok := options["expression"].(string); ok {
					g.expressions = append(g.expressions, e)
					continue
				}
			}
			s := series{namespace: words(m[0]), name: words(m[1]), dimensions: map[string]string{}}
			for i := 2; i+1 < len(m); i += 2 {
				s.dimensions[words(m[i])] = words(m[i+1])
			}
			g.series = append(g.series, s)
		}
		graphs = append(graphs, g)
	}
	return graphs
}
