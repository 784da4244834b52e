package gitrepo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrDiverged reports that a repository has commits that a bundle lacks.
var ErrDiverged = errors.New("gitrepo: the repository has commits of its own")

// FastForward brings the current branch of a repository of somebody else, with or
// without a working tree, to the head of a bundle. It runs no hooks. It fails with
// ErrDiverged if the repository has other commits, and changes nothing then but for
// objects that nothing refers to. changed is false if it was there already.
func (g *Git) FastForward(ctx context.Context, dir, bundle string) (changed bool, err error) {
	gitDir, _, err := findRepo(dir)
	if err != nil {
		return false, err
	}
	text, err := os.ReadFile(filepath.Join(gitDir, "HEAD"))
	if err != nil {
		return false, err
	}
	branch, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: ")
	if !ok || !validRef(branch) {
		return false, refusef("%s isn't on a branch.", dir)
	}
	_, refs, err := readRefs(dir)
	if err != nil {
		return false, err
	}
	head, err := bundleHead(bundle)
	if err != nil || refs[branch] == head {
		return false, err
	}
	run := func(args ...string) error {
		return g.run(ctx, process{dir: dir, args: append([]string{"-c", "core.fsmonitor=false", "-c", "core.symlinks=false"}, args...), bound: ownBound})
	}
	if err := run("bundle", "unbundle", bundle); err != nil {
		return false, err
	}
	err = run("merge-base", "--is-ancestor", refs[branch], head)
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() == 1 {
		return false, ErrDiverged
	}
	if err != nil {
		return false, err
	}
	if gitDir == dir { // bare
		return true, run("update-ref", branch, head, refs[branch])
	}
	return true, run("merge", "--ff-only", "-q", head)
}

// bundleHead returns the head of a bundle's main branch.
func bundleHead(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	refs, err := readBundleHead(bufio.NewReader(f))
	if err != nil {
		return "", err
	}
	head, _, err := mainBranch(refs)
	if err != nil {
		return "", fmt.Errorf("gitrepo: %s: %w", file, err)
	}
	return head, nil
}
