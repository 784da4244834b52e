// Command robot runs and operates robot.wtf: wikis that people and their agents
// write together.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"robot.wtf/internal/content"
	"robot.wtf/internal/store"
)

// commands are the subcommands with their flags.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the service, behind a proxy that terminates TLS."`
	Home    homeCommand    `cmd:"" help:"Serve one wiki for yourself and people you invite, at the root of one host."`
	Dev     devCommand     `cmd:"" help:"Run a development service: example wikis, sign-in without a password."`
	Admin   adminCommand   `cmd:"" help:"Operate a service or its data directory."`
	Import  importCommand  `cmd:"" help:"Import a folder or zip of Markdown, or a git repository."`
	MoveIn  moveInCommand  `cmd:"" help:"Move everything from the Python robot.wtf here: people, wikis, tokens and agents."`
	MoveOut moveOutCommand `cmd:"" help:"Bring commits made here back to the Python robot.wtf."`
	Export  exportCommand  `cmd:"" help:"Export a wiki into a file: a git bundle, or a zip of Markdown or of a static website."`
	Backup  backupCommand  `cmd:"" help:"Back up a data directory, even while the service is running."`
	Verify  verifyCommand  `cmd:"" help:"Verify that a backup can be restored."`
	Restore restoreCommand `cmd:"" help:"Restore a backup, or rebuild lost wikis from git repositories."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Libraries log responses of other servers to the default logger. The service has
	// its own.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	var c commands
	parsed := kong.Parse(&c,
		kong.Name("robot"),
		kong.Description("Wikis that people and their AI agents write together."),
		kong.UsageOnError(),
		kong.Configuration(settingsFile),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	err := checkEnvironment(parsed.Model, os.Environ())
	if err == nil {
		err = parsed.Run()
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "robot:", err)
		os.Exit(1)
	}
}

type versionCommand struct{}

// Run prints the version, the commit it was built from, and the newest schemas that it
// knows.
func (versionCommand) Run() error {
	platform, err := store.Schema()
	if err != nil {
		return err
	}
	wikis, err := content.Schema()
	if err != nil {
		return err
	}
	fmt.Println(strings.TrimSpace("robot " + version() + " " + revision()))
	_, err = fmt.Printf("schema %d (platform), %d (wikis)\n", platform.Version, wikis.Version)
	return err
}

// tag and commit are set when a release is built; see deploy/release.
var tag, commit string

// revision returns the commit that this binary was built from, or "".
func revision() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return ""
}

// version returns the version of this binary's module.
func version() string {
	if tag != "" {
		return tag
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "(unknown)"
}
