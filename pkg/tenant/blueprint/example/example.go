// Package example is the blueprint that is shipped: that of a web and mobile application
// that each client has an instance of. Start your own with a copy of its files.
package example

import (
	"embed"
	"io/fs"
)

//go:embed files
var files embed.FS

// FS is the directory of the blueprint.
func FS() fs.FS {
	directory, err := fs.Sub(files, "files")
	if err != nil {
		panic("example: " + err.Error()) // only for a path that is invalid
	}
	return directory
}
