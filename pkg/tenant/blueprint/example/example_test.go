package example

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/kinds"
	"deployhooks/pkg/tenant/source"
)

func load(t testing.TB) *blueprint.Blueprint {
	t.Helper()
	b, err := source.Load(FS(), kinds.Descriptions())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLoad(t *testing.T) {
	b := load(t)
	for _, name := range []string{"reserve-production", "database-staging", "mail", "smoke-production", "activate-staging", "google-calendar"} {
		if _, ok := b.Step(name); !ok {
			t.Errorf("the product has no %s", name)
		}
	}
}

// TestHiddenFiles: what editors and file managers leave behind is no part of a blueprint.
func TestHiddenFiles(t *testing.T) {
	directory := fstest.MapFS{}
	err := fs.WalkDir(FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(FS(), name)
		directory[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config/.DS_Store", "config/.config.yml.swp", "database/migrations/.00001_first.sql.swp", "storage/.DS_Store"} {
		directory[name] = &fstest.MapFile{Data: []byte("hidden")}
	}
	b, err := source.Load(directory, kinds.Descriptions())
	if err != nil {
		t.Fatalf("%v: a directory that somebody has looked into cannot be deployed", err)
	}
	if b.Version != load(t).Version {
		t.Error("hidden files make another version: every tenant is changed")
	}
}
