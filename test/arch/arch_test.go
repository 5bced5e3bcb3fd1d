// Package arch holds the rules on who may import whom, so that dependencies
// point one way: functions -> pkg, infra -> pkg, test -> everything.
package arch

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

type goPackage struct {
	ImportPath string
	Imports    []string // of the code itself, not of its tests
}

const module = "deployhooks/"

// domains never import each other: what two of them need has a package of its
// own.
var domains = []string{"pkg/repair", "pkg/drain", "pkg/tenant", "pkg/deploymentgroup"}

var rules = []struct {
	rule   string
	broken func(pkg, imported string) bool
}{
	{"pkg imports neither functions, infra nor test", func(pkg, imported string) bool {
		return in(pkg, "pkg") && (in(imported, "functions") || in(imported, "infra") || in(imported, "test"))
	}},
	{"functions import neither infra nor test", func(pkg, imported string) bool {
		return in(pkg, "functions") && (in(imported, "infra") || in(imported, "test"))
	}},
	{"infra imports neither functions nor test", func(pkg, imported string) bool {
		return in(pkg, "infra") && (in(imported, "functions") || in(imported, "test"))
	}},
	{"domains do not import each other", func(pkg, imported string) bool {
		for _, a := range domains {
			for _, b := range domains {
				if a != b && in(pkg, a) && in(imported, b) {
					return true
				}
			}
		}
		return false
	}},
	{"only functions import the Lambda runtime", func(pkg, imported string) bool {
		// The benchmarks measure an empty function.
		return imported == "github.com/aws/aws-lambda-go/lambda" && !in(pkg, "functions") && !in(pkg, "test/bench/empty")
	}},
	{"only infra and test/infra import the CDK", func(pkg, imported string) bool {
		cdk := strings.HasPrefix(imported, "github.com/aws/aws-cdk-go/") || strings.HasPrefix(imported, "github.com/aws/constructs-go/") || strings.HasPrefix(imported, "github.com/aws/jsii-runtime-go")
		return cdk && !in(pkg, "infra") && !in(pkg, "test/infra")
	}},
	{"domains do not read the environment", func(pkg, imported string) bool {
		return in(pkg, "pkg") && !in(pkg, "pkg/boot") && imported == "os"
	}},
}

// in reports whether a package is the folder or below it.
func in(pkg, folder string) bool {
	return pkg == module+folder || strings.HasPrefix(pkg, module+folder+"/")
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			for _, r := range rules {
				if r.broken(p.ImportPath, imported) {
					t.Errorf("%s imports %s, but %s", p.ImportPath, imported, r.rule)
				}
			}
		}
	}
}

// TestClock holds that time comes from an injected clock in pkg: a domain that
// sleeps or looks at the clock cannot be played in a simulated region.
func TestClock(t *testing.T) {
	clock := regexp.MustCompile(`\btime\.(Now|Sleep|After|AfterFunc|Tick|NewTimer|NewTicker|Since|Until)\b`)
	err := filepath.WalkDir("../../pkg", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for n, line := range strings.Split(string(code), "\n") {
			if found := clock.FindString(line); found != "" && !strings.HasPrefix(strings.TrimSpace(line), "//") {
				t.Errorf("%s:%d uses %s", path, n+1, found)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir, cmd.Stderr = "../..", os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var found []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found = append(found, p)
	}
}
