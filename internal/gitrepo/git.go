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

	"robot.wtf/internal/background"
	"robot.wtf/internal/timing"
)

// A Git is this machine's git program. Each process gets an exact environment,
// only our configuration, limits on memory and processor time, and its own
// process group, which is killed as a whole.
type Git struct {
	program string // absolute
}

// Find looks up git in PATH.
func Find() (*Git, error) {
	found, err := exec.LookPath("git")
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return nil, fmt.Errorf("gitrepo: %w: install git to serve clones", err)
	}
	return &Git{found}, nil
}

// A bound limits the resources of one process.
type bound struct {
	time   time.Duration // wall-clock time, and seconds of processor time
	memory uint64        // bytes of address space
	file   uint64        // maximum bytes per file written; 0 means no limit
}

// ownBound is for our own repositories, whose objects are no larger than an
// attachment.
var ownBound = bound{time: 5 * time.Minute, memory: 4 << 30}

// A process describes one run of git.
type process struct {
	dir    string // working directory, absolute
	args   []string
	env    []string // added to the exact environment
	in     io.Reader
	out    io.Writer
	stderr io.Writer // if nil, errors contain the end of standard error
	bound  bound
}

// settings precede each subcommand. They disable hooks, automatic maintenance,
// transports and replacement objects.
var settings = []string{
	"-c", "core.hooksPath=/dev/null",
	"-c", "core.useReplaceRefs=false",
	"-c", "core.alternateRefsCommand=exit 0 #",
	"-c", "core.fsync=all", // unknown to git before 2.36, which syncs packs anyway
	"-c", "gc.auto=0",
	"-c", "maintenance.auto=false",
	"-c", "protocol.allow=never",
	"-c", "safe.directory=*", // the owner doesn't matter: the configuration is ours
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

// A Failure is the error of a failed git process.
type Failure struct {
	Command string // "index-pack"
	Stderr  string // end of standard error
	Err     error
}

func (f *Failure) Error() string {
	if f.Stderr == "" {
		return fmt.Sprintf("git %s: %v", f.Command, f.Err)
	}
	return fmt.Sprintf("git %s: %v: %s", f.Command, f.Err, f.Stderr)
}

func (f *Failure) Unwrap() error { return f.Err }

// run runs a process to its end. If the context is canceled or the time is up,
// it kills the whole process group.
func (g *Git) run(ctx context.Context, p process) error {
	defer timing.Measure(ctx, timing.Git)()
	if !filepath.IsAbs(p.dir) {
		return fmt.Errorf("gitrepo: run git %s in %q: path is not absolute", p.args[0], p.dir)
	}
	ctx, cancel := context.WithTimeout(ctx, p.bound.time)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.program, append(append([]string{}, settings...), p.args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout = p.dir, g.environment(p.env), p.out
	stderr := &tail{max: 2000}
	cmd.Stderr = stderr
	if p.stderr != nil {
		cmd.Stderr = p.stderr
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	// If it has input, the process waits for it until its limits are set.
	feed, err := connectInput(cmd, p.in)
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		limitProcess(cmd.Process.Pid, p.bound)
		var fed error
		panicked := background.Catch(func() { fed = feed() })
		if panicked != nil {
			cancel() // kills the process
		}
		err = cmd.Wait()
		if panicked != nil {
			panic(panicked)
		}
		if err == nil && !errors.Is(fed, syscall.EPIPE) {
			err = fed
		}
	}
	if ctx.Err() != nil && err != nil {
		err = errors.Join(ctx.Err(), err)
	}
	if err != nil {
		return &Failure{Command: subcommand(p.args), Stderr: strings.TrimSpace(stderr.String()), Err: err}
	}
	return nil
}

// connectInput connects a process to its input. The returned function writes the
// input, unless the process reads a file directly.
func connectInput(cmd *exec.Cmd, in io.Reader) (feed func() error, err error) {
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

// output runs a process and returns its trimmed output.
func (g *Git) output(ctx context.Context, p process) (string, error) {
	var out bytes.Buffer
	p.out = &out
	err := g.run(ctx, p)
	return strings.TrimSpace(out.String()), err
}

// subcommand returns the first argument that isn't a setting.
func subcommand(args []string) string {
	for i := 0; i < len(args); i++ {
		if args[i] != "-c" {
			return args[i]
		}
		i++
	}
	return ""
}

// A tail keeps the last max bytes written to it.
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
