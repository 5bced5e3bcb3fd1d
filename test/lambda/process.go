package lambda

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is the function's process.
type process struct {
	cmd   *exec.Cmd
	log   *tail
	ended chan struct{} // closed when the process is gone and its log is read
}

// startProcess starts the function's binary in the directory that it is in, as
// Lambda does, with the runtime API at the address.
func startProcess(o Options, address string) (*process, error) {
	p := &process{log: &tail{to: o.Log}, ended: make(chan struct{})}
	p.cmd = exec.Command(o.Binary)
	p.cmd.Dir = filepath.Dir(o.Binary)
	p.cmd.Env = environment(o, address)
	// One writer for both, so that exec serialises what goes to the log.
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	// A process that the function started and left may hold the pipes open.
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended stands in ProcessState
		close(p.ended)
	}()
	return p, nil
}

func (p *process) kill() { _ = p.cmd.Process.Kill() } // fails when it has ended

// exitError says how the process ended. Only after ended.
func (p *process) exitError() *ExitError {
	return &ExitError{State: p.cmd.ProcessState, Log: p.log.String()}
}

// environment is what Lambda sets for a function on an OS-only runtime, and
// then what the caller adds.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func environment(o Options, address string) []string {
	set := map[string]string{
		"_HANDLER":                        "bootstrap",
		"AWS_ACCESS_KEY_ID":               "test",
		"AWS_DEFAULT_REGION":              o.Region,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(o.MemoryMB),
		"AWS_LAMBDA_FUNCTION_NAME":        o.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + o.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      "local/[$LATEST]" + o.Name,
		"AWS_LAMBDA_RUNTIME_API":          address,
		"AWS_REGION":                      o.Region,
		"AWS_SECRET_ACCESS_KEY":           "test",
		"AWS_SESSION_TOKEN":               "test",
		"LAMBDA_RUNTIME_DIR":              "/var/runtime",
		"LAMBDA_TASK_ROOT":                filepath.Dir(o.Binary),
		"LANG":                            "en_US.UTF-8",
		"PATH":                            "/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"TZ":                              ":UTC",
	}
	for name, value := range o.Env {
		set[name] = value
	}
	environment := make([]string, 0, len(set))
	for name, value := range set {
		environment = append(environment, name+"="+value)
	}
	return environment
}

// ExitError says that the function's process ended, and what it wrote last.
type ExitError struct {
	State *os.ProcessState
	// Log is the end of what the process wrote to its standard output and
	// error, at most 4 KiB.
	Log string
}

func (e *ExitError) Error() string {
	log := strings.TrimSpace(e.Log)
	if log == "" {
		return fmt.Sprintf("its process has ended (%s) and wrote nothing", e.State)
	}
	return fmt.Sprintf("its process has ended (%s); it wrote last:\n%s", e.State, log)
}

// tailBytes is how much of a log an [ExitError] shows. A Go panic of a few
// goroutines fits.
const tailBytes = 4 << 10

// tail hands a log on and remembers its end.
type tail struct {
	to   io.Writer
	last []byte
}

// Write never fails: a function must not die of the reader of its log.
func (t *tail) Write(b []byte) (int, error) {
	t.last = append(t.last, b...)
	if over := len(t.last) - tailBytes; over > 0 {
		t.last = append([]byte(nil), t.last[over:]...)
	}
	_, _ = t.to.Write(b)
	return len(b), nil
}

// String returns the end of the log. Only after the process has ended.
func (t *tail) String() string { return strings.ToValidUTF8(string(t.last), "�") }
