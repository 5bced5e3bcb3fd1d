package bench

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"deployhooks/infra/build"
	"deployhooks/infra/config"
	"deployhooks/test/lambda"
	"deployhooks/test/region"
	"deployhooks/test/region/wire"
)

// The budgets of a built function.
const (
	zipBudget = 4 // MB
	// The program of the steps holds every kind: PostgreSQL's driver and migrations, Cloudflare's
	// client and six of AWS's beside the registry's. Lambda loads it once for a launch's many tasks.
	stepZipBudget   = 5.5 // MB
	backupZipBudget = 4.5 // MB: PostgreSQL's driver and RDS's client
	startBudget     = 1.8 // times the empty function

	synthesisBudget = 2 // seconds
)

// How often starts and invocations are measured; the median counts.
const (
	starts      = 31
	invocations = 101
	syntheses   = 5
)

// functions are those that are measured, by name.
var functions = []string{"repair", "drain", "intake", "step", "deploymentgroup", "backup"}

// top is the module's top folder, as seen from here.
const top = "../.."

// measureBuild measures the built functions, which `make bench` has built,
// beside an empty one, which is built here.
func measureBuild() error {
	host := map[string]string{"amd64": "x86_64"}[runtime.GOARCH]
	if host == "" {
		host = runtime.GOARCH
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	empty := map[string]string{}
	for _, architecture := range []string{"arm64", host} {
		empty[architecture] = filepath.Join(dir, architecture, "bootstrap")
		if err := buildEmpty(empty[architecture], architecture); err != nil {
			return err
		}
	}
	baseline, err := zipped(empty["arm64"])
	if err != nil {
		return err
	}
	for _, name := range functions {
		size, err := zipped(filepath.Join(top, "build/arm64", name, "bootstrap"))
		if err != nil {
			return fmt.Errorf("%w (run this by `make bench`, which builds the functions)", err)
		}
		budget := float64(zipBudget)
		switch name {
		case "step":
			budget = stepZipBudget
		case "backup":
			budget = backupZipBudget
		}
		report(figure{name + ".zip", size, "MB", budget, baseline})
	}
	if err := measureSynthesis(dir); err != nil {
		return err
	}
	return measureTimes(filepath.Join(top, "build", host), empty[host], dir)
}

// measureSynthesis measures the synthesis of all stacks of an environment with tenants,
// without the CDK's own command line, and without its template validation.
func measureSynthesis(dir string) error {
	program := filepath.Join(dir, "infra")
	if text, err := exec.Command("go", "build", "-o", program, top+"/infra").CombinedOutput(); err != nil {
		return fmt.Errorf("build infra: %w\n%s", err, text)
	}
	var times []float64
	for range syntheses {
		cmd := exec.Command(program)
		cmd.Dir = top
		cmd.Env = append(os.Environ(), "CDK_VALIDATION=false", "CDK_OUTDIR="+filepath.Join(dir, "cdk.out"),
			`CDK_CONTEXT_JSON={"deployhooks:environment": "production", "deployhooks:blueprint": "pkg/tenant/blueprint/example/files"}`)
		began := time.Now()
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("synthesise: %w\n%s", err, text)
		}
		times = append(times, time.Since(began).Seconds())
	}
	report(figure{"infra.synthesis", median(times), "s", synthesisBudget, 0})
	return nil
}

func buildEmpty(out, architecture string) error {
	if text, err := build.Command(context.Background(), config.Architecture(architecture), out, "./empty").CombinedOutput(); err != nil {
		return fmt.Errorf("build the empty function: %w\n%s", err, text)
	}
	return nil
}

// zipped is the size of a function's deployment package in MB (10^6 bytes).
func zipped(bootstrap string) (float64, error) {
	program, err := os.ReadFile(bootstrap)
	if err != nil {
		return 0, err
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	w, err := z.Create("bootstrap")
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(program); err != nil {
		return 0, err
	}
	err = z.Close()
	return float64(out.Len()) / 1e6, err
}

// measureTimes measures how fast the functions in a folder start, and an invocation of one.
func measureTimes(built, empty, dir string) error {
	repair := filepath.Join(built, "repair/bootstrap")
	r := region.New(region.Options{Start: time.Now()})
	svc := r.AddService(region.Service{Application: "shop", DeploymentGroup: "web", TargetGroups: []string{"web"}, Instances: 4})
	r.AddTable("records", "application", "deploymentGroup")
	server := httptest.NewServer(wire.New(wire.ServicesOf(r)...))
	defer server.Close()
	env := map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "QUEUE_URL": r.Queue("repair").WithoutEvents().URL(), "TABLE": "records", "TOPIC_ARN": r.Topic("notices").ARN(),
	}
	for name, value := range map[string]string{ // what the functions of tenants and environments need besides
		"BLUEPRINT": "v1", "BUCKET": "tenants", "BUCKET_ARN": "arn:aws:s3:::tenants", "CLASS": "database", "ACCOUNT": region.Account,
		"ENVIRONMENT": "production", "INSTANCE": "production", "DATABASE": "shop", "SUBNET_GROUP": "production", "SECURITY_GROUP": "sg-1", "INSTANCE_CLASS": "db.t4g.micro", "CHECKS": "[]",
		"CONVERGE_MACHINE": "arn:aws:states:::stateMachine:converge:1", "REMOVE_MACHINE": "arn:aws:states:::stateMachine:remove:1",
	} {
		env[name] = value
	}
	baseline, err := reportStarts(built, empty, env, dir)
	if err != nil {
		return err
	}
	certificates, err := firstPolls(map[string]string{"repair": repair}, env, true, dir)
	if err != nil {
		return err
	}
	report(figure{"repair.firstPollWithCertificates", median(certificates["repair"]), "ms", 0, baseline})
	id := r.RunDeployment(svc, region.Deployment{AttachItself: true})
	r.Advance(time.Minute)
	warm, err := invoked(repair, env, success(id))
	if err != nil {
		return err
	}
	nothing, err := invoked(empty, env, []byte("{}"))
	if err != nil {
		return err
	}
	report(figure{"repair.warmInvocation", warm, "ms", 0, nothing})
	return nil
}

// reportStarts reports how fast the functions start, beside the empty one, whose time in ms it returns.
func reportStarts(built, empty string, env map[string]string, dir string) (baseline float64, err error) {
	binaries := map[string]string{"": empty}
	for _, name := range functions {
		binaries[name] = filepath.Join(built, name, "bootstrap")
	}
	times, err := firstPolls(binaries, env, false, dir)
	if err != nil {
		return 0, err
	}
	baseline = median(times[""])
	for _, name := range functions {
		report(figure{name + ".firstPoll", median(times[name]), "ms", startBudget * baseline, baseline})
	}
	return baseline, nil
}

// firstPolls starts programs in turn, so that all of them meet the same machine, and
// returns the times in ms by their names.
func firstPolls(binaries map[string]string, env map[string]string, certs bool, dir string) (map[string][]float64, error) {
	times := map[string][]float64{}
	for range starts {
		for name, binary := range binaries {
			d, err := firstPoll(binary, env, certs, dir)
			if err != nil {
				return nil, fmt.Errorf("start %q: %w", name, err)
			}
			times[name] = append(times[name], d.Seconds()*1000)
		}
	}
	return times, nil
}

// firstPoll is the time from the start of the process to its first poll of the
// runtime API, with this machine's certificate authorities or without any.
func firstPoll(binary string, env map[string]string, certs bool, dir string) (time.Duration, error) {
	with := map[string]string{}
	for k, v := range env {
		with[k] = v
	}
	if !certs {
		none := filepath.Join(dir, "none")
		if err := os.MkdirAll(none, 0o755); err != nil {
			return 0, err
		}
		with["SSL_CERT_FILE"], with["SSL_CERT_DIR"] = os.DevNull, none
	}
	fn, err := lambda.Start(context.Background(), lambda.Options{Binary: binary, Env: with})
	if err != nil {
		return 0, err
	}
	return fn.FirstPoll, fn.Close()
}

// invoked is the median time of an invocation, in ms, after a few to warm up.
func invoked(binary string, env map[string]string, payload []byte) (float64, error) {
	fn, err := lambda.Start(context.Background(), lambda.Options{Binary: binary, Env: env})
	if err != nil {
		return 0, err
	}
	defer fn.Close()
	var times []float64
	for n := range invocations + 5 {
		began := time.Now()
		if _, err := fn.Invoke(context.Background(), payload); err != nil {
			return 0, err
		}
		if n >= 5 {
			times = append(times, time.Since(began).Seconds()*1000)
		}
	}
	return median(times), nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
