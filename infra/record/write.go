package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// write writes the recordings, redacted, and the timeline that has them in order.
func (r *recorder) write() (files int, err error) {
	slices.SortStableFunc(r.timeline, func(a, b entry) int { return a.at.Compare(b.at) })
	count := map[string]int{}
	var timeline strings.Builder
	for _, e := range r.timeline {
		body, err := r.redact.json(e.body, strings.Contains(e.file, "-answer-"))
		if err != nil { // it is not written as it is, and the others are worth as much as before
			r.say("  %s at %s is left out: %v", e.file, r.since(e.at), err)
			continue
		}
		count[e.file]++
		name := fmt.Sprintf("%s-%d.json", e.file, count[e.file])
		if err := os.WriteFile(filepath.Join(r.folder, name), body, 0o600); err != nil {
			return files, err
		}
		fmt.Fprintf(&timeline, "%s  %-60s  %s\n", r.since(e.at), name, r.redact.text(e.text))
		files++
	}
	if err := os.WriteFile(filepath.Join(r.folder, "timeline.txt"), []byte(timeline.String()), 0o600); err != nil {
		return files, err
	}
	list, err := assumptions(os.DirFS("."))
	if err != nil || len(list) == 0 {
		return files, err
	}
	var b bytes.Buffer
	b.WriteString("What the simulated region assumes. Look in the recording what AWS does, and replace each by what was seen.\n\n")
	for _, a := range list {
		fmt.Fprintf(&b, "[ ] %s\n", a)
	}
	return files, os.WriteFile(filepath.Join(r.folder, "assumed.txt"), b.Bytes(), 0o600)
}
