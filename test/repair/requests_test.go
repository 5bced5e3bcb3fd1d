package repair

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"deployhooks/test/region"
)

// TestRequestsAreDirect holds that an operator's request is taken by direct
// invocation only: who may publish to a topic or put an event on a bus must not
// get to repair, forget or sweep.
func TestRequestsAreDirect(t *testing.T) {
	t.Parallel()
	for _, request := range []string{
		`{"action":"repair","application":"shop","deploymentGroup":"web"}`,
		`{"action":"forget","application":"shop","deploymentGroup":"web"}`,
		`{"action":"sweep"}`,
	} {
		for name, send := range map[string]func(*fixture, string){
			"queue": func(f *fixture, body string) { f.Queue.Send(body) },
			"topic in the queue": func(f *fixture, body string) {
				f.Queue.Send(fmt.Sprintf(`{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:eu-west-1:123456789012:triggers","Message":%q}`, body))
			},
			"topic": func(f *fixture, body string) {
				f.mustRefuse(fmt.Sprintf(`{"Records":[{"EventSource":"aws:sns","Sns":{"Type":"Notification","MessageId":"1","Message":%q}}]}`, body))
			},
			"bus": func(f *fixture, body string) {
				f.Queue.Send(fmt.Sprintf(`{"version":"0","id":"1","source":"somebody","detail-type":"x","detail":%s}`, body))
			},
		} {
			t.Run(name+" "+request, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, setting{noSweep: true})
				f.Advance(time.Minute)
				f.detach(f.GroupOf(f.svc), f.TargetGroupARN("web"))
				f.ForgetCalls()
				send(f, request)
				f.Advance(30 * time.Minute)
				for _, operation := range []string{"AttachTrafficSources", "PutItem", "ListApplications"} {
					if n := f.Made(operation); n > 0 {
						t.Errorf("%s was called %d times on the word of whoever may write to the %s", operation, n, name)
					}
				}
			})
		}
	}
}

// TestRequestCarriesNoContinuation holds that a direct request cannot carry what
// only the function says to itself.
func TestRequestCarriesNoContinuation(t *testing.T) {
	t.Parallel()
	f := newFixture(t, setting{noSweep: true})
	for _, request := range []string{
		`{"action":"repair","application":"shop","deploymentGroup":"web","look":-1}`,
		`{"action":"repair","application":"shop","deploymentGroup":"web","look":1000000}`,
		`{"action":"repair","application":"shop","deploymentGroup":"web","attempt":-1}`,
		`{"action":"repair","application":"shop","deploymentGroup":"web","insist":true}`,
		`{"action":"sweep","after":"shop"}`,
		`{"continue":{"sweep":{}}}`,
		`{"continue":{"reconcile":{"application":"shop","deploymentGroup":"web"}}}`,
	} {
		f.mustRefuse(request)
	}
}

func (f *fixture) mustRefuse(payload string) {
	f.t.Helper()
	if answer, err := f.Function.Invoke(context.Background(), []byte(payload)); err == nil {
		f.t.Errorf("%s was taken and answered %s", payload, answer)
	}
}

// TestDamagedOptionalFields holds that a field that nothing needs cannot reject a
// good message.
func TestDamagedOptionalFields(t *testing.T) {
	t.Parallel()
	for _, field := range []string{
		`"createTime":{"when":7}`, `"completeTime":[]`, `"deploymentOverview":"{broken"`, `"errorInformation":42`, `"rollbackInformation":"[["`,
		`"eventTriggerName":{}`, `"instanceGroupId":[1]`, `"unheardOf":{"a":[]}`,
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, setting{noSweep: true})
			f.loseEvents()
			id := f.deploy(region.Deployment{})
			f.RunUntil(func() bool { return f.Deployed(id) }, time.Hour)
			message := fmt.Sprintf(`{"region":"eu-west-1","accountId":"123456789012","applicationName":"shop","deploymentId":%q,"deploymentGroupName":"web","status":"SUCCEEDED",%s}`, id, field)
			f.Queue.Send(fmt.Sprintf(`{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:eu-west-1:123456789012:triggers","Message":%q}`, message))
			f.settle()
			f.mustServe()
		})
	}
}

// TestNamesInCommands holds that the commands in a notification do what they say
// when somebody pastes them, whatever the names in them are.
func TestNamesInCommands(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash")
	}
	for _, name := range []string{`x'; touch pwned; '`, "x\"; touch pwned; \"", "x$(touch pwned)", "x`touch pwned`", "x\ntouch pwned\n", "x\\'; touch pwned #"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			svc := shop()
			svc.Application, svc.DeploymentGroup, svc.Group = "app"+name, name, "group"+name
			f := newFixture(t, setting{service: svc})
			f.Advance(6 * time.Minute)
			failed := f.deploy(region.Deployment{FailAt: region.StageInstall})
			f.RunUntil(func() bool { return f.Ended(failed) }, time.Hour)
			f.settle()
			f.suspend(f.GroupOf(f.svc), "AddToLoadBalancer")
			f.Scale(f.GroupOf(f.svc), 6)
			f.settle()
			commands := 0
			for _, text := range f.Texts() {
				commands += f.paste(text, name)
			}
			if commands == 0 {
				t.Errorf("no notification has a command to paste: this shows nothing\n%q", f.Texts())
			}
		})
	}
}

// paste has bash run the commands of a notification's text, each from its
// "aws" to the end of the text, as far as the shell takes it for one command, and
// counts those that have the name in one argument.
func (f *fixture) paste(text, name string) (commands int) {
	f.t.Helper()
	folder := f.t.(*testing.T).TempDir()
	for at := strings.Index(text, "aws "); at >= 0; {
		rest := text[at:]
		// Whatever the notification says after the command is no command.
		cmd := exec.Command("bash", "-c", "aws() { printf '<%s>' \"$@\" > out; exit; }\n"+rest)
		cmd.Dir = folder
		_ = cmd.Run() // what follows may be anything
		if _, err := os.Stat(filepath.Join(folder, "pwned")); err == nil {
			f.t.Errorf("pasting a command of this notification runs what a name says:\n%s", text)
			return commands
		}
		out, _ := os.ReadFile(filepath.Join(folder, "out"))
		if strings.Contains(string(out), name) {
			commands++
		}
		next := strings.Index(rest[1:], "aws ")
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return commands
}
