// Command release builds what a release consists of, in a directory: an archive for each
// system, a Debian package for each processor, a list of the modules in each binary
// (SBOM), and SHA256SUMS.
//
//	./release [-version 1.2.3] [-only linux/amd64] DIR
//
// Two builds of the same commit have equal files: the binaries have no paths and no time
// of the build, and every other time is that of the commit.
package main

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A target is a system that binaries are built for.
type target struct{ system, processor string }

func (t target) String() string { return t.system + "/" + t.processor }

var targets = []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}

// A release has what all of its files share.
type release struct {
	root    string // of the repository
	dir     string // for the files
	version string // without a "v"
	commit  string
	at      time.Time // of the commit
}

func main() {
	version := flag.String("version", "", "version, such as 1.2.3; default: from the tag, or 0.0.0 and the commit")
	only := flag.String("only", "", "build for one system only, such as linux/amd64")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: ./release [-version 1.2.3] [-only linux/amd64] DIR")
		os.Exit(2)
	}
	if err := run(*version, *only, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(version, only, dir string) error {
	r, err := newRelease(version, dir)
	if err != nil {
		return err
	}
	built := 0
	for _, t := range targets {
		if only != "" && only != t.String() {
			continue
		}
		if err := r.build(t); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
		built++
	}
	if built == 0 {
		return fmt.Errorf("%q is none of %v", only, targets)
	}
	return r.writeSums()
}

func newRelease(version, dir string) (r release, err error) {
	if r.dir, err = filepath.Abs(dir); err != nil {
		return r, err
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return r, err
	}
	if r.root, err = output("", "git", "rev-parse", "--show-toplevel"); err != nil {
		return r, err
	}
	if r.commit, err = output(r.root, "git", "rev-parse", "HEAD"); err != nil {
		return r, err
	}
	seconds, err := output(r.root, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return r, err
	}
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return r, err
	}
	r.at = time.Unix(n, 0).UTC()
	if r.version = version; version == "" {
		tag, err := output(r.root, "git", "describe", "--tags", "--exact-match", "--match", "v[0-9]*")
		if r.version = strings.TrimPrefix(tag, "v"); err != nil {
			r.version = "0.0.0+git" + r.at.Format("20060102") + "." + r.commit[:12]
		}
	}
	return r, nil
}

// build makes the files for one system.
func (r release) build(t target) error {
	scratch, err := os.MkdirTemp("", "robot-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	binary := filepath.Join(scratch, "robot")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid= -X main.tag="+r.version+" -X main.commit="+r.commit, "-o", binary, "./cmd/robot")
	cmd.Dir, cmd.Stderr = r.root, os.Stderr
	cmd.Env = append(os.Environ(), "GOOS="+t.system, "GOARCH="+t.processor, "CGO_ENABLED=0", "GOFLAGS=", "GOAMD64=v1", "GOARM64=v8.0")
	if err := cmd.Run(); err != nil {
		return err
	}
	name := fmt.Sprintf("robot_%s_%s_%s", r.version, t.system, t.processor)
	if err := r.writeArchive(filepath.Join(r.dir, name+".tar.gz"), name, binary); err != nil {
		return err
	}
	if err := r.writeBOM(filepath.Join(r.dir, name+".cdx.json"), binary); err != nil {
		return err
	}
	if t.system != "linux" {
		return nil
	}
	return r.writeDeb(t, binary, scratch)
}

// writeSums writes SHA256SUMS, for sha256sum -c.
func (r release) writeSums() error {
	files, err := os.ReadDir(r.dir)
	if err != nil {
		return err
	}
	var lines []string
	for _, f := range files {
		if f.Name() == "SHA256SUMS" || f.IsDir() {
			continue
		}
		sum, err := hashFile(filepath.Join(r.dir, f.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, sum+"  "+f.Name()+"\n")
	}
	slices.Sort(lines)
	return os.WriteFile(filepath.Join(r.dir, "SHA256SUMS"), []byte(strings.Join(lines, "")), 0o644)
}

func hashFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
