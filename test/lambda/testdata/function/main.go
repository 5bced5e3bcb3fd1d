// This function does what the tests of test/lambda ask of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type request struct {
	Do   string
	Text string
}

func main() {
	switch os.Getenv("AT_START") {
	case "exit":
		fmt.Fprintln(os.Stderr, "no configuration: set TABLE")
		os.Exit(3)
	case "report":
		url := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/init/error"
		body := strings.NewReader(`{"errorType":"ConfigError","errorMessage":"set TABLE"}`)
		if _, err := http.Post(url, "application/json", body); err != nil {
			panic(err)
		}
		os.Exit(1)
	case "hang":
		time.Sleep(time.Hour)
	}
	lambda.Start(handle)
}

func handle(ctx context.Context, r request) (any, error) {
	switch r.Do {
	case "echo":
		return r.Text, nil
	case "environment":
		return os.Environ(), nil
	case "context":
		deadline, _ := ctx.Deadline()
		lc, _ := lambdacontext.FromContext(ctx)
		return map[string]any{
			"request":     lc.AwsRequestID,
			"arn":         lc.InvokedFunctionArn,
			"name":        lambdacontext.FunctionName,
			"memory":      lambdacontext.MemoryLimitInMB,
			"trace":       os.Getenv("_X_AMZN_TRACE_ID"),
			"hasDeadline": time.Until(deadline) > time.Minute,
		}, nil
	case "fail":
		return nil, errors.New(r.Text)
	case "panic":
		panic(r.Text)
	case "exit":
		fmt.Fprintln(os.Stderr, r.Text)
		os.Exit(7)
	case "log":
		fmt.Println(r.Text)
	case "large":
		return strings.Repeat("x", 7<<20), nil
	case "hang":
		time.Sleep(time.Hour)
	}
	return nil, nil
}
