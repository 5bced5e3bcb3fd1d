package lambda_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"deployhooks/test/lambda"
)

// binary is the path of the tests' own function, built once.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lambda")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "greeter", "bootstrap")
	build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", binary, "./testdata/function")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the tests' function: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func start(t *testing.T, o lambda.Options) *lambda.Function {
	t.Helper()
	o.Binary = binary
	fn, err := lambda.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fn.Close(); err != nil {
			t.Error(err)
		}
	})
	return fn
}

func request(do, text string) []byte {
	b, _ := json.Marshal(map[string]string{"Do": do, "Text": text})
	return b
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	fn := start(t, lambda.Options{})
	if fn.FirstPoll <= 0 {
		t.Errorf("first poll after %s: the benchmark would show nothing", fn.FirstPoll)
	}
	for _, text := range []string{"one", "two", "日本"} {
		answer, err := fn.Invoke(t.Context(), request("echo", text))
		if err != nil || string(answer) != `"`+text+`"` {
			t.Errorf("answers %s, %v to %q", answer, err, text)
		}
	}
}

func TestInvocationsAtOnceTakeTurns(t *testing.T) {
	t.Parallel()
	fn := start(t, lambda.Options{})
	var group sync.WaitGroup
	for i := range 10 {
		group.Go(func() {
			want := fmt.Sprintf(`"%d"`, i)
			if answer, err := fn.Invoke(t.Context(), request("echo", fmt.Sprint(i))); err != nil || string(answer) != want {
				t.Errorf("answers %s, %v instead of %s: answers are mixed up", answer, err, want)
			}
		})
	}
	group.Wait()
}

func TestContextOfAnInvocation(t *testing.T) {
	t.Parallel()
	fn := start(t, lambda.Options{MemoryMB: 256})
	answer, err := fn.Invoke(t.Context(), request("context", ""))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"arn":"arn:aws:lambda:eu-west-1:123456789012:function:greeter","hasDeadline":true,"memory":256,"name":"greeter",` +
		`"request":"00000000-0000-4000-8000-000000000001","trace":"Root=1-00000000-000000000000000000000001;Parent=0000000000000001;Sampled=0"}`
	if string(answer) != want {
		t.Errorf("the function reads\n%s, want\n%s", answer, want)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	fn := start(t, lambda.Options{Name: "repair", Region: "eu-central-1", Env: map[string]string{"TABLE": "baselines", "TZ": ":Europe/Berlin"}})
	answer, err := fn.Invoke(t.Context(), request("environment", ""))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"AWS_LAMBDA_FUNCTION_NAME=repair", "AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1", "_HANDLER=bootstrap",
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/repair",
		"LAMBDA_TASK_ROOT=" + filepath.Dir(binary), "TABLE=baselines", "TZ=:Europe/Berlin",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("the function's environment lacks %s", want)
		}
	}
	for _, entry := range got {
		if strings.HasPrefix(entry, "HOME=") || strings.HasPrefix(entry, "GO") {
			t.Errorf("%s leaks from this machine: the function could find settings that AWS does not have", entry)
		}
	}
}

func TestFunctionErrors(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, do, kind, message string
	}{
		{"the handler returns an error", "fail", "errorString", "no such table"},
		{"the handler panics", "panic", "string", "no such table"},
		{"the answer is too large", "large", "Function.ResponseSizeTooLarge", "exceeded"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fn := start(t, lambda.Options{})
			_, err := fn.Invoke(t.Context(), request(c.do, "no such table"))
			var failed *lambda.FunctionError
			if !errors.As(err, &failed) {
				t.Fatalf("fails with %v, not with the function's error", err)
			}
			if failed.Type != c.kind || !strings.Contains(failed.Message, c.message) {
				t.Errorf("fails with %s: %s, want %s: %s", failed.Type, failed.Message, c.kind, c.message)
			}
		})
	}
}

func TestInvocationAfterAFailure(t *testing.T) {
	t.Parallel()
	fn := start(t, lambda.Options{})
	if _, err := fn.Invoke(t.Context(), request("fail", "once")); err == nil {
		t.Fatal("the failure is not reported")
	}
	if answer, err := fn.Invoke(t.Context(), request("echo", "again")); err != nil || string(answer) != `"again"` {
		t.Errorf("answers %s, %v after a failure", answer, err)
	}
}

func TestTheProcessEnds(t *testing.T) {
	t.Parallel()
	fn := start(t, lambda.Options{})
	for _, when := range []string{"the pending invocation", "a later one"} {
		_, err := fn.Invoke(t.Context(), request("exit", "out of cheese"))
		var ended *lambda.ExitError
		if !errors.As(err, &ended) {
			t.Fatalf("%s fails with %v, which does not say that the process has ended", when, err)
		}
		for _, want := range []string{"invoke function greeter", "exit status 7", "out of cheese"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s fails with %q, which lacks %q", when, err, want)
			}
		}
	}
}

func TestTheTimeoutKills(t *testing.T) {
	t.Parallel()
	fn := start(t, lambda.Options{Timeout: 50 * time.Millisecond})
	if _, err := fn.Invoke(t.Context(), request("hang", "")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("fails with %v, not with the time-out", err)
	}
	var ended *lambda.ExitError
	if _, err := fn.Invoke(t.Context(), request("echo", "")); !errors.As(err, &ended) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("fails with %v: the process goes on after its invocation has ended", err)
	}
}

func TestPayloadTooLarge(t *testing.T) {
	t.Parallel()
	fn := start(t, lambda.Options{})
	if _, err := fn.Invoke(t.Context(), make([]byte, lambda.MaxPayload+1)); err == nil {
		t.Error("takes a payload that Lambda refuses")
	}
}

func TestFunctionsThatDoNotStart(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "bootstrap")
	if err := os.WriteFile(text, []byte("not a program"), 0o755); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, binary, atStart string
		want                  []string
	}{
		{"no binary is given", "", "", []string{"Options.Binary"}},
		{"it is not built", filepath.Join(t.TempDir(), "bootstrap"), "", []string{"build it first"}},
		{"it is built for another machine", text, "", []string{"build it for "}},
		{"it exits while it initialises", binary, "exit", []string{"exit status 3", "no configuration: set TABLE"}},
		{"it reports that it cannot initialise", binary, "report", []string{"ConfigError: set TABLE"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fn, err := lambda.Start(t.Context(), lambda.Options{Binary: c.binary, Env: map[string]string{"AT_START": c.atStart}})
			if err == nil {
				_ = fn.Close()
				t.Fatal("it starts")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("fails with %q, which lacks %q", err, want)
				}
			}
		})
	}
}

func TestStartThatHangs(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(enough)
	_, err := lambda.Start(ctx, lambda.Options{Binary: binary, Env: map[string]string{"AT_START": "hang"}})
	if !errors.Is(err, enough) {
		t.Errorf("fails with %v, not with what ended the wait", err)
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	fn, err := lambda.Start(t.Context(), lambda.Options{Binary: binary, Log: &log})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fn.Invoke(t.Context(), request("log", "attached web to green")); err != nil {
		t.Error(err)
	}
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "attached web to green\n") {
		t.Errorf("the log is %q: what the function says is lost", log.String())
	}
}
