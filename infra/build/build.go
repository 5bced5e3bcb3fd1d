// Package build compiles the functions for Lambda. It is the one place that says
// how: the Makefile, the infra program and the construct DeploymentHooks all call
// it, so that what is deployed is always the build of the source.
package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"deployhooks/infra/config"
)

// Functions builds functions of this module, all of them for no names, to
// <out>/<architecture>/<function>/bootstrap, with the Go toolchain on the PATH.
// It finds the module from the working directory: its own folder, or any module
// that requires it and has its source (vendored copies have not).
func Functions(ctx context.Context, out string, architecture config.Architecture, names ...string) error {
	root, err := moduleFolder(ctx)
	if err != nil {
		return err
	}
	out, err = filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("build the functions: %w", err)
	}
	// One call for all of them reads the source once, and does not link again what
	// has not changed.
	packages := []string{"./functions/..."}
	if len(names) > 0 {
		packages = nil
		for _, name := range names {
			packages = append(packages, "./functions/"+name)
		}
	}
	out = filepath.Join(out, string(architecture))
	programs := filepath.Join(out, "bin")
	cmd := Command(ctx, architecture, programs+string(filepath.Separator), packages...)
	cmd.Dir = root
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the functions for %s: %w\n%s", architecture, err, said)
	}
	built, err := os.ReadDir(programs)
	if err != nil {
		return fmt.Errorf("build the functions: %w", err)
	}
	for _, program := range built {
		if err := link(filepath.Join(programs, program.Name()), filepath.Join(out, program.Name())); err != nil {
			return fmt.Errorf("build the functions: %w", err)
		}
	}
	return nil
}

// link gives a program the name that Lambda wants, in a folder of its own.
func link(program, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	bootstrap := filepath.Join(folder, "bootstrap")
	if err := os.Remove(bootstrap); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Link(program, bootstrap)
}

// tags leave out what the functions do not use: the protocol of Lambda's former Go runtime
// (aws-lambda-go), and HTTP/2 (net/http), which is 4 % of a deployment package and which
// nothing that they call requires.
const tags = "lambda.norpc,nethttpomithttp2"

// Command is the call of the compiler that builds packages for Lambda. The same
// source gives the same bytes, so that a deployment without a change changes
// nothing.
func Command(ctx context.Context, architecture config.Architecture, out string, packages ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-tags", tags, "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out}, packages...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+goarch(architecture))
	return cmd
}

// goarch is Go's word for an architecture of Lambda.
func goarch(a config.Architecture) string {
	if a == config.X86_64 {
		return "amd64"
	}
	return string(a)
}

func moduleFolder(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "deployhooks").Output()
	root := strings.TrimSpace(string(out))
	if err != nil || root == "" {
		return "", fmt.Errorf("find the source of the module deployhooks from the working directory: %w", err)
	}
	return root, nil
}
