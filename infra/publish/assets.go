package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// asset is one object that a template reads, or a template itself.
type asset struct {
	bucket   string // with the placeholder of the region
	key      string // has the hash of what the object holds
	template string // the name of the stack, for a template
	content  []byte
}

// regionPlaceholder is how the CDK writes the region that a template is deployed to.
const regionPlaceholder = "${AWS::Region}"

// bucketIn is the asset's bucket in a region.
func (a asset) bucketIn(region string) string {
	return strings.ReplaceAll(a.bucket, regionPlaceholder, region)
}

// manifest is what is read of a file <stack>.assets.json.
type manifest struct {
	Files map[string]struct {
		Source struct {
			Path      string `json:"path"`
			Packaging string `json:"packaging"` // zip or file
		} `json:"source"`
		Destinations map[string]struct {
			BucketName string `json:"bucketName"`
			ObjectKey  string `json:"objectKey"`
		} `json:"destinations"`
	} `json:"files"`
}

// readAssets reads the assets of all stacks of an assembly, each once.
func readAssets(assembly string) ([]asset, error) {
	files, err := filepath.Glob(filepath.Join(assembly, "*.assets.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("no *.assets.json in it: synthesise with make publish BUCKET=…")
	}
	byKey := map[string]asset{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var m manifest
		if err := json.Unmarshal(b, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, f := range m.Files {
			content, err := pack(filepath.Join(assembly, f.Source.Path), f.Source.Packaging)
			if err != nil {
				return nil, err
			}
			stack, isTemplate := strings.CutSuffix(f.Source.Path, ".template.json")
			if !isTemplate {
				stack = ""
			}
			for _, d := range f.Destinations {
				if !strings.Contains(d.BucketName, "-"+regionPlaceholder) || strings.Contains(d.BucketName, "${AWS::AccountId}") {
					return nil, fmt.Errorf("%s: assets are in the bucket %s of the CDK's bootstrap: synthesise with the setting deployhooks:assetBucket", file, d.BucketName)
				}
				byKey[d.ObjectKey] = asset{d.BucketName, d.ObjectKey, stack, content}
			}
		}
	}
	var all []asset
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		all = append(all, byKey[key])
	}
	return all, nil
}

// pack reads a file, or makes a zip of a folder, for Lambda: the same files give the same
// bytes, and everything may be read and executed.
func pack(path, packaging string) ([]byte, error) {
	switch packaging {
	case "file":
		return os.ReadFile(path)
	case "zip":
	default:
		return nil, fmt.Errorf("%s: packaging %q is not known", path, packaging)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(path, file)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: filepath.ToSlash(name), Method: zip.Deflate}
		header.SetMode(0o755)
		w, err := z.CreateHeader(header)
		if err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	err = errors.Join(err, z.Close()) // which writes the directory
	return b.Bytes(), err
}
