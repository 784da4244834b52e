// Bundle builds the files for browsers that are made from npm packages. An argument
// says which:
//
//	editor   the source editor of the edit pages: CodeMirror with our additions in
//	         editor/src, in one script
//	diagram  the document that draws a Mermaid diagram in a frame: Mermaid's small
//	         edition, with the licences that it contains, and diagram/frame.js
//
// After npm ci --ignore-scripts in internal/web/editor or internal/web/diagram, go
// generate ./internal/web builds them. With -check, bundle compares the committed file
// with the result instead.
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

// A product is a file that is built from the sources and packages in a directory.
type product struct {
	file  string // below internal/web; compressed if it ends in .gz
	build func(dir string) ([]byte, error)
}

var products = map[string]product{
	"editor":  {"static/editor.min.js", buildEditor},
	"diagram": {"diagram/diagram.html.gz", buildDiagram},
}

func main() {
	check := flag.Bool("check", false, "compare the committed file with its sources")
	dir := flag.String("dir", ".", "the directory internal/web")
	flag.Parse()
	if err := run(*dir, flag.Arg(0), *check); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(dir, name string, check bool) error {
	p, ok := products[name]
	if !ok {
		return fmt.Errorf("%q is neither editor nor diagram", name)
	}
	built, err := p.build(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	path := filepath.Join(dir, p.file)
	if !check {
		return write(path, built)
	}
	committed, err := read(path)
	if err == nil && !bytes.Equal(committed, built) {
		err = errors.New(path + " is out of date: run go generate ./internal/web")
	}
	return err
}

func isCompressed(path string) bool { return strings.HasSuffix(path, ".gz") }

func write(path string, data []byte) error {
	if !isCompressed(path) {
		return os.WriteFile(path, data, 0o644)
	}
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(data); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func read(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil || !isCompressed(path) {
		return data, err
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// joinMessages returns esbuild's messages as an error, or nil.
func joinMessages(messages []api.Message) (err error) {
	for _, message := range messages {
		err = errors.Join(err, errors.New(message.Text))
	}
	return err
}
