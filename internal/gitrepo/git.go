package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Git is the git program of this machine. Each of its processes gets an exact
// environment, no configuration but ours, a process group of its own that is
// killed as a whole, and bounds of memory and processor time.
type Git struct {
	program string // absolute
}

// Find finds the program in PATH.
func Find() (*Git, error) {
	found, err := exec.LookPath("git")
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return nil, fmt.Errorf("gitrepo: %w (install git: it serves clones)", err)
	}
	return &Git{found}, nil
}

// A bound is what one process may use.
type bound struct {
	time   time.Duration // by the clock; also seconds of processor time
	memory uint64        // bytes of address space
	file   uint64        // bytes of the largest file written; 0 for no bound
}

// Bounds of what is done with our own repositories, whose objects are no larger
// than an attachment.
var ownBound = bound{time: 5 * time.Minute, memory: 4 << 30}

// A process is one run of the program.
type process struct {
	dir   string // an absolute path, where it runs
	args  []string
	env   []string // besides the exact environment
	in    io.Reader
	out   io.Writer
	said  io.Writer // standard error; its end stands in errors when nil
	bound bound
}

// settings come before each subcommand: nothing runs by itself, no transport is
// open, no object stands for another.
var settings = []string{
	"-c", "core.hooksPath=/dev/null",
	"-c", "core.useReplaceRefs=false",
	"-c", "core.alternateRefsCommand=exit 0 #",
	"-c", "core.fsync=all", // unknown to git before 2.36, which syncs packs anyhow
	"-c", "gc.auto=0",
	"-c", "maintenance.auto=false",
	"-c", "protocol.allow=never",
	"-c", "safe.directory=*", // whoever made the directory: its configuration is ours
	"-c", "pack.threads=1",
	"-c", "pack.windowMemory=64m",
	"-c", "core.deltaBaseCacheLimit=16m",
	"-c", "core.bigFileThreshold=32m",
}

func (g *Git) environment(more []string) []string {
	return append([]string{
		"PATH=" + filepath.Dir(g.program) + ":/usr/bin:/bin",
		"HOME=/nonexistent",
		"LANG=C.UTF-8",
		"GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_ATTR_NOSYSTEM=1",
		"GIT_NO_REPLACE_OBJECTS=1",
		"GIT_TERMINAL_PROMPT=0",
	}, more...)
}

// A Failure is a git that ended badly.
type Failure struct {
	Command string // "index-pack"
	Said    string // the end of its standard error
	Err     error
}

func (f *Failure) Error() string {
	if f.Said == "" {
		return fmt.Sprintf("git %s: %v", f.Command, f.Err)
	}
	return fmt.Sprintf("git %s: %v: %s", f.Command, f.Err, f.Said)
}

func (f *Failure) Unwrap() error { return f.Err }

// run runs a process to its end. Where the context ends first, or the time, its
// whole group is killed.
func (g *Git) run(ctx context.Context, p process) error {
	if !filepath.IsAbs(p.dir) {
		return fmt.Errorf("gitrepo: git %s in %q: not an absolute path", p.args[0], p.dir)
	}
	ctx, cancel := context.WithTimeout(ctx, p.bound.time)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.program, append(append([]string{}, settings...), p.args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout = p.dir, g.environment(p.env), p.out
	said := &tail{max: 2000}
	cmd.Stderr = said
	if p.said != nil {
		cmd.Stderr = p.said
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	// It waits for its input, if it has any, until it is bounded.
	feed, err := input(cmd, p.in)
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		restrict(cmd.Process.Pid, p.bound)
		fed := feed()
		if err = cmd.Wait(); err == nil && !errors.Is(fed, syscall.EPIPE) {
			err = fed
		}
	}
	if ctx.Err() != nil && err != nil {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return &Failure{Command: subcommand(p.args), Said: strings.TrimSpace(said.String()), Err: err}
	}
	return nil
}

// input gives a process what it reads; the function feeds it.
func input(cmd *exec.Cmd, in io.Reader) (feed func() error, err error) {
	if file, ok := in.(*os.File); ok || in == nil {
		if ok {
			cmd.Stdin = file
		}
		return func() error { return nil }, nil
	}
	pipe, err := cmd.StdinPipe()
	return func() error {
		_, err := io.Copy(pipe, in)
		return errors.Join(err, pipe.Close())
	}, err
}

// output runs a process and answers what it prints.
func (g *Git) output(ctx context.Context, p process) (string, error) {
	var out bytes.Buffer
	p.out = &out
	err := g.run(ctx, p)
	return strings.TrimSpace(out.String()), err
}

// subcommand is the first argument that is no setting.
func subcommand(args []string) string {
	for i := 0; i < len(args); i++ {
		if args[i] != "-c" {
			return args[i]
		}
		i++
	}
	return ""
}

// A tail keeps the end of what is written.
type tail struct {
	max  int
	kept []byte
}

func (t *tail) Write(data []byte) (int, error) {
	t.kept = append(t.kept, data...)
	if extra := len(t.kept) - t.max; extra > 0 {
		t.kept = t.kept[extra:]
	}
	return len(data), nil
}

func (t *tail) String() string { return string(t.kept) }
