// Command retained lists the resources that CloudFormation retains when the stacks of a
// cloud assembly are deleted, as they still cost money. `make destroy` runs it: retained
// cdk.out.
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
		fmt.Fprintln(os.Stderr, "usage: retained <cloud assembly, such as cdk.out>")
		os.Exit(2)
	}
	if err := list(os.DirFS(os.Args[1]), os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "list what the stacks of %s retain: %v\n", os.Args[1], err)
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
		retained := retainedBy(stack)
		if len(retained) == 0 {
			retained = []string{"nothing"}
		}
		fmt.Fprintf(out, "Deleting %s retains:\n  %s\n", stack.Name, strings.Join(retained, "\n  "))
	}
	return nil
}

// retainedBy returns the resources that outlive a stack, sorted.
func retainedBy(stack assembly.Stack) (retained []string) {
	for id, r := range stack.Resources {
		name := id
		if path, ok := r.Metadata["aws:cdk:path"].(string); ok {
			name = strings.TrimSuffix(path, "/Resource")
		}
		if r.Type == "AWS::AutoScaling::LifecycleHook" { // it is deleted with its Auto Scaling group
			continue
		}
		switch r.DeletionPolicy {
		case "Retain", "RetainExceptOnCreate":
			retained = append(retained, fmt.Sprintf("%s (%s)", name, r.Type))
		case "Snapshot":
			retained = append(retained, fmt.Sprintf("a final snapshot of %s (%s)", name, r.Type))
		}
	}
	slices.Sort(retained)
	return retained
}
