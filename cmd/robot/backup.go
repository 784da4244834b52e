package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"robot.wtf/internal/backup"
	"robot.wtf/internal/service"
)

// plainLog is for commands that people run: what goes wrong on the way.
func plainLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

type backupCommand struct {
	Dir       string   `arg:"" env:"ROBOT_BACKUP" type:"path" help:"Directory of the backups; made if there is none. Best on another disk."`
	Data      string   `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory. A service may be using it."`
	Recipient []string `env:"ROBOT_BACKUP_RECIPIENT" placeholder:"AGE1…" help:"Encrypt keys for this age recipient (see age-keygen)."`
}

// Run takes a backup.
func (c backupCommand) Run(ctx context.Context) (err error) {
	recipients, err := parseRecipients(c.Recipient)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.Data, "robot.db")); err != nil {
		return fmt.Errorf("--data: %s is no data directory of a service: %w", c.Data, err)
	}
	r, err := backup.Open(ctx, c.Dir, true, time.Now, plainLog())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	report, err := r.Take(ctx, c.Data, recipients)
	if report.Name != "" {
		fmt.Printf("Backup %s: %d wikis, %d of them copied, %d new pieces, %d bytes, %s\n",
			report.Name, report.Wikis, report.Copied, report.NewChunks, report.NewBytes, report.Took.Round(time.Millisecond))
		if !report.Sealed {
			fmt.Fprintln(os.Stderr, "note: the keys are in it as they are, for no --recipient was named; whoever can read the backup can sign in as anybody")
		}
	}
	return err
}

func parseRecipients(list []string) ([]age.Recipient, error) {
	var all []age.Recipient
	for _, text := range list {
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return nil, fmt.Errorf("--recipient: %q is no age recipient, which begins with age1: %w", text, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// identityFlag is what opens encrypted keys.
type identityFlag struct {
	Identity string `env:"ROBOT_BACKUP_IDENTITY" placeholder:"FILE" type:"path" help:"File with the age identity that opens encrypted keys."`
}

func (f identityFlag) read() ([]age.Identity, error) {
	if f.Identity == "" {
		return nil, nil
	}
	file, err := os.Open(f.Identity)
	if err != nil {
		return nil, fmt.Errorf("--identity: %w", err)
	}
	defer file.Close()
	all, err := age.ParseIdentities(file)
	if err != nil {
		return nil, fmt.Errorf("--identity: %s: %w", f.Identity, err)
	}
	return all, nil
}

type verifyCommand struct {
	Dir      string `arg:"" env:"ROBOT_BACKUP" type:"path" help:"Directory of the backups."`
	Snapshot string `placeholder:"NAME" help:"Which backup; the newest by default."`
	Wiki     string `placeholder:"SLUG" help:"This wiki alone."`
	Scratch  string `placeholder:"DIR" type:"path" help:"Where to restore to for a moment; the system's temporary directory by default. The largest wiki must fit."`
	identityFlag
}

// Run restores to a temporary place and compares.
func (c verifyCommand) Run(ctx context.Context) (err error) {
	identities, err := c.read()
	if err != nil {
		return err
	}
	r, err := backup.Open(ctx, c.Dir, true, time.Now, plainLog())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	p, err := r.Verify(ctx, c.Snapshot, c.Wiki, c.Scratch, identities)
	if err != nil {
		return err
	}
	fmt.Printf("Backup %s can be restored: %d wikis with %d files, %d commits and %d blobs are as they were; %s\n",
		p.Name, p.Wikis, p.Facts.Files, p.Facts.Commits, p.Facts.Blobs, p.Took.Round(time.Millisecond))
	if p.KeysSkipped > 0 {
		fmt.Printf("%d keys are encrypted and were not opened: name the identity with --identity to try that as well\n", p.KeysSkipped)
	}
	return nil
}

type restoreCommand struct {
	Dir          string `arg:"" optional:"" env:"ROBOT_BACKUP" type:"path" help:"Directory of the backups."`
	Data         string `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory to make. It must be empty, unless wikis in it are restored."`
	FromRepos    string `placeholder:"DIR" type:"path" help:"Rebuild the wikis in the data directory that have lost their database, each from its git repository below DIR: SLUG/repo.git, SLUG, SLUG.git or SLUG.bundle."`
	TrustAuthors bool   `help:"With --from-repos: the authors are who the commits say, because the repositories are our own exports. Otherwise they are shown as imported."`
	Wiki         string `placeholder:"SLUG" help:"Restore this wiki alone, into a data directory that a service may be using."`
	Replace      bool   `help:"With --wiki: also if the wiki has a database. What it had is set aside."`
	Snapshot     string `placeholder:"NAME" help:"Which backup; by default the newest, of a wiki the newest that has it."`
	identityFlag
}

// Run makes a data directory of a backup.
func (c restoreCommand) Run(ctx context.Context) (err error) {
	switch {
	case c.Replace && c.Wiki == "":
		return errors.New("--replace goes with --wiki: a whole restore goes to an empty directory")
	case c.Wiki != "" && c.FromRepos != "":
		return errors.New("--wiki takes one wiki from a backup, --from-repos wikis from repositories: name one of them")
	case c.Wiki != "" && c.Dir != "":
		return c.oneWiki(ctx)
	}
	if c.FromRepos != "" {
		return restoreRepos(ctx, c.Data, c.FromRepos, c.TrustAuthors)
	}
	if c.Dir == "" {
		return errors.New("name the directory of the backups, or --from-repos")
	}
	identities, err := c.read()
	if err != nil {
		return err
	}
	lock, err := service.Lock(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	r, err := backup.Open(ctx, c.Dir, false, time.Now, plainLog())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s, err := r.Restore(ctx, c.Snapshot, c.Data, identities)
	if err != nil {
		return err
	}
	fmt.Printf("Restored %d wikis of %s to %s\n", len(s.Wikis), s.Name(), c.Data)
	for slug, since := range s.Stale {
		fmt.Printf("note: %s could not be copied then; it is as of %s\n", slug, since.Format(time.RFC3339))
	}
	return nil
}
