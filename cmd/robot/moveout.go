package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"robot.wtf/internal/gitrepo"
	"robot.wtf/internal/original"
)

// moveOutCommand brings commits made here back to the Python robot.wtf.
type moveOutCommand struct {
	To string `required:"" placeholder:"DIR" type:"path" help:"Data directory of the Python robot.wtf. Only its repositories change."`
	moveFlags
}

// Run fast-forwards the repository of each wiki that was moved in and written in since.
func (c moveOutCommand) Run(ctx context.Context) error {
	disk, err := original.Open(c.To)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "robot-move-out-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	git, err := gitrepo.Find()
	if err != nil {
		return err
	}
	return c.operate(ctx, func(run operator) error {
		m := moveOut{disk: disk, git: git, file: filepath.Join(scratch, "bundle"), names: map[string]string{}, run: run, out: os.Stdout}
		for old, name := range c.Rename {
			m.names[name] = old
		}
		return m.move(ctx)
	})
}

// A moveOut is one run of moveOutCommand.
type moveOut struct {
	disk  *original.Disk
	git   *gitrepo.Git
	file  string            // for a bundle
	names map[string]string // there, by the name here, if they differ
	run   operator
	out   io.Writer
}

func (m moveOut) move(ctx context.Context) error {
	var answer bytes.Buffer
	if err := m.run(ctx, "move-in-state", nil, strings.NewReader(""), &answer); err != nil {
		return err
	}
	var state map[string]movedState
	if err := json.Unmarshal(answer.Bytes(), &state); err != nil {
		return err
	}
	var failed []string
	for _, slug := range slices.Sorted(maps.Keys(state)) {
		if !state[slug].Edited {
			continue
		}
		changed, err := m.moveWiki(ctx, slug)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, gitrepo.ErrDiverged):
			fmt.Fprintf(m.out, "%s: the repository there has commits of its own; nothing was changed\n", slug)
		case err != nil:
			fmt.Fprintf(m.out, "%s: %s\n", slug, printable(err.Error()))
		case changed:
			fmt.Fprintf(m.out, "%s: is at %.10s there now\n", slug, state[slug].Now)
		}
		if err != nil {
			failed = append(failed, slug)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("not moved out: %s", strings.Join(failed, ", "))
	}
	return nil
}

// moveWiki fast-forwards the repository of one wiki.
func (m moveOut) moveWiki(ctx context.Context, slug string) (bool, error) {
	there := slug
	if old := m.names[slug]; old != "" {
		there = old
	}
	dir, err := m.disk.Repository(there)
	if err != nil {
		return false, err
	}
	bundle, err := os.OpenFile(m.file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return false, err
	}
	err = m.run(ctx, "export", url.Values{"wiki": {slug}, "format": {"bundle"}}, strings.NewReader(""), bundle)
	if err := errors.Join(err, bundle.Close()); err != nil {
		return false, err
	}
	return m.git.FastForward(ctx, dir, m.file)
}
