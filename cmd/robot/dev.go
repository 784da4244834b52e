package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
)

// devCommand runs a development service: the handlers, cookies and tokens of serve,
// with seeded people in place of their servers, and without rate limits unless asked
// for. serve has no setting that turns this on.
type devCommand struct {
	Listen           string   `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address to listen on (${default}); port 0 means any free port."`
	HTTPS            int      `name:"https" placeholder:"PORT" help:"Local port of your proxy that terminates TLS for robot.localhost and its subdomains, for clients that need https to sign in."`
	Data             string   `placeholder:"DIR" type:"path" help:"Data directory to keep. Default: a temporary one, removed on exit."`
	Showcase         []string `default:"ada" placeholder:"SLUG" help:"Public wikis to show on the landing page (${default})."`
	NoSemanticSearch bool     `help:"Search by words only, without the embedding model."`
	rateFlags
	Signup     string `default:"open" enum:"open,day,invitation,list" placeholder:"WHO" help:"Sign-up policy, as of robot serve: open, day, invitation or list (${default}). It applies to people without a seeded wiki."`
	OwnDomains string `placeholder:"DNS" help:"Offer own domains of wikis, and look them up at this name server, such as 127.0.0.1:5353."`
	Limits     bool   `help:"Apply rate limits, as robot serve does."`
	List       int    `default:"10" placeholder:"N" help:"Wikis to list with their tokens, here and in DIR/dev.json (${default}); 0 for all."`
	Verbose    bool   `short:"v" help:"Log each request."`
}

// Run serves until ctx ends.
func (c devCommand) Run(ctx context.Context) (err error) {
	dir, remove, err := c.dataDir()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	cfg, err := config.Dev(c.Listen, dir, c.HTTPS)
	if err != nil {
		return err
	}
	cfg.Showcase, cfg.NoSemanticSearch = c.Showcase, c.NoSemanticSearch
	cfg.OwnDomains, cfg.Test.DNS = c.OwnDomains != "", c.OwnDomains
	if cfg.Signup, err = config.ParseSignup(c.Signup, seededOwners()); err != nil {
		return fmt.Errorf("--signup: %w", err)
	}
	if c.Limits {
		if err := c.limit(&cfg); err != nil {
			return err
		}
	}
	service.LimitMemory(cfg)
	lock, err := service.Lock(cfg.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	return listenAndServe(ctx, cfg.Listen, func(listener net.Listener) error { return c.serve(ctx, cfg, listener) })
}

// dataDir returns the requested directory, or a temporary one that remove deletes.
func (c devCommand) dataDir() (dir string, remove func() error, err error) {
	if c.Data != "" {
		return c.Data, func() error { return nil }, nil
	}
	dir, err = os.MkdirTemp("", "robot-dev-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}

func (c devCommand) serve(ctx context.Context, cfg config.Config, listener net.Listener) (err error) {
	log := textLog(slog.LevelInfo, c.Verbose)
	origins, err := cfg.Origins(listener.Addr())
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "preparing the example wikis…")
	clock := &clock{}
	s, err := service.Open(ctx, service.Options{Config: cfg, Origins: origins, Version: version(), People: seededPeople{}, Now: clock.Now, Log: log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := seed(ctx, s, clock, seedWikis()); err != nil {
		return err
	}
	updateHelp(ctx, s, cfg.Host, log)
	socket, err := openSocket(s, cfg.Data, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, socket.close()) }()
	facts, err := writeDevFile(ctx, s, origins, cfg.Data, c.Data == "", c.List)
	if err != nil {
		return err
	}
	front, err := s.Handler(people())
	if err != nil {
		return err
	}
	fmt.Printf("robot dev is ready at %s\n", facts.URL)
	c.greet(facts, cfg.Data)
	if !config.IsLoopback(listener.Addr()) {
		fmt.Fprintf(os.Stderr, "note: anyone who can reach %s can sign in as any user\n", listener.Addr())
	}
	return front.Serve(ctx, listener)
}

// greet prints what to try.
func (c devCommand) greet(d devFile, dir string) {
	var names []string
	for _, p := range d.People {
		names = append(names, p.Username)
	}
	last := len(names) - 1
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintf(out, "\nSign in\t%s/auth/login\tas %s or %s\n", d.URL, strings.Join(names[:last], ", "), names[last])
	for _, w := range d.Wikis {
		fmt.Fprintf(out, "Wiki\t%s\t%s\n", w.URL, w.Visibility)
	}
	if d.more {
		fmt.Fprintf(out, "\tand others\trobot dev --list 0 lists all\n")
	}
	for _, w := range d.Wikis {
		fmt.Fprintf(out, "Agent\t%s/-/connect\thow to connect one to %s\n", w.URL, w.Slug)
	}
	for _, w := range d.Wikis {
		for _, t := range w.Tokens.list() {
			fmt.Fprintf(out, "Token\t%s\t%s of %s\n", t.secret, t.role, w.Slug)
		}
	}
	if c.Data == "" {
		fmt.Fprintf(out, "Data\t%s\tremoved on exit\n", dir)
	} else {
		fmt.Fprintf(out, "Data\t%s\n", dir)
	}
	if w := d.Wikis[0]; w.Tokens.Owner != "" {
		fmt.Fprintf(out, "\ncurl -H 'Authorization: Bearer %s' %s/api/v1/pages\n", w.Tokens.Owner, w.URL)
	}
}

// A clock is the real time, or the time that seeding sets.
type clock struct{ set atomic.Pointer[time.Time] }

// Now returns the time that was set, or else the real time.
func (c *clock) Now() time.Time {
	if t := c.set.Load(); t != nil {
		return *t
	}
	return time.Now()
}
