package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// buildEditor returns the script, which begins with its packages' licences.
func buildEditor(dir string) ([]byte, error) {
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
	if err := joinMessages(slices.Concat(result.Errors, result.Warnings)); err != nil {
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
