package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"

	"robot.wtf/internal/config"
	"robot.wtf/internal/original"
	"robot.wtf/internal/wiki"
)

// moveInCommand moves everything from the Python robot.wtf here.
type moveInCommand struct {
	From string `required:"" placeholder:"DIR" type:"path" help:"Data directory of the Python robot.wtf, with its robot.db. Nothing in it is changed."`
	moveFlags
	Vouch  bool `help:"Vouch for the pages: agents then read them as a member's words."`
	DryRun bool `xor:"mode" help:"Print what would happen, and change nothing."`
	Verify bool `xor:"mode" help:"Compare what was moved with the original, and change nothing."`
}

// moveFlags are the flags that moves in both directions share.
type moveFlags struct {
	Data   string            `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory of this service."`
	Rename map[string]string `placeholder:"OLD=NEW" help:"The wiki OLD has the name NEW here. Can be repeated."`
}

// operate calls do with an operator of the data directory.
func (f moveFlags) operate(ctx context.Context, do func(operator) error) error {
	opened := func() (config.Config, config.Origins, error) {
		cfg, origins := config.Offline(f.Data)
		return cfg, origins, nil
	}
	return withOperator(ctx, f.Data, opened, do)
}

// Run moves everything that changed since the last run.
func (c moveInCommand) Run(ctx context.Context) error {
	scratch, err := os.MkdirTemp("", "robot-move-in-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	m, err := openMove(ctx, c, scratch, os.Stdout)
	if err != nil {
		return err
	}
	if !c.DryRun {
		return c.operate(ctx, func(run operator) error {
			if m.run = run; c.Verify {
				return m.verify(ctx)
			}
			return m.move(ctx)
		})
	}
	if err := c.operate(ctx, func(run operator) error { m.run = run; return m.checkNames(ctx) }); err != nil {
		return err
	}
	cfg, origins := config.Offline(scratch + "/rehearsal")
	if err := os.Mkdir(cfg.Data, 0o700); err != nil {
		return err
	}
	s, err := openService(ctx, cfg, origins, textLog(slog.LevelError, false))
	if err != nil {
		return err
	}
	m.run = operatorOf(s)
	err = errors.Join(m.move(ctx), s.Close())
	fmt.Fprintln(m.out, "nothing was changed (--dry-run)")
	return err
}

// A move reads the original's disk and moves it into a service.
type move struct {
	plan    moveInPlan
	disk    *original.Disk
	scratch string
	vouch   bool
	run     operator
	out     io.Writer
}

// A moveInPlan is what the service learns of the original, besides its repositories.
type moveInPlan struct {
	*original.Contents
	Names map[string]string // of wikis that get another name here
}

// name returns the name of a wiki here.
func (p moveInPlan) name(w original.Wiki) string {
	if name := p.Names[w.Slug]; name != "" {
		return name
	}
	return w.Slug
}

func openMove(ctx context.Context, c moveInCommand, scratch string, out io.Writer) (*move, error) {
	disk, err := original.Open(c.From)
	if err != nil {
		return nil, err
	}
	contents, err := disk.Read(ctx, scratch)
	if err != nil {
		return nil, err
	}
	for old, name := range c.Rename {
		if !slices.ContainsFunc(contents.Wikis, func(w original.Wiki) bool { return w.Slug == old }) {
			return nil, fmt.Errorf("--rename: the original has no wiki %q", old)
		}
		if err := wiki.CheckSlug(name); err != nil {
			return nil, fmt.Errorf("--rename: %w", err)
		}
	}
	return &move{plan: moveInPlan{contents, c.Rename}, disk: disk, scratch: scratch, vouch: c.Vouch, out: out}, nil
}

// move moves people, then histories, then what needs both.
func (m *move) move(ctx context.Context) error {
	for _, text := range m.plan.Left {
		fmt.Fprintln(m.out, printable(text))
	}
	if err := m.send(ctx, "move-in-people", m.plan, m.out); err != nil {
		return err
	}
	failed, err := m.moveHistories(ctx)
	if err != nil {
		return err
	}
	if err := m.send(ctx, "move-in-finish", m.plan, m.out); err != nil {
		return err
	}
	if len(failed) > 0 {
		return fmt.Errorf("%s not moved: %s", countOf(len(failed), "history"), strings.Join(failed, ", "))
	}
	return nil
}

// send runs an operation with a value as its input.
func (m *move) send(ctx context.Context, name string, value any, out io.Writer) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return m.run(ctx, name, nil, bytes.NewReader(text), out)
}

// moveHistories moves the histories that changed since the last move. It returns the
// wikis whose history can't be moved.
func (m *move) moveHistories(ctx context.Context) (failed []string, err error) {
	var answer bytes.Buffer
	if err := m.run(ctx, "move-in-state", nil, strings.NewReader(""), &answer); err != nil {
		return nil, err
	}
	var state map[string]movedState
	if err := json.Unmarshal(answer.Bytes(), &state); err != nil {
		return nil, err
	}
	for _, w := range m.plan.Wikis {
		slug := m.plan.name(w)
		is, moved := state[slug]
		switch {
		case w.Problem != "" || !moved || is.Head == w.Head || is.Now == w.Head:
			continue
		case w.Head == "":
			fmt.Fprintf(m.out, "%s: has no history\n", slug)
			continue
		case is.Edited:
			fmt.Fprintf(m.out, "%s: changed here and there since the last move; what it has here stays\n", slug)
			failed = append(failed, slug)
			continue
		}
		if err := m.moveHistory(ctx, w); ctx.Err() != nil {
			return failed, ctx.Err()
		} else if err != nil {
			fmt.Fprintf(m.out, "%s: %s\n", slug, printable(err.Error()))
			failed = append(failed, slug)
		}
	}
	return failed, nil
}

// moveHistory sends a wiki's repository to the service.
func (m *move) moveHistory(ctx context.Context, w original.Wiki) error {
	bundle, err := m.bundle(ctx, w)
	if err != nil {
		return err
	}
	defer bundle.Close()
	head, err := json.Marshal(movedHistory{Handles: m.plan.Handles})
	if err != nil {
		return err
	}
	args := url.Values{"wiki": {m.plan.name(w)}}
	if m.vouch {
		args.Set("vouch", "true")
	}
	return m.run(ctx, "move-in-wiki", args, io.MultiReader(bytes.NewReader(append(head, '\n')), onlyReader{bundle}), m.out)
}

// bundle packs a wiki's repository, after checking that nothing in it leads elsewhere.
func (m *move) bundle(ctx context.Context, w original.Wiki) (*os.File, error) {
	dir, err := m.disk.Repository(w.Slug)
	if err != nil {
		return nil, err
	}
	return openSource(ctx, dir, true)
}

// checkNames prints which names the service that is moved into can't give.
func (m *move) checkNames(ctx context.Context) error {
	return m.send(ctx, "move-in-names", m.plan, m.out)
}

// A movedState says how far a wiki has been moved.
type movedState struct {
	Head   string // newest commit there that was moved
	Now    string // newest commit here
	Edited bool   // commits were made here since
}

// A movedHistory precedes a repository that is moved.
type movedHistory struct {
	Handles map[string]string // DIDs by handle, of the authors
}
