package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// lines are the table's lines in a state.
func lines(table string, s state) (found []string) {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, string(s)+" ") {
			found = append(found, strings.Join(strings.Fields(line), " "))
		}
	}
	return found
}

func TestSmokePassesWhereAllIsWell(t *testing.T) {
	a := newAccount()
	table, err := a.smoke(t)
	if err != nil || len(lines(table, failed)) > 0 || len(lines(table, waiting)) > 1 {
		t.Fatalf("%v\n%s", err, table)
	}
	for _, want := range []string{"deployed deployhooks 7 resources", `answers repair {"action":"status"} 2 bytes`, `answers groups {"action":"status","application":"shop","deploymentGroup":"web"} 2 bytes`, "alarm alarm OK", "dead letters " + queueURL + "-dead none",
		"subscribed " + topicARN + " 1 subscribers", "may repair-role ReadOwnQueue 1 actions", "may repair-role Change 2 actions", "may repair-role Notify 1 actions"} {
		if !slices.ContainsFunc(lines(table, ok), func(line string) bool { return strings.Contains(line, want) }) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	if got := strings.Join(lines(table, waiting), "\n"); !strings.Contains(got, "may repair-role Elsewhere not checked") {
		t.Errorf("what could not be checked passes for checked: %s", got)
	}
	denied := regexp.MustCompile(`may not repair-role (\d+) actions are denied`).FindStringSubmatch(strings.Join(lines(table, ok), "\n"))
	if denied == nil || len(denied[1]) < 2 {
		t.Errorf("hardly any action is known to be denied: %v\n%s", denied, table)
	}
	if want := []string{"groups status", "repair plan", "repair status"}; !slices.Equal(slices.Sorted(slices.Values(a.invoked)), want) {
		t.Errorf("the functions were invoked with %v, want %v: anything else may change the account", a.invoked, want)
	}
}

func TestSmokeFindsWhatIsWrong(t *testing.T) {
	also := func(more func(action, resource string) bool) func(*account) {
		return func(a *account) {
			before := a.allowed
			a.allowed = func(action, resource string, context map[string]string) bool {
				return more(action, resource) || before(action, resource, context)
			}
		}
	}
	for scenario, tt := range map[string]struct {
		wrong func(*account)
		state state
		want  string
	}{
		"the deployment failed":            {func(a *account) { a.status = "UPDATE_ROLLBACK_COMPLETE" }, failed, "deployed deployhooks the stack is in UPDATE_ROLLBACK_COMPLETE"},
		"a function fails":                 {func(a *account) { a.functionError, a.answer = "Unhandled", `{"errorMessage":"no table"}` }, failed, `answers repair {"action":"status"} {"errorMessage":"no table"}`},
		"a deployment group was deleted":   {func(a *account) { a.answer = `{"deploymentGroup":"shop/web","exists":false}` }, failed, `"deploymentGroup":"web"} is gone: deploy again`},
		"an alarm is on":                   {func(a *account) { a.alarm = "ALARM" }, failed, "alarm alarm too many"},
		"an alarm notifies nobody":         {func(a *account) { a.actions = false }, failed, "alarm alarm its actions are disabled"},
		"an alarm has no data":             {func(a *account) { a.alarm = "INSUFFICIENT_DATA" }, waiting, "alarm alarm no data yet"},
		"messages were not processed":      {func(a *account) { a.deadLetters = "3" }, failed, "dead letters " + queueURL + "-dead 3 messages"},
		"messages are being read":          {func(a *account) { a.deadRead = "2" }, failed, "dead letters " + queueURL + "-dead 0 messages, and 2 that are being read"},
		"a change was not deployed":        {func(a *account) { a.undeployed = "Alarm" }, failed, "deployed deployhooks Alarm is synthesised and not deployed: deploy again"},
		"a mail address is not confirmed":  {func(a *account) { a.subscription = "PendingConfirmation" }, failed, "subscribed " + topicARN + " not confirmed, by mail: ops@example.com"},
		"nobody is subscribed":             {func(a *account) { a.subscription = "" }, failed, "subscribed " + topicARN + " nobody: aws sns subscribe"},
		"a boundary denies what is needed": {func(a *account) { a.allowed = func(string, string, map[string]string) bool { return false } }, failed, "may repair-role ReadOwnQueue denied: sqs:ReceiveMessage on " + queueARN},
		"somebody added a policy":          {also(func(action, _ string) bool { return action == "iam:CreateAccessKey" }), failed, "may not repair-role allowed: iam:CreateAccessKey"},
		"the role of a plan changes":       {also(func(action, _ string) bool { return action == "elasticloadbalancing:RegisterTargets" }), failed, "may not repair-role allowed: elasticloadbalancing:RegisterTargets"},
		"the tag is not enforced": {also(func(action, resource string) bool {
			return resource == groups && action == "autoscaling:AttachTrafficSources"
		}), failed,
			"may not repair-role allowed: Change outside its condition"},
	} {
		t.Run(scenario, func(t *testing.T) {
			a := newAccount()
			tt.wrong(a)
			table, err := a.smoke(t)
			if !slices.ContainsFunc(lines(table, tt.state), func(line string) bool { return strings.Contains(line, tt.want) }) {
				t.Errorf("the table lacks %s %q:\n%s", tt.state, tt.want, table)
			}
			if (err != nil) != (tt.state == failed) {
				t.Errorf("the exit status is wrong: %v", err)
			}
		})
	}
}

// The role that CodeDeploy acts as may delete Auto Scaling groups, by AWS's own policy.
func TestSmokeDoesNotBlameRolesForPoliciesOfAWS(t *testing.T) {
	a := newAccount()
	a.service = true
	table, err := a.smoke(t)
	if err != nil {
		t.Errorf("%v\n%s", err, table)
	}
	for _, want := range []string{"may service-role statement 1 not checked: IAM simulates no actions with wildcards", "may not service-role not checked: it has AWS's own policies"} {
		if got := strings.Join(lines(table, waiting), "\n"); !strings.Contains(got, want) {
			t.Errorf("the table lacks %q: %s", want, got)
		}
	}
}

// An environment's file says where it is, whatever region and account the shell has.
func TestSmokeChecksWhereTheStackIs(t *testing.T) {
	a := newAccount()
	a.place = "aws://123456789012/eu-central-1"
	if table, err := a.smoke(t); err != nil || len(a.regions) != 1 || !a.regions["eu-central-1"] {
		t.Errorf("%v were asked (%v)\n%s", a.regions, err, table)
	}
	a = newAccount()
	a.place = "aws://210987654321/eu-west-1"
	if table, err := a.smoke(t); err == nil || !strings.Contains(table, "the credentials are of account 123456789012, and it belongs to 210987654321") {
		t.Errorf("the stack of that name in another account passes: %v\n%s", err, table)
	}
}

func TestSmokeSaysWhatItIs(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"--help"}, &out); err == nil || !strings.Contains(out.String(), "changes nothing") {
		t.Errorf("%v: %s", err, &out)
	}
	empty := t.TempDir()
	if err := os.WriteFile(filepath.Join(empty, "manifest.json"), []byte(`{"artifacts": {}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{nil, {empty}} {
		if err := run(t.Context(), args, &out); err == nil || !strings.Contains(err.Error(), "one cloud assembly is needed") && !strings.Contains(err.Error(), "has no stacks") {
			t.Errorf("%v: nothing is checked, and that counts as success: %v", args, err)
		}
	}
}
