// Diagram builds the document that draws a Mermaid diagram in a frame: Mermaid's small
// edition, with the licences that it contains, and frame.js, in one file:
//
//	cd internal/web/diagram && npm ci --ignore-scripts
//	go generate ./internal/web
//
// With -check it compares the committed file with the result instead.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	check := flag.Bool("check", false, "compare the committed document with its sources")
	dir := flag.String("dir", "diagram", "this directory")
	flag.Parse()
	if err := run(*dir, *check); err != nil {
		fmt.Fprintln(os.Stderr, "diagram:", err)
		os.Exit(1)
	}
}

func run(dir string, check bool) error {
	document, err := build(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "diagram.html.gz")
	if check {
		return compare(path, document)
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(document); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func compare(path string, document []byte) error {
	packed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	committed, err := io.ReadAll(z)
	if err == nil && !bytes.Equal(committed, document) {
		err = errors.New(path + " is out of date: run go generate ./internal/web")
	}
	return err
}

// build returns the document. It fails if the script could end its element early.
func build(dir string) ([]byte, error) {
	mermaid := filepath.Join(dir, "node_modules/@mermaid-js/tiny")
	licence, err := os.ReadFile(filepath.Join(mermaid, "LICENSE"))
	if err != nil {
		return nil, fmt.Errorf("%w: run npm ci --ignore-scripts in internal/web/diagram", err)
	}
	script := []byte("/*! Mermaid\n\n" + strings.TrimSpace(string(licence)) + " */\n")
	for _, file := range []string{filepath.Join(mermaid, "dist/mermaid.tiny.js"), filepath.Join(dir, "frame.js")} {
		source, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		result := api.Transform(string(source), api.TransformOptions{
			Target: api.ES2022, Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsEndOfFile,
			MinifyWhitespace: true, MinifySyntax: true, MinifyIdentifiers: true,
		})
		for _, message := range result.Errors {
			err = errors.Join(err, errors.New(message.Text))
		}
		if err != nil {
			return nil, err
		}
		script = append(script, result.Code...)
	}
	script = bytes.ReplaceAll(script, []byte("<!--"), []byte(`\x3C!--`)) // in a string or an expression
	if lower := bytes.ToLower(script); bytes.Contains(lower, []byte("</script")) || bytes.Contains(lower, []byte("<!--")) {
		return nil, errors.New("the script contains the end of its element")
	}
	page, err := os.ReadFile(filepath.Join(dir, "frame.html"))
	if err != nil {
		return nil, err
	}
	return bytes.Replace(page, []byte("SCRIPT"), script, 1), nil
}
