package boot

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
)

type config struct {
	Topic string `env:"TOPIC_ARN,required,notEmpty"`
	Limit int    `env:"LIMIT" envDefault:"3"`
}

func TestMustLoad(t *testing.T) {
	t.Setenv("TOPIC_ARN", "arn")
	if got := MustLoad[config](); got != (config{"arn", 3}) {
		t.Errorf("loaded %+v", got)
	}
}

// TestMustLoadWithoutConfiguration runs itself as the process that is to end.
func TestMustLoadWithoutConfiguration(t *testing.T) {
	if os.Getenv("LIMIT") == "many" {
		MustLoad[config]()
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestMustLoadWithoutConfiguration$")
	cmd.Env = []string{"LIMIT=many"}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("ends with %v: a function starts that cannot work", err)
	}
	for _, fault := range []string{"TOPIC_ARN", "Limit"} {
		if !strings.Contains(string(out), fault) {
			t.Errorf("says %q, without %s: operators find one fault after the other", out, fault)
		}
	}
}

func TestLogger(t *testing.T) {
	for level, want := range map[string]slog.Level{"": slog.LevelInfo, "DEBUG": slog.LevelDebug, "ERROR": slog.LevelError, "loud": slog.LevelInfo} {
		t.Setenv("LOG_LEVEL", level)
		for name, log := range map[string]*slog.Logger{"log": Logger(), "log with a key": Logger().With("asg", "web"), "log with a group": Logger().WithGroup("g")} {
			if !log.Enabled(t.Context(), want) || log.Enabled(t.Context(), want-1) {
				t.Errorf("at level %q, the %s does not begin at %s", level, name, want)
			}
		}
	}
}

func TestAWS(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
		"AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_AUTO_SCALING": "http://asg",
	} {
		t.Setenv(name, value)
	}
	cfg := AWS()
	credentials, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil || cfg.Region != "eu-west-1" || credentials.AccessKeyID != "key" || credentials.SecretAccessKey != "secret" || credentials.SessionToken != "token" {
		t.Errorf("calls are made in %s as %s, %v", cfg.Region, credentials.AccessKeyID, err)
	}
	if cfg.BaseEndpoint == nil || *cfg.BaseEndpoint != "http://all" || cfg.Retryer().MaxAttempts() != attempts {
		t.Errorf("the configuration is %+v", cfg)
	}
	for service, want := range map[string]string{"Auto Scaling": "http://asg", "SQS": ""} {
		if url, found, err := (endpoints{}).GetServiceBaseEndpoint(t.Context(), service); url != want || found != (want != "") || err != nil {
			t.Errorf("%s is at %q, %t, %v", service, url, found, err)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "")
	if AWS().BaseEndpoint != nil {
		t.Error("without an endpoint of their own, calls go to an empty one")
	}
}
