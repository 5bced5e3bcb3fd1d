package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// runner is where a run works: its directory, its environment, and the
// processes that it has started.
type runner struct {
	mu  sync.Mutex // of out
	out io.Writer
	dir string // build/e2e: the virtual environment and the logs stay
	tmp string // what everything uses as TMPDIR; removed at the end
	env []string

	servers []*server
}

// newRunner prepares build/e2e below the current directory, which must be
// the top of the repository.
func newRunner() (*runner, error) {
	if _, err := os.Stat("cdk.json"); err != nil {
		return nil, errors.New("no cdk.json here: run this from the top directory of the repository, or with `make e2e`")
	}
	dir, err := filepath.Abs(filepath.Join("build", "e2e"))
	if err != nil {
		return nil, err
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	for _, log := range logs {
		if err := os.Remove(log); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(dir, "tmp-")
	if err != nil {
		return nil, err
	}
	return &runner{out: os.Stdout, dir: dir, tmp: tmp, env: variables(tmp)}, nil
}

// variables are the caller's environment variables, without anything that would lead to a real AWS
// account, and with temporary files in a place of our own.
func variables(tmp string) []string {
	var env []string
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, "AWS_") || name == "AWS_CA_BUNDLE" {
			env = append(env, variable)
		}
	}
	return append(env,
		"TMPDIR="+tmp,
		"AWS_CONFIG_FILE="+os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE="+os.DevNull,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_PAGER=",
		"NO_PROXY=127.0.0.1,localhost,"+os.Getenv("NO_PROXY"),
		"no_proxy=127.0.0.1,localhost,"+os.Getenv("no_proxy"),
		"CDK_DISABLE_CLI_TELEMETRY=true",
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=18,20,22,24", // its frame hides errors
		"NO_COLOR=1",
	)
}

// close stops every server, last started first, and removes temporary files.
func (w *runner) close() error {
	for i := len(w.servers) - 1; i >= 0; i-- {
		w.servers[i].stop()
	}
	return os.RemoveAll(w.tmp)
}

func (w *runner) printf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = fmt.Fprintf(w.out, format+"\n", args...)
}

// step is one thing to do, or several lists of steps at the same time.
type step struct {
	what     string
	do       func(context.Context) (string, error)
	together [][]step
}

// play does steps one after another. Where several lists are played at the same time,
// each result has its step's name again.
func (w *runner) play(ctx context.Context, steps []step, together bool) error {
	for _, s := range steps {
		if len(s.together) > 0 {
			lists, ctx := errgroup.WithContext(ctx)
			for _, list := range s.together {
				lists.Go(func() error { return w.play(ctx, list, true) })
			}
			if err := lists.Wait(); err != nil {
				return err
			}
			continue
		}
		do := func() (string, error) {
			result, err := s.do(ctx)
			if together && err == nil {
				result = strings.TrimSuffix(s.what+": "+result, ": ")
			}
			return result, err
		}
		if err := w.step(s.what, do); err != nil {
			return err
		}
	}
	return nil
}

// step does one thing and reports it: what, then the result and how long it took.
func (w *runner) step(what string, do func() (string, error)) error {
	begin := time.Now()
	w.printf("• %s", what)
	result, err := do()
	if err != nil {
		w.printf("  failed after %s", took(begin))
		return fmt.Errorf("%s: %w", lowerFirst(what), err)
	}
	if result != "" {
		result += ", "
	}
	w.printf("  ✓ %s%s", result, took(begin))
	return nil
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// log is the path of a log file.
func (w *runner) log(name string) string { return filepath.Join(w.dir, name+".log") }

// run runs a command to its end and returns its standard output. All that it
// writes is appended to the named log, and the end of that is part of the
// error.
func (w *runner) run(ctx context.Context, log string, env []string, name string, args ...string) (string, error) {
	file, err := os.OpenFile(w.log(log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	_, _ = fmt.Fprintf(file, "\n$ %s %s\n", name, strings.Join(args, " "))

	var output bytes.Buffer
	cmd := w.command(ctx, env, name, args...)
	cmd.Stdout = io.MultiWriter(&output, file)
	cmd.Stderr = file
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return output.String(), fmt.Errorf("%s %s: %w; the end of %s:\n%s", filepath.Base(name), strings.Join(args, " "), err, w.log(log), tail(w.log(log), 25))
	}
	return strings.TrimSpace(output.String()), nil
}

// grace is what a process gets between being asked to stop and being killed.
const grace = 5 * time.Second

// command is a command in a process group of its own, which is stopped as a
// whole when the context ends. It reads nothing.
func (w *runner) command(ctx context.Context, env []string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(append([]string{}, w.env...), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	return cmd
}

// server is a process that runs beside ours.
type server struct {
	cmd        *exec.Cmd
	done       chan struct{}
	err        error  // once done
	beforeStop func() // before it is stopped, if set
}

// start starts a process that runs until it is stopped. Unlike a command it
// outlives the context, so that what is left can be cleaned up through it.
func (w *runner) start(log string, env []string, name string, args ...string) (*server, error) {
	file, err := os.Create(w.log(log))
	if err != nil {
		return nil, err
	}
	cmd := w.command(context.Background(), env, name, args...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	s := &server{cmd: cmd, done: make(chan struct{})}
	go func() {
		s.err = cmd.Wait()
		_ = file.Close()
		close(s.done)
	}()
	w.servers = append(w.servers, s)
	return s, nil
}

// stop ends the process and all that it has started.
func (s *server) stop() {
	if s.beforeStop != nil {
		s.beforeStop()
	}
	group := -s.cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM) // it may be gone already
	select {
	case <-s.done:
	case <-time.After(grace):
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // children that took no notice
	<-s.done
}

// tail is the end of a file.
func tail(path string, lines int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return "    " + strings.Join(all[max(0, len(all)-lines):], "\n    ")
}
