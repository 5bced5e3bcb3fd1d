// Command buildfunctions builds the functions for Lambda, to
// build/<architecture>/<function>/bootstrap: go run ./infra/buildfunctions arm64.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"deployhooks/infra/build"
	"deployhooks/infra/config"
)

func main() {
	if len(os.Args) != 2 || os.Args[1] != string(config.ARM64) && os.Args[1] != string(config.X86_64) {
		fmt.Fprintln(os.Stderr, "usage: buildfunctions arm64|x86_64")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := build.Functions(ctx, "build", config.Architecture(os.Args[1])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("built build/%s\n", os.Args[1])
}
