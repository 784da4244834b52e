package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"robot.wtf/internal/api"
	"robot.wtf/internal/atproto"
	"robot.wtf/internal/config"
	"robot.wtf/internal/content"
	"robot.wtf/internal/export"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/mcpserver"
	"robot.wtf/internal/oauth"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/search"
	"robot.wtf/internal/server"
	"robot.wtf/internal/session"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/watch"
	"robot.wtf/internal/web"
	"robot.wtf/internal/wiki"
)

// A service is all rooms of one data directory, built from the ground up.
// Nothing here opens a wiki: that happens when somebody asks for it.
type service struct {
	store      *store.DB
	content    *content.Pool
	search     *search.Service
	pages      *pages.Service
	tenant     *tenant.Service
	session    *session.Service
	oauth      *oauth.Service
	limits     *limit.Limiter // nil for none
	exports    *export.Mirror // nil without git
	indexer    *indexer
	sweeper    *sweeper
	metrics    *server.Metrics
	watcher    *watch.Watcher
	lastReport atomic.Int64     // unix seconds of the last news of one
	people     tenant.Directory // finds whom owners invite; nil until it is set
	signing    *atproto.Service // signs people in; nil until it is set, and in development
	keyDir     string
	opened     time.Time
	log        *slog.Logger
}

// openService opens the data directory, which the caller has locked.
func openService(ctx context.Context, cfg config.Config, origins config.Origins, now func() time.Time, log *slog.Logger) (*service, error) {
	s := &service{log: log, metrics: server.NewMetrics(), opened: time.Now(), indexer: newIndexer(log), keyDir: filepath.Join(cfg.Data, "keys")}
	opened := false
	defer func() {
		if !opened {
			_ = s.Close()
		}
	}()
	var err error
	if s.store, err = store.Open(ctx, filepath.Join(cfg.Data, "robot.db"), now); err != nil {
		return nil, err
	}
	wikis := filepath.Join(cfg.Data, "wikis")
	s.content, err = content.NewPool(content.Options{
		Dir: wikis,
		Links: func(page wiki.PageName, source []byte) []wiki.Link {
			return markdown.ExtractFacts(page, source).Links
		},
		Committed: s.committed,
		Measured:  s.measured,
		Now:       now,
		Log:       log,
	})
	if err != nil {
		return nil, err
	}
	if s.search, err = openSearch(cfg, wikis, log); err != nil {
		return nil, err
	}
	icons, err := web.AssetURL("icons.svg")
	if err != nil {
		return nil, err
	}
	s.exports = openExports(s.content, wikis, log)
	s.measureExports()
	s.pages = pages.New(pages.Options{
		Content: s.content, Search: s.search, Mirror: s.exports, Markdown: markdown.New(markdown.Options{Icons: icons}), Now: now, Log: log,
	})
	names, err := nameKey(s.keyDir)
	if err != nil {
		return nil, err
	}
	s.tenant = tenant.New(tenant.Options{
		Store: s.store, Content: s.content, People: s, NameKey: names, Forget: s.forget, Reported: s.reported, Now: now, Log: log,
	})
	s.session, err = session.New(session.Options{
		Store: s.store, KeyDir: s.keyDir,
		Platform: origins.Platform(), WikiOrigin: origins.Wiki, Now: now, Log: log,
		Refused: func(cause session.Cause) { s.metrics.Refused(string(cause)) },
	})
	if err != nil {
		return nil, err
	}
	s.limits = limiter(cfg, now)
	s.oauth, err = oauth.New(oauth.Options{
		Store: s.store, Session: s.session, Tenant: s.tenant, WikiOrigin: origins.Wiki,
		Outbound: outbound.New(outgoing(cfg)), Take: s.limits.Client, Failed: s.metrics.OAuthFailed, Access: cfg.Access, Now: now, Log: log,
	})
	if err != nil {
		return nil, err
	}
	s.indexer.start(s.content, s.search)
	s.sweeper = startSweeper(log, s.tenant, s.oauth)
	opened = true
	return s, nil
}

// committed tells of a save those who follow it. It is called from the first
// commit on, when all of the service is there.
func (s *service) committed(slug string, seq int64) {
	s.indexer.nudge(slug, seq)
	s.session.Wake(slug)
	if s.exports != nil {
		s.exports.MarkPending(slug)
	}
}

// forget drops what is derived from a wiki that is purged.
func (s *service) forget(ctx context.Context, slug string) error {
	if s.exports != nil {
		s.exports.Forget(slug)
	}
	return s.search.Remove(ctx, slug)
}

// handler builds the doors and the way to them. people are offered for signing
// in without a password: in development only.
func (s *service) handler(cfg config.Config, origins config.Origins, people []wiki.User, now func() time.Time) (*server.Server, error) {
	admit := func(u wiki.User) bool { return cfg.Signup.Admits(u.DID, u.Handle) }
	signIn, err := s.signIn(cfg, origins, admit, people != nil, now)
	if err != nil {
		return nil, err
	}
	if signIn != nil {
		s.people, s.signing = signIn, signIn
	}
	browser, err := web.New(web.Options{
		SignIn: signIn, Admit: admit, Pages: s.pages, Tenant: s.tenant, Session: s.session, OAuth: s.oauth,
		Platform: origins.Platform(), WikiOrigin: origins.Wiki, People: people, Showcase: cfg.Showcase, Limits: s.limits, Now: now, Log: s.log,
		SignInFailed: func(cause string) { s.metrics.OAuthFailed("signin", cause) },
	})
	if err != nil {
		return nil, err
	}
	programs := api.New(api.Options{
		Admit: admit,
		Pages: s.pages, Tenant: s.tenant, Session: s.session, OAuth: s.oauth, WikiOrigin: origins.Wiki, Limits: s.limits, Now: now, Log: s.log,
	})
	agents := mcpserver.New(mcpserver.Options{
		Pages: s.pages, Tenant: s.tenant, Session: s.session, WikiOrigin: origins.Wiki, Limits: s.limits, Version: version(), Now: now, Log: s.log,
	})
	return server.New(server.Options{
		Host:     cfg.Host,
		Home:     origins.Platform(),
		Secure:   cfg.Secure(),
		Platform: browser.ServePlatform,
		Wiki:     browser.ServeWiki,
		API:      programs.ServeWiki,
		Manage:   programs.ServePlatform,
		MCP:      agents.ServeWiki,
		OAuth:    s.oauth.ServeHTTP,
		Renew:    s.session.Renew,
		Drain:    browser.EndStreams,
		Git:      s.clones(cfg, origins),
		Check:    s.store.Check,
		Proxies:  cfg.Proxies,
		Metrics:  s.metrics,
		Log:      s.log,
	}), nil
}

// signIn signs people in at their own servers; nil in development, which asks
// no server.
func (s *service) signIn(cfg config.Config, origins config.Origins, admit func(wiki.User) bool, dev bool, now func() time.Time) (*atproto.Service, error) {
	if dev {
		return nil, nil
	}
	return atproto.New(atproto.Options{
		Store: s.store, KeyDir: s.keyDir, Platform: origins.Platform(), Admit: admit, Target: s.limits.SignInHost,
		Outbound: outgoing(cfg),
		PLC:      cfg.Test.PLC, Lifetime: cfg.Test.Lifetime, Now: now, Log: s.log,
	})
}

// outgoing is how requests leave.
func outgoing(cfg config.Config) outbound.Options {
	return outbound.Options{Pins: cfg.Test.Pins, CA: cfg.Test.CA, DNS: cfg.Test.DNS}
}

// Close closes what is open, the highest room first.
func (s *service) Close() error {
	s.watcher.Stop()
	s.sweeper.stop()
	s.indexer.stop()
	if s.exports != nil {
		s.exports.Close()
	}
	var errs []error
	if s.search != nil {
		errs = append(errs, s.search.Close())
	}
	if s.content != nil {
		errs = append(errs, s.content.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}
