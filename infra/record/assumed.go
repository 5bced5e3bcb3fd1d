package main

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// regionFolder is where the simulated region is, from the top of the module.
const regionFolder = "test/region"

// marked is how a comment marks what nobody has seen.
var marked = regexp.MustCompile(`\b[Aa]ssumed\b`)

// assumptions are the comments of the simulated region that say that something is
// assumed, with file and line; none where its source is not there.
func assumptions(module fs.FS) (all []string, err error) {
	files, err := fs.Glob(module, path.Join(regionFolder, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := fs.ReadFile(module, file)
		if err != nil {
			return nil, err
		}
		lines := strings.Split(string(text), "\n")
		for n := 0; n < len(lines); n++ {
			begin := n
			var block []string
			for ; n < len(lines) && strings.HasPrefix(strings.TrimSpace(lines[n]), "//"); n++ {
				block = append(block, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(lines[n]), "//")))
			}
			if comment := strings.Join(block, " "); marked.MatchString(comment) {
				all = append(all, fmt.Sprintf("%s:%d: %s", file, begin+1, comment))
			}
		}
	}
	return all, nil
}
