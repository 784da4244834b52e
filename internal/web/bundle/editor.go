// Editor bundles the source editor of the edit pages, which is CodeMirror with our
// additions in src/, into one file:
//
//	cd internal/web/editor && npm ci --ignore-scripts
//	go generate ./internal/web
//
// With -check it compares the committed file with the result instead.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// bundle is the file for browsers, below this directory's parent.
const bundle = "static/editor.min.js"

func main() {
	check := flag.Bool("check", false, "compare the committed bundle with its sources")
	dir := flag.String("dir", "editor", "this directory")
	flag.Parse()
	if err := run(*dir, *check); err != nil {
		fmt.Fprintln(os.Stderr, "editor:", err)
		os.Exit(1)
	}
}

func run(dir string, check bool) error {
	script, err := build(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(filepath.Dir(dir), bundle)
	if !check {
		return os.WriteFile(path, script, 0o644)
	}
	committed, err := os.ReadFile(path)
	if err == nil && !bytes.Equal(committed, script) {
		err = errors.New(path + " is out of date: run go generate ./internal/web")
	}
	return err
}

// build returns the bundle, which begins with its packages' licences.
func build(dir string) ([]byte, error) {
	notice, err := notices(filepath.Join(dir, "node_modules"))
	if err != nil {
		return nil, err
	}
	result := api.Build(api.BuildOptions{
		EntryPoints:       []string{filepath.Join(dir, "src/index.js")},
		Bundle:            true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		Charset:           api.CharsetUTF8,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsNone, // they are in the notice
		Banner:            map[string]string{"js": notice},
	})
	for _, message := range slices.Concat(result.Errors, result.Warnings) {
		err = errors.Join(err, errors.New(message.Text))
	}
	if err != nil {
		return nil, err
	}
	return result.OutputFiles[0].Contents, nil
}

// notices returns a comment with the licences of the packages in node_modules. A
// licence that several packages share appears once.
func notices(modules string) (string, error) {
	var files []string
	for _, pattern := range []string{"*/LICENSE", "@*/*/LICENSE"} {
		found, err := filepath.Glob(filepath.Join(modules, pattern))
		if err != nil {
			return "", err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return "", errors.New("no packages: run npm ci --ignore-scripts in internal/web/editor")
	}
	slices.Sort(files)
	packages := map[string][]string{} // by licence
	var licences []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		licence := strings.TrimSpace(string(text))
		if packages[licence] == nil {
			licences = append(licences, licence)
		}
		name, err := filepath.Rel(modules, filepath.Dir(file))
		if err != nil {
			return "", err
		}
		packages[licence] = append(packages[licence], filepath.ToSlash(name))
	}
	var notice strings.Builder
	for _, licence := range licences {
		fmt.Fprintf(&notice, "/*! %s\n\n%s */\n", strings.Join(packages[licence], ", "), licence)
	}
	return notice.String(), nil
}
