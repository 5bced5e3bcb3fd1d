package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

//go:embed requirements.txt
var requirements []byte

// setUp gets the tools and builds what is deployed.
func (w *runner) setUp(ctx context.Context) error {
	w.printf("The hooks and the tenants, end to end, without AWS.\n")
	if runtime.GOOS != "linux" {
		return fmt.Errorf("the functions are Linux programs and MiniStack runs them as they are: %s cannot", runtime.GOOS)
	}
	for tool, need := range map[string]string{"node": "Node.js 20 or later, for the CDK", "npx": "npm, for the CDK", "python3": "Python 3.10 or later, for the local cloud"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed: it takes %s", tool, need)
		}
	}
	steps := []struct {
		what string
		do   func(context.Context) (string, error)
	}{
		{"Set up the local cloud's tools (the first time, this downloads some 60 MB)", w.installTools},
		{"Fetch the CDK's command line", func(ctx context.Context) (string, error) {
			return w.run(ctx, "setup", nil, "npx", "--yes", cdkPackage, "--version")
		}},
		{"Compile the infrastructure program (the first time, this takes a minute)", func(ctx context.Context) (string, error) {
			_, err := w.run(ctx, "setup", nil, "go", "build", "-o", os.DevNull, "./infra")
			return "", err
		}},
	}
	for _, s := range steps {
		if err := w.step(s.what, func() (string, error) { return s.do(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// tool is the path of a program of the virtual environment.
func (w *runner) tool(name string) string { return filepath.Join(w.dir, "venv", "bin", name) }

// installTools makes the virtual environment, unless it is there with all that
// is wanted.
func (w *runner) installTools(ctx context.Context) (string, error) {
	venv := filepath.Join(w.dir, "venv")
	installed := filepath.Join(venv, "requirements.txt")
	if have, err := os.ReadFile(installed); err == nil && string(have) == string(requirements) {
		return "they are there", nil
	}
	if err := os.RemoveAll(venv); err != nil {
		return "", err
	}
	if _, err := w.run(ctx, "setup", nil, "python3", "-m", "venv", venv); err != nil {
		return "", fmt.Errorf("%w\n(on Debian and Ubuntu, virtual environments are in the package python3-venv)", err)
	}
	wanted := filepath.Join(w.tmp, "requirements.txt")
	if err := os.WriteFile(wanted, requirements, 0o644); err != nil {
		return "", err
	}
	if _, err := w.run(ctx, "setup", nil, w.tool("python"), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", wanted); err != nil {
		return "", err
	}
	return "installed", os.WriteFile(installed, requirements, 0o644)
}

// architecture is this machine's, in Lambda's words.
func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}
