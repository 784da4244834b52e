package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"robot.wtf/internal/background"
	"robot.wtf/internal/wiki"
)

// A TreeFile is a file of a commit.
type TreeFile struct {
	Path string
	Mode uint32
	ID   string // of the blob, or of a submodule's commit
	Size int64
}

// IsRegular reports whether it is a file, rather than a symbolic link or a submodule.
func (f TreeFile) IsRegular() bool { return f.Mode == ModeFile || f.Mode == ModeExec }

// HeadFiles lists the files of the newest commit of the main branch.
func (r *Received) HeadFiles(ctx context.Context) ([]TreeFile, error) {
	said, err := r.repo.git.output(ctx, process{dir: r.repo.dir, bound: foreignBound, env: foreignEnv,
		args: []string{"ls-tree", "-r", "-z", "--long", "--full-tree", Main}})
	if err != nil {
		return nil, err
	}
	var list []TreeFile
	for line := range strings.SplitSeq(strings.TrimSuffix(said, "\x00"), "\x00") {
		facts, path, ok := strings.Cut(line, "\t")
		f := strings.Fields(facts)
		if line == "" {
			continue
		}
		if !ok || len(f) != 4 {
			return nil, fmt.Errorf("gitrepo: unexpected ls-tree output %q: %w", line, wiki.ErrInvalid)
		}
		size, _ := strconv.ParseInt(f[3], 10, 64) // "-" for a submodule
		list = append(list, TreeFile{path, parseMode(f[0]), f[2], size})
	}
	return list, nil
}

// HasLarger reports whether the repository has an object of more than size bytes, in any
// commit.
func (r *Received) HasLarger(ctx context.Context, size int64) (bool, error) {
	found := &sizeFinder{limit: size}
	err := r.repo.git.run(ctx, process{dir: r.repo.dir, out: found, bound: foreignBound, env: foreignEnv,
		args: []string{"cat-file", "--batch-all-objects", "--unordered", "--buffer", "--batch-check=%(objectsize)"}})
	return found.found, err
}

// A sizeFinder reads sizes, one per line, and looks for one above a limit.
type sizeFinder struct {
	limit, size int64
	found       bool
}

func (f *sizeFinder) Write(lines []byte) (int, error) {
	for _, c := range lines {
		if c < '0' || c > '9' {
			f.size = 0
			continue
		}
		f.size = min(f.size, 1<<40)*10 + int64(c-'0')
		f.found = f.found || f.size > f.limit
	}
	return len(lines), nil
}

// An ObjectReader reads objects of a received repository one at a time. It is used by
// one goroutine.
type ObjectReader struct {
	ids     *io.PipeWriter
	content *io.PipeReader
	in      *bufio.Reader
	running *background.Call[error]
}

// Reader returns an ObjectReader, which must be closed.
func (r *Received) Reader(ctx context.Context) *ObjectReader {
	asked, ids := io.Pipe()
	content, out := io.Pipe()
	running := background.Start(func() (err error) {
		defer func() {
			out.CloseWithError(errors.Join(err, io.ErrUnexpectedEOF))
			asked.CloseWithError(io.ErrClosedPipe)
		}()
		return r.repo.git.run(ctx, process{dir: r.repo.dir, in: asked, out: out, bound: foreignBound, env: foreignEnv, args: []string{"cat-file", "--batch"}})
	})
	return &ObjectReader{ids, content, bufio.NewReaderSize(content, 64<<10), running}
}

// Read returns an object's content.
func (o *ObjectReader) Read(id string) (content []byte, err error) {
	if _, err := io.WriteString(o.ids, id+"\n"); err != nil {
		return nil, err
	}
	err = eachObject(o.in, 1, func(_ string, data []byte) error {
		content = data
		return nil
	})
	return content, err
}

// Close ends the process.
func (o *ObjectReader) Close() error {
	o.ids.Close()
	err := o.running.Wait()
	o.content.Close()
	return err
}
