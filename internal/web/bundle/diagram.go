package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// buildDiagram returns the document. It fails if the script could end its element early.
func buildDiagram(dir string) ([]byte, error) {
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
		if err := joinMessages(result.Errors); err != nil {
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
