// Command kept lists what of a cloud assembly's stacks outlives them, so that who destroys
// them knows what stays, and goes on to cost. `make destroy` runs it: kept cdk.out.
package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"deployhooks/infra/assembly"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kept <cloud assembly, such as cdk.out>")
		os.Exit(2)
	}
	if err := list(os.DirFS(os.Args[1]), os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "list what %s keeps: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// list writes, for each stack, the resources that CloudFormation retains, or keeps a
// snapshot of, when the stack is deleted.
func list(folder fs.FS, out io.Writer) error {
	stacks, err := assembly.Read(folder)
	if err != nil {
		return err
	}
	for _, stack := range stacks {
		kept := keptOf(stack)
		if len(kept) == 0 {
			kept = []string{"nothing"}
		}
		fmt.Fprintf(out, "A destroy of %s keeps:\n  %s\n", stack.Name, strings.Join(kept, "\n  "))
	}
	return nil
}

// keptOf are the resources that outlive a stack, sorted.
func keptOf(stack assembly.Stack) (kept []string) {
	for id, r := range stack.Resources {
		name := id
		if path, ok := r.Metadata["aws:cdk:path"].(string); ok {
			name = strings.TrimSuffix(path, "/Resource")
		}
		switch r.DeletionPolicy {
		case "Retain":
			kept = append(kept, fmt.Sprintf("%s (%s)", name, r.Type))
		case "Snapshot":
			kept = append(kept, fmt.Sprintf("a last snapshot of %s (%s)", name, r.Type))
		}
	}
	slices.Sort(kept)
	return kept
}
