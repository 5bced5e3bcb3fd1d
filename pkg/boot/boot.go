// Package boot is what every function's main needs: its configuration from the
// environment, a logger, and the AWS configuration. Only mains call it; nothing
// else reads the environment or the system's clock.
//
// It is made for a short cold start. The SDK's own config package would look
// for profiles, single sign-on and instance metadata that do not exist in
// Lambda, and brings a megabyte of code along; here the credentials come from
// the environment, where Lambda puts them.
package boot

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/caarlos0/env/v11"
)

// MustLoad reads the configuration T from the environment, by its env tags. It
// ends the process with a message that names every faulty variable, which Lambda
// logs as the reason why the function does not start.
func MustLoad[T any]() T {
	cfg, err := env.ParseAs[T]()
	if err != nil {
		fmt.Fprintf(os.Stderr, "configuration of the function is wrong; the stack in infra sets these variables: %v\n", err)
		os.Exit(1)
	}
	return cfg
}

// Logger writes structured logs where Lambda reads them, in the format that the
// function's logging settings say, from the level in the environment variable
// LOG_LEVEL (INFO unless set), each line with the request's ID.
//
// The level is the function's own and not Lambda's ApplicationLogLevel: with WARN
// or ERROR there, Lambda drops every line without a level, embedded metrics among
// them ("Configuring JSON and plain text log formats", AWS Lambda Developer Guide).
// For DEBUG here, it has to be DEBUG there.
func Logger() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(os.Getenv("LOG_LEVEL"))); err != nil {
		level = slog.LevelInfo
	}
	return slog.New(leveled{lambdacontext.NewLogHandler(), level})
}

// leveled leaves out what is below a level, instead of below Lambda's.
type leveled struct {
	slog.Handler
	level slog.Level
}

func (l leveled) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }

func (l leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{l.Handler.WithAttrs(attrs), l.level}
}

func (l leveled) WithGroup(name string) slog.Handler {
	return leveled{l.Handler.WithGroup(name), l.level}
}

// attempts bounds how often the SDK tries one call, the first time included,
// maxBackoff how long it waits in between, and answerTimeout how long it waits for
// one answer. What still fails then, the queue delivers again minutes later.
const (
	attempts      = 5
	maxBackoff    = 5 * time.Second
	answerTimeout = 5 * time.Second
)

// AWS is the configuration of all AWS clients. The per-service variables
// AWS_ENDPOINT_URL_<SERVICE> and AWS_ENDPOINT_URL are honoured, as in the SDKs.
//
// It also loads the system's certificate authorities, which otherwise costs the
// first HTTPS call of a cold start more than anything else: initialisation has
// a full CPU, an invocation only its share by memory.
func AWS() aws.Config {
	_, _ = x509.SystemCertPool() // an error comes again with the first call
	cfg := aws.Config{
		Region:        os.Getenv("AWS_REGION"),
		Credentials:   credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), os.Getenv("AWS_SESSION_TOKEN")),
		ConfigSources: []any{endpoints{}},
		HTTPClient:    HTTPClient(answerTimeout),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = attempts; o.MaxBackoff = maxBackoff })
		},
	}
	if url := os.Getenv("AWS_ENDPOINT_URL"); url != "" {
		cfg.BaseEndpoint = &url
	}
	return cfg
}

// endpoints resolves the per-service endpoint variables; the SDK asks the
// configuration's sources for this method. AWS_ENDPOINT_URL itself it expects
// as the base endpoint.
type endpoints struct{}

// GetServiceBaseEndpoint returns the endpoint of a service, such as "Auto
// Scaling", if the environment sets one.
func (endpoints) GetServiceBaseEndpoint(_ context.Context, service string) (string, bool, error) {
	url := os.Getenv("AWS_ENDPOINT_URL_" + strings.ToUpper(strings.ReplaceAll(service, " ", "_")))
	return url, url != "", nil
}
