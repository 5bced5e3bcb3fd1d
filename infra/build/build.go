// Package build compiles the functions for Lambda. It is the one place that says
// how: the Makefile, the infra program and the construct DeploymentHooks all call
// it, so that what is deployed is always the build of the source.
package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

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
	if len(names) == 0 {
		folders, err := os.ReadDir(filepath.Join(root, "functions"))
		if err != nil {
			return fmt.Errorf("build the functions: %w", err)
		}
		for _, f := range folders {
			names = append(names, f.Name())
		}
	}
	all, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		all.Go(func() error {
			cmd := Command(ctx, architecture, filepath.Join(out, string(architecture), name, "bootstrap"), "./functions/"+name)
			cmd.Dir = root
			if said, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("build function %s for %s: %w\n%s", name, architecture, err, said)
			}
			return nil
		})
	}
	return all.Wait()
}

// Command is the call of the compiler that builds a package for Lambda. The same
// source gives the same bytes, so that a deployment without a change changes
// nothing.
func Command(ctx context.Context, architecture config.Architecture, out, pkg string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, pkg)
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
