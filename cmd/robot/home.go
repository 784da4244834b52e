package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/user"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
	"robot.wtf/internal/web"
	"robot.wtf/internal/wiki"
)

// homeCommand serves one wiki at the root of one host.
type homeCommand struct {
	Start   homeStartCommand   `cmd:"" default:"withargs" help:"Serve the wiki, and create it at the first start."`
	Login   homeLoginCommand   `cmd:"" help:"Print a link that signs you in once."`
	Install homeInstallCommand `cmd:"" help:"Start the wiki whenever you sign in to this machine: writes a systemd user unit, or a launchd agent on macOS."`
}

// homeFlags are the settings that the commands of robot home share.
type homeFlags struct {
	Data   string `env:"ROBOT_DATA" placeholder:"DIR" type:"path" help:"Data directory. Default: robot in your own directory for applications' data."`
	Listen string `env:"ROBOT_LISTEN" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address to listen on (${default})."`
	URL    string `name:"url" env:"ROBOT_URL" placeholder:"URL" help:"Address at which browsers and agents reach the wiki. Default: http://localhost with the port of --listen. Over http, only addresses of a private network are accepted."`
}

// homeFeatures are the settings of a wiki that runs.
type homeFeatures struct {
	NoSemanticSearch bool `help:"Search by words only, without the embedding model. Saves memory."`
	ATProto          bool `name:"atproto" env:"ROBOT_ATPROTO" help:"Let people link their Bluesky or Atmosphere accounts and sign in with them. Needs an https address that the internet reaches, or http://localhost."`
}

type homeStartCommand struct {
	homeFlags
	Name    string `placeholder:"NAME" help:"Name of the wiki, at the first start."`
	From    string `placeholder:"SOURCE" help:"Import this at the first start: a clone, a git bundle, a zip of an export, a folder of Markdown, or the https address of a public repository."`
	Verbose bool   `short:"v" help:"Log each request."`
	homeFeatures
	config.TestFlags
}

// Run serves until ctx ends.
func (c homeStartCommand) Run(ctx context.Context) (err error) {
	cfg, err := c.config(ctx, c.homeFeatures, c.TestFlags)
	if err != nil {
		return err
	}
	service.LimitMemory(cfg)
	lock, err := service.Lock(cfg.Data)
	if errors.Is(err, service.ErrInUse) {
		return fmt.Errorf("%w. If it is the one you started, sign in with: robot home login", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if err := refuseDevData(cfg.Data); err != nil {
		return err
	}
	if cfg.Wiki, err = service.FindHome(ctx, cfg.Data, c.Name); err != nil {
		return err
	}
	if cfg.Wiki == "" {
		exported, err := readAccountExport(c.From, homeSlug(c.Name, ""))
		if err != nil {
			return fmt.Errorf("--from: %w", err)
		}
		cfg.Wiki = homeSlug(cmp.Or(c.Name, exported.Slug), c.From)
	}
	return listenAndServe(ctx, cfg.Listen, func(listener net.Listener) error { return c.serve(ctx, cfg, listener) })
}

func (c homeStartCommand) serve(ctx context.Context, cfg config.Config, listener net.Listener) (err error) {
	log := textLog(slog.LevelWarn, c.Verbose)
	origins, err := cfg.Origins(listener.Addr())
	if err != nil {
		return err
	}
	s, err := openService(ctx, cfg, origins, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := c.fill(ctx, s); err != nil {
		return err
	}
	if socket, err := openSocket(s, cfg.Data, log); err != nil {
		fmt.Fprintf(os.Stderr, "note: robot home login and robot admin don't reach this service: %v\n", err)
	} else {
		defer func() { err = errors.Join(err, socket.close()) }()
	}
	front, err := s.Handler(nil)
	if err != nil {
		return err
	}
	link, err := newSignInLink(ctx, s, "")
	if err != nil {
		return err
	}
	fmt.Printf("robot home is ready at %s\nSign in %s\n        (once, within ten minutes; for another link: robot home login%s)\nData    %s\n", origins.Platform(), link, dataArgument(cfg.Data), cfg.Data)
	if cfg.PlainHTTP() {
		fmt.Fprintln(os.Stderr, "note: others on this network can read along, because http isn't encrypted")
	}
	if cfg.PlainHTTP() && config.IsLoopback(listener.Addr()) {
		fmt.Fprintf(os.Stderr, "note: only this machine reaches %s; for others, add --listen 0.0.0.0:8080\n", listener.Addr())
	}
	if err := notify("READY=1"); err != nil {
		log.Error("reporting to systemd failed", "err", err)
	}
	err = front.Serve(ctx, listener)
	return errors.Join(err, notify("STOPPING=1"))
}

// fill creates the wiki at the first start, from --from or with the initial pages.
func (c homeStartCommand) fill(ctx context.Context, s *service.Service) error {
	title := ""
	if c.Name != homeSlug(c.Name, "") {
		title = c.Name
	}
	a, empty, err := s.HomeOwner(ctx, title)
	switch {
	case err != nil:
		return err
	case !empty && c.From != "":
		fmt.Printf("%s has pages already, so --from is ignored. To add more, use robot import.\n", a.Site().Name())
		return nil
	case !empty:
		return nil
	case c.From == "":
		return s.Pages.Seed(ctx, a)
	}
	if err := importHome(ctx, s, a, c.From); err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	return nil
}

// config validates the flags.
func (c homeFlags) config(ctx context.Context, features homeFeatures, test config.TestFlags) (config.Config, error) {
	data, err := c.dataDir()
	if err != nil {
		return config.Config{}, err
	}
	return config.Home(ctx, config.HomeFlags{Listen: c.Listen, URL: c.URL, Data: data, NoSemanticSearch: features.NoSemanticSearch, ATProto: features.ATProto, Test: test})
}

// dataDir returns the data directory: by default, the one for applications' data of
// this user (XDG Base Directory Specification; Apple's File System Programming Guide).
func (c homeFlags) dataDir() (string, error) {
	if c.Data != "" {
		return c.Data, nil
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "robot"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("%w: choose a data directory with --data", err)
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "robot"), nil
	}
	return filepath.Join(home, ".local", "share", "robot"), nil
}

// dataArgument is the --data argument of commands for a data directory, "" for the
// default one.
func dataArgument(dir string) string {
	if standard, err := (homeFlags{}).dataDir(); err == nil && standard == dir {
		return ""
	}
	if strings.ContainsAny(dir, " '\"$\\&;<>|()*?`") {
		dir = "'" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	}
	return " --data " + dir
}

// homeSlug returns the name of a new wiki in addresses and as its owner's username:
// from --name, the source's name or the name of the user of this machine.
func homeSlug(name, from string) string {
	candidates := []string{name}
	if name == "" {
		candidates = []string{sourceName(from)}
		if me, err := user.Current(); err == nil && from == "" {
			candidates = append(candidates, me.Username)
		}
	}
	for _, candidate := range candidates {
		slug := strings.Trim(strings.Map(slugRune, strings.ToLower(candidate)), "-")
		for strings.Contains(slug, "--") {
			slug = strings.ReplaceAll(slug, "--", "-")
		}
		slug = strings.Trim(slug[:min(len(slug), 30)], "-")
		if wiki.CheckSlug(slug) == nil {
			return slug
		}
	}
	return "home"
}

func slugRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// sourceName returns the name of a source: ada of https://ada.robot.wtf/repo.git, of
// ada.bundle and of a clone in ada/.
func sourceName(from string) string {
	if from == "" {
		return ""
	}
	base := path.Base(strings.TrimRight(filepath.ToSlash(from), "/"))
	if u, err := url.Parse(from); err == nil && u.Scheme == "https" && base == "repo.git" {
		base, _, _ = strings.Cut(u.Hostname(), ".")
	}
	for _, end := range []string{".git", ".bundle", ".zip"} {
		base = strings.TrimSuffix(base, end)
	}
	return base
}

type homeLoginCommand struct {
	Name string `arg:"" optional:"" help:"Member to sign in. Default: the wiki's owner."`
	homeFlags
}

// Run prints a sign-in link. If the service isn't running, the link is for the next
// start at the address of the flags.
func (c homeLoginCommand) Run(ctx context.Context) error {
	dir, err := c.dataDir()
	if err != nil {
		return err
	}
	return operate(ctx, dir, "login", url.Values{"name": {c.Name}, "listen": {c.Listen}, "url": {c.URL}}, strings.NewReader(""), os.Stdout)
}

// offlineHome returns the configuration for a sign-in link without a running service.
func offlineHome(ctx context.Context, dir string, args url.Values) (cfg config.Config, origins config.Origins, err error) {
	cfg, err = config.Home(ctx, config.HomeFlags{Listen: args.Get("listen"), URL: args.Get("url"), Data: dir, NoSemanticSearch: true})
	if err != nil {
		return cfg, origins, err
	}
	if cfg.Wiki, err = service.FindHome(ctx, dir, ""); err != nil {
		return cfg, origins, err
	}
	at, err := net.ResolveTCPAddr("tcp", cfg.Listen)
	if err != nil {
		return cfg, origins, err
	}
	origins, err = cfg.Origins(at)
	return cfg, origins, err
}

// signInLink is the operation of homeLoginCommand.
func signInLink(ctx context.Context, s *service.Service, args url.Values, _ io.Reader, out io.Writer) error {
	link, err := newSignInLink(ctx, s, args.Get("name"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s\nThe link works once, within ten minutes.\n", link)
	return nil
}

// newSignInLink returns the address of a new sign-in link of a member, or of the owner
// if name is empty.
func newSignInLink(ctx context.Context, s *service.Service, name string) (string, error) {
	slug := s.HomeSlug()
	if slug == "" {
		return "", errors.New("this service isn't robot home: people sign in with their own accounts")
	}
	a, err := asOperator(ctx, s, slug)
	if err != nil {
		return "", err
	}
	did := a.Site().OwnerDID
	if name != "" {
		person, err := findPerson(ctx, s, name)
		if err != nil {
			return "", err
		}
		did = person.DID
	}
	code, err := s.Tenant.NewSignInLink(ctx, a, did)
	if err != nil {
		return "", userError(err)
	}
	return s.Platform() + web.SignInLinkPath + code, nil
}
