// The function empty does nothing. It is what a Go function costs on Lambda at
// the least, and the benchmarks' baseline.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

type nothing struct{}

func (nothing) Invoke(context.Context, []byte) ([]byte, error) { return []byte("{}"), nil }

func main() { lambda.Start(nothing{}) }
