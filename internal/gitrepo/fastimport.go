package gitrepo

import (
	"context"
	"errors"
	"io"

	"robot.wtf/internal/background"
)

var errFastImportEnded = errors.New("gitrepo: git fast-import has ended")

// ReceiveCommits makes a repository in a new directory from commits on Main, which write
// writes in the format of git-fast-import(1). It returns the error of write, if any.
func (g *Git) ReceiveCommits(ctx context.Context, dir string, write func(io.Writer) error) (*Received, error) {
	repo, err := g.Init(dir)
	if err != nil {
		return nil, err
	}
	in, out := io.Pipe()
	writing := background.Start(func() (err error) {
		defer func() { out.CloseWithError(err) }()
		return write(out)
	})
	err = g.run(ctx, process{dir: dir, in: in, out: io.Discard, bound: foreignBound, env: foreignEnv,
		args: []string{"-c", "core.fsync=none", "-c", "fastimport.unpackLimit=0", "fast-import", "--quiet"}})
	in.CloseWithError(errFastImportEnded)
	if failed := writing.Wait(); failed != nil && !errors.Is(failed, errFastImportEnded) {
		return nil, failed
	}
	if err != nil {
		return nil, err
	}
	head, err := g.output(ctx, process{dir: dir, bound: foreignBound, env: foreignEnv, args: []string{"rev-parse", "--verify", "--end-of-options", Main}})
	return &Received{repo: repo, Head: head, Tags: map[string]string{}}, err
}
