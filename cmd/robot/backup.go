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
	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
)

// openBackups opens a directory of backups, for writing only if write is set.
func openBackups(ctx context.Context, dir string, write bool) (*backup.Repository, error) {
	return backup.Open(ctx, dir, write, time.Now, textLog(slog.LevelInfo, false))
}

type backupCommand struct {
	Dir       string   `arg:"" env:"ROBOT_BACKUP" type:"path" help:"Directory for backups, created if missing. Use another disk."`
	Data      string   `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory. The service can be running."`
	Recipient []string `env:"ROBOT_BACKUP_RECIPIENT" placeholder:"AGE1…" help:"Encrypt keys for this age recipient (see age-keygen)."`
	Keep      bool     `help:"Never prune this backup, such as the last one before an upgrade. robot admin keep lists and releases them."`
}

// Run takes a backup.
func (c backupCommand) Run(ctx context.Context) (err error) {
	recipients, err := config.ParseRecipients(c.Recipient)
	if err != nil {
		return fmt.Errorf("--recipient: %w", err)
	}
	if _, err := os.Stat(filepath.Join(c.Data, "robot.db")); err != nil {
		return fmt.Errorf("--data: %s isn't a data directory: %w", c.Data, err)
	}
	r, err := openBackups(ctx, c.Dir, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	report, err := r.Take(ctx, c.Data, recipients, c.Keep)
	if report.Name != "" {
		fmt.Printf("Backup %s: %d wikis, %d of them copied, %d new chunks, %d bytes, %s\n",
			report.Name, report.Wikis, report.Copied, report.NewChunks, report.NewBytes, report.Took.Round(time.Millisecond))
		if !report.Sealed {
			fmt.Fprintln(os.Stderr, "note: the keys in it aren't encrypted, because no --recipient was given; anyone with access to the backup can sign in as any user")
		}
	}
	return err
}

// identityFlag names the identity that decrypts keys.
type identityFlag struct {
	Identity string `env:"ROBOT_BACKUP_IDENTITY" placeholder:"FILE" type:"path" help:"File with the age identity that decrypts the keys."`
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
	Dir      string `arg:"" env:"ROBOT_BACKUP" type:"path" help:"Directory with the backups."`
	Snapshot string `placeholder:"NAME" help:"Backup to verify. Default: the newest."`
	Wiki     string `placeholder:"SLUG" help:"Verify this wiki only."`
	Scratch  string `placeholder:"DIR" type:"path" help:"Directory to restore to temporarily. Default: the system's temporary directory. The largest wiki must fit."`
	identityFlag
}

// Run restores to a temporary directory and compares.
func (c verifyCommand) Run(ctx context.Context) (err error) {
	identities, err := c.read()
	if err != nil {
		return err
	}
	r, err := openBackups(ctx, c.Dir, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	p, err := r.Verify(ctx, c.Snapshot, c.Wiki, c.Scratch, identities)
	if err != nil {
		return err
	}
	fmt.Printf("Backup %s can be restored: %d wikis with %d files, %d commits and %d blobs match; %s\n",
		p.Name, p.Wikis, p.Facts.Files, p.Facts.Commits, p.Facts.Blobs, p.Took.Round(time.Millisecond))
	if p.Shipped > 0 {
		fmt.Printf("The log shipped since then can be applied to %d databases\n", p.Shipped)
	}
	if p.LogSkipped {
		fmt.Println("The log shipped since then is encrypted and wasn't checked: to check it, add --identity")
	}
	if p.KeysSkipped > 0 {
		fmt.Printf("%d keys are encrypted and weren't checked: to check them, add --identity\n", p.KeysSkipped)
	}
	return nil
}

type restoreCommand struct {
	Dir          string `arg:"" optional:"" env:"ROBOT_BACKUP" type:"path" help:"Directory with the backups."`
	Data         string `required:"" env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory to create. It must be empty, unless single wikis are restored into it."`
	FromRepos    string `placeholder:"DIR" type:"path" help:"Rebuild wikis that lost their database from git repositories under DIR: SLUG/repo.git, SLUG, SLUG.git or SLUG.bundle."`
	TrustAuthors bool   `help:"With --from-repos: trust the authors in the commits, because the repositories are exports of this service. Otherwise they are shown as imported."`
	Wiki         string `placeholder:"SLUG" help:"Restore only this wiki, into an existing data directory. The service can be running."`
	Replace      bool   `help:"With --wiki: replace the wiki's database if it has one. The old data is moved aside."`
	Snapshot     string `placeholder:"NAME" xor:"moment" help:"Backup to restore, as it was taken. Default: the newest (with --wiki, the newest that has the wiki), and the log shipped since then."`
	At           string `placeholder:"TIME" xor:"moment" help:"Restore as of this time, from the shipped log, such as 2026-12-01T10:00:00Z."`
	identityFlag
}

// moment returns the state to restore.
func (c restoreCommand) moment() (backup.Moment, error) {
	m := backup.Moment{Snapshot: c.Snapshot}
	if c.At == "" {
		return m, nil
	}
	var err error
	if m.At, err = time.Parse(time.RFC3339, c.At); err != nil {
		return m, fmt.Errorf("--at: %q isn't a time such as 2026-12-01T10:00:00Z", c.At)
	}
	return m, nil
}

// Run restores a data directory from a backup.
func (c restoreCommand) Run(ctx context.Context) (err error) {
	switch {
	case c.Replace && c.Wiki == "":
		return errors.New("--replace needs --wiki: a full restore goes to an empty directory")
	case c.Wiki != "" && c.FromRepos != "":
		return errors.New("--wiki and --from-repos can't be combined: one restores from a backup, the other from repositories")
	case c.Wiki != "" && c.Dir != "":
		return c.oneWiki(ctx)
	}
	if c.FromRepos != "" {
		return restoreRepos(ctx, c.Data, c.FromRepos, c.TrustAuthors)
	}
	if c.Dir == "" {
		return errors.New("name the directory with the backups, or use --from-repos")
	}
	identities, err := c.read()
	if err != nil {
		return err
	}
	m, err := c.moment()
	if err != nil {
		return err
	}
	lock, err := service.Lock(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	r, err := openBackups(ctx, c.Dir, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s, err := r.Restore(ctx, m, c.Data, identities)
	if err != nil {
		return err
	}
	fmt.Printf("Restored %d wikis of %s to %s\n", s.Count, s.Name(), c.Data)
	for slug, since := range s.Stale {
		fmt.Printf("note: %s couldn't be copied at that time; it is restored as of %s\n", slug, since.Format(time.RFC3339))
	}
	if !s.Until.IsZero() {
		fmt.Printf("Applied the shipped log up to %s\n", s.Until.Format(time.RFC3339))
	}
	for _, text := range s.Behind {
		fmt.Printf("WARNING: %s\n", text)
	}
	return nil
}
