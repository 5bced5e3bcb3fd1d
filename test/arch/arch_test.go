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

// domains are the packages of pkg that decide something. The others are shared parts.
var domains = []string{"pkg/repair", "pkg/drain", "pkg/tenant", "pkg/deploymentgroup", "pkg/backup"}

// domain is the domain that a package belongs to, empty for any other package.
func domain(pkg string) string {
	for _, d := range domains {
		if in(pkg, d) {
			return d
		}
	}
	return ""
}

// A rule names what breaks it, so that the rule itself is known to work.
var rules = []struct {
	rule     string
	broken   func(pkg, imported string) bool
	examples [][2]string // of imports that break it
}{
	{"pkg imports neither functions, infra nor test", func(pkg, imported string) bool {
		return in(pkg, "pkg") && (in(imported, "functions") || in(imported, "infra") || in(imported, "test"))
	}, [][2]string{{"pkg/store", "test/region"}, {"pkg/repair/setting", "infra/config"}, {"pkg/boot", "functions/repair"}}},
	{"functions import neither infra nor test", func(pkg, imported string) bool {
		return in(pkg, "functions") && (in(imported, "infra") || in(imported, "test"))
	}, [][2]string{{"functions/drain", "test/region"}, {"functions/drain", "infra/config"}}},
	{"infra imports neither functions nor test", func(pkg, imported string) bool {
		return in(pkg, "infra") && (in(imported, "functions") || in(imported, "test"))
	}, [][2]string{{"infra/hooks", "functions/drain"}, {"infra", "test/infra"}}},
	{"domains do not import each other", func(pkg, imported string) bool {
		return domain(pkg) != "" && domain(imported) != "" && domain(pkg) != domain(imported)
	}, [][2]string{{"pkg/repair", "pkg/drain"}, {"pkg/drain", "pkg/repair/setting"}, {"pkg/tenant/step", "pkg/deploymentgroup"}}},
	{"shared parts do not import domains", func(pkg, imported string) bool {
		return in(pkg, "pkg") && domain(pkg) == "" && domain(imported) != ""
	}, [][2]string{{"pkg/store", "pkg/repair"}, {"pkg/notice", "pkg/repair/setting"}}},
	{"only functions import the Lambda runtime, and pkg/boot its context", func(pkg, imported string) bool {
		switch {
		case !strings.HasPrefix(imported, "github.com/aws/aws-lambda-go/"), in(pkg, "functions"), in(pkg, "test/bench/empty"): // the benchmarks measure an empty function
			return false
		}
		return !in(pkg, "pkg/boot") || imported != "github.com/aws/aws-lambda-go/lambdacontext"
	}, [][2]string{{"pkg/boot", "github.com/aws/aws-lambda-go/lambda"}, {"pkg/event", "github.com/aws/aws-lambda-go/events"}, {"pkg/drain", "github.com/aws/aws-lambda-go/lambdacontext"}}},
	{"only infra and test/infra import the CDK", func(pkg, imported string) bool {
		cdk := strings.HasPrefix(imported, "github.com/aws/aws-cdk-go/") || strings.HasPrefix(imported, "github.com/aws/constructs-go/") || strings.HasPrefix(imported, "github.com/aws/jsii-runtime-go")
		return cdk && !in(pkg, "infra") && !in(pkg, "test/infra")
	}, [][2]string{{"pkg/drain", "github.com/aws/aws-cdk-go/awscdk/v2"}, {"test/e2e", "github.com/aws/jsii-runtime-go"}}},
	{"the simulated region imports nothing of ours", func(pkg, imported string) bool {
		// The command that serves it can run the functions in it.
		return in(pkg, "test/region") && !in(pkg, "test/region/serve") && in(imported, "") && !in(imported, "test/region")
	}, [][2]string{{"test/region", "pkg/event"}, {"test/region/wire", "events"}, {"test/region", "test/harness"}}},
	{"the services that stand in for others' import nothing of ours", func(pkg, imported string) bool {
		return (in(pkg, "test/clouds") || in(pkg, "test/postgres")) && in(imported, "")
	}, [][2]string{{"test/clouds", "pkg/tenant/bucket"}, {"test/postgres", "test/harness"}}},
	{"kinds of steps do not import each other, but smoke logs in as postgres does", func(pkg, imported string) bool {
		return kind(pkg) && kind(imported) && pkg != module+"pkg/tenant/step/smoke"
	}, [][2]string{{"pkg/tenant/step/dns", "pkg/tenant/step/postgres"}}},
	{"in pkg, only pkg/tenant/kinds knows the kinds of steps", func(pkg, imported string) bool {
		return in(pkg, "pkg") && !in(pkg, "pkg/tenant/kinds") && !kind(pkg) && (kind(imported) || in(imported, "pkg/tenant/kinds"))
	}, [][2]string{{"pkg/tenant/workflow", "pkg/tenant/step/manual"}, {"pkg/tenant/intake", "pkg/tenant/kinds"}}},
	{"kinds of steps know neither who asks for them nor how blueprints are kept", func(pkg, imported string) bool {
		return kind(pkg) && (in(imported, "pkg/tenant/intake") || in(imported, "pkg/tenant/library") || in(imported, "pkg/tenant/source") || in(imported, "pkg/tenant/spec"))
	}, [][2]string{{"pkg/tenant/step/manual", "pkg/tenant/intake"}, {"pkg/tenant/step/config", "pkg/tenant/library"}}},
	{"blueprints are compiled at synthesis: no function, and nothing that one imports, compiles them", func(pkg, imported string) bool {
		return (in(pkg, "functions") || in(pkg, "pkg")) && in(imported, "pkg/tenant/source")
	}, [][2]string{{"functions/intake", "pkg/tenant/source"}, {"pkg/tenant/intake", "pkg/tenant/source"}}},
	{"only pkg/tenant/source reads YAML, and JSON Schema is its and pkg/tenant/spec's", func(pkg, imported string) bool {
		return in(pkg, "pkg") && (strings.HasPrefix(imported, "go.yaml.in/") && !in(pkg, "pkg/tenant/source") ||
			strings.HasPrefix(imported, "github.com/santhosh-tekuri/jsonschema/") && !in(pkg, "pkg/tenant/spec") && !in(pkg, "pkg/tenant/source"))
	}, [][2]string{{"pkg/tenant/blueprint", "go.yaml.in/yaml/v3"}, {"pkg/tenant/blueprint", "github.com/santhosh-tekuri/jsonschema/v6"}}},
	{"only pkg/boot reads the environment", func(pkg, imported string) bool {
		return in(pkg, "pkg") && !in(pkg, "pkg/boot") && imported == "os"
	}, [][2]string{{"pkg/drain", "os"}, {"pkg/notice", "os"}}},
}

// kind reports whether a package is a kind of step.
func kind(pkg string) bool { return strings.HasPrefix(pkg, module+"pkg/tenant/step/") }

// in reports whether a package is the folder or below it; the empty folder is the
// module.
func in(pkg, folder string) bool {
	path, ours := strings.CutPrefix(pkg, module)
	return ours && (folder == "" || path == folder || strings.HasPrefix(path, folder+"/"))
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

// TestRules holds that each rule finds what breaks it.
func TestRules(t *testing.T) {
	ours := func(path string) string {
		if path == "os" || strings.Contains(strings.Split(path, "/")[0], ".") {
			return path
		}
		return module + path
	}
	for _, r := range rules {
		for _, e := range r.examples {
			if !r.broken(ours(e[0]), ours(e[1])) {
				t.Errorf("%s may import %s, although %s", e[0], e[1], r.rule)
			}
		}
	}
}

// TestClock holds that time comes from an injected clock in pkg: a domain that
// sleeps or reads the system's clock cannot run in a simulated region.
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
