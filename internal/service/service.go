// Package service opens one data directory and wires the packages that work on
// it: storage, search, exports, sessions, the front ends and the workers behind
// them. Command robot and tests open services the same way.
//
// It owns no data of its own and no listener. The caller holds the directory's
// lock (Lock) for as long as a Service is open.
package service

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/background"
	"robot.wtf/internal/config"
	"robot.wtf/internal/content"
	"robot.wtf/internal/export"
	"robot.wtf/internal/gitremote"
	"robot.wtf/internal/keyfile"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/minilm"
	"robot.wtf/internal/oauth"
	"robot.wtf/internal/outbound"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/search"
	"robot.wtf/internal/server"
	"robot.wtf/internal/session"
	"robot.wtf/internal/shipping"
	"robot.wtf/internal/store"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/watch"
	"robot.wtf/internal/web"
	"robot.wtf/internal/webhook"
	"robot.wtf/internal/wiki"
)

// Options describe a service. All but People are required.
type Options struct {
	Config   config.Config
	Origins  config.Origins
	Version  string // of the program, for agents and metrics
	Revision string // of the source it was built from, or ""
	Now      func() time.Time
	Log      *slog.Logger

	// People finds the people that owners invite. Without it the service asks
	// their ATProto servers, once it has a Handler.
	People tenant.Directory

	beforeJob func(background.Job) // for tests
}

// A Service is an open data directory. No wiki is opened before it is used.
type Service struct {
	Store   *store.DB
	Content *content.Pool
	Search  *search.Service
	Pages   *pages.Service
	Tenant  *tenant.Service
	Session *session.Service
	OAuth   *oauth.Service
	Exports *export.Mirror   // nil without git
	SignIn  *atproto.Service // nil before Handler, and in development
	// Webhooks deliver messages once there is a Handler.
	Webhooks *webhook.Service
	Metrics  *server.Metrics
	Opened   time.Time

	o          Options
	background *background.Workers
	limits     *limit.Limiter // nil without rate limits
	outgoing   *limit.Limiter // for what makes requests to other hosts; never nil
	indexer    *indexer
	memory     releaser
	sweeper    *sweeper
	openWikis  int                              // at once, and as many indexes
	shipper    atomic.Pointer[shipping.Shipper] // nil unless configured
	sizes      *sizes
	meter      meter
	front      atomic.Pointer[server.Server] // nil before Handler
	watcher    *watch.Watcher
	stopHooks  func()           // nil before Handler
	people     tenant.Directory // nil until it is known
	problems   problems
	panics     atomic.Int64 // in background work, since the start
	lastReport atomic.Int64 // unix seconds of the last report that operators were notified of
}

// Open opens the data directory, which the caller has locked, and starts the
// workers that index, export and sweep.
func Open(ctx context.Context, o Options) (*Service, error) {
	s := &Service{o: o, people: o.People, Metrics: server.NewMetrics(), Opened: time.Now()}
	s.background = background.New(background.Options{Log: o.Log, Panicked: s.panicked, Before: o.beforeJob})
	s.memory.background = s.background
	s.indexer = newIndexer(o.Log, s.background)
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.restoreAside(ctx); err != nil {
		o.Log.Warn("reading what was set aside failed", "err", err)
	}
	s.startShipping()
	s.indexer.start(s.Content, s.Search)
	s.sweeper = startSweeper(o.Log, s.background, s.Tenant, s.OAuth, s.Content, s.sizes, handleSweep{s})
	return s, nil
}

func (s *Service) open(ctx context.Context) (err error) {
	if err := checkDirectory(s.o.Config.Data); err != nil {
		return err
	}
	if s.Store, err = store.OpenWith(ctx, filepath.Join(s.o.Config.Data, "robot.db"), store.Options{Now: s.o.Now, Wrote: s.platformWrote()}); err != nil {
		return err
	}
	if err := s.openContent(); err != nil {
		return err
	}
	names, err := keyfile.Secret(filepath.Join(s.KeyDir(), "names.key"), 32)
	if err != nil {
		return err
	}
	s.Tenant = tenant.New(tenant.Options{
		Store: s.Store, Content: s.Content, Limits: s.o.Config.Limits, WikisPerPerson: s.o.Config.WikisPerPerson, Contact: s.o.Config.Contact, Local: s.o.Config.Home(), Names: s.domainNames(), Host: s.o.Config.Host, OwnDomains: s.o.Config.OwnDomains, People: directory{s}, NameKey: names, Signup: signupPolicy(s.o.Config), Forget: s.Forget, Reported: s.notifyReport, Background: s.background, Now: s.o.Now, Log: s.o.Log,
	})
	s.Webhooks = webhook.New(webhook.Options{
		Tenant: s.Tenant, Pages: s.Pages, Client: outbound.New(outboundOptions(s.o.Config, s.background)),
		WikiOrigin: func(slug string) string { return s.Session.Home(context.Background(), slug) }, // own domains are in memory
		Name:       s.o.Config.ServiceName(), Background: s.background, Delivered: s.Metrics.Delivered, Now: s.o.Now, Log: s.o.Log,
	})
	s.Session, err = session.New(session.Options{
		Store: s.Store, KeyDir: s.KeyDir(),
		Platform: s.o.Origins.Platform(), WikiOrigin: s.o.Origins.Wiki, Single: s.o.Config.Home(), PlainHTTP: s.o.Config.PlainHTTP(), Now: s.o.Now, Log: s.o.Log,
		Refused: func(cause session.Cause) { s.Metrics.Refused(string(cause)) },
	})
	if err != nil {
		return err
	}
	s.limits = newLimiter(s.o.Config, s.o.Now)
	if s.outgoing = s.limits; s.outgoing == nil { // strangers may reach the sign-in of "robot home", too
		s.outgoing = limit.New(limit.Options{Rates: limit.Defaults(), Now: s.o.Now})
	}
	s.OAuth, err = oauth.New(oauth.Options{
		Store: s.Store, Session: s.Session, Tenant: s.Tenant, WikiOrigin: s.o.Origins.Wiki, Single: s.o.Config.Wiki,
		Outbound: outbound.New(outboundOptions(s.o.Config, s.background)), Take: s.outgoing.Client, Fetched: s.outgoing.Fetched, Failed: s.Metrics.OAuthFailed, Access: s.o.Config.AccessLifetime,
		Now: s.o.Now, Log: s.o.Log,
	})
	return err
}

// openContent opens what holds and derives the content of wikis.
func (s *Service) openContent() (err error) {
	if s.openWikis, err = openWikis(s.o.Config.OpenWikis); err != nil {
		return err
	}
	wikis := filepath.Join(s.o.Config.Data, "wikis")
	s.Content, err = content.NewPool(content.Options{
		Name: s.o.Config.ServiceName(),
		Dir:  wikis,
		Links: func(page wiki.PageName, source []byte) []wiki.Link {
			return markdown.ExtractFacts(page, source).Links
		},
		Committed:  s.Committed,
		Measured:   s.measureCommit,
		Wrote:      s.wikiWrote(),
		MaxOpen:    s.openWikis,
		Relieve:    s.closeIdle,
		Background: s.background,
		Now:        s.o.Now,
		Log:        s.o.Log,
	})
	if err != nil {
		return err
	}
	s.sizes = newSizes(s.Content, s.Store)
	if s.Search, err = s.openSearch(wikis); err != nil {
		return err
	}
	icons, err := web.AssetURL("icons.svg")
	if err != nil {
		return err
	}
	s.Exports = openExports(s.Content, wikis, s.background, s.o.Log)
	s.measureExports()
	caches := cachesOf(s.o.Config)
	s.Pages = pages.New(pages.Options{
		Content: s.Content, Search: s.Search, Markdown: markdown.New(markdown.Options{Icons: icons}),
		CacheBytes: caches.wikis, ViewBytes: caches.views,
		Mirror: s.Exports, Remotes: gitremote.New(outboundOptions(s.o.Config, s.background)),
		Changed: s.chargeCommit, Now: s.o.Now, Log: s.o.Log,
	})
	return nil
}

// chargeCommit charges a large commit to its author's rate limit. The front end has
// charged one write before it. The operator's commands aren't limited.
func (s *Service) chargeCommit(a wiki.Access, files int) {
	caller := a.Caller()
	if caller.Operator {
		return
	}
	who := limit.Person(caller.User.DID)
	if caller.Grant != "" {
		who = limit.Token(caller.Grant)
	}
	s.limits.Owe(limit.Request{Wiki: a.Site().Slug, Caller: who, Member: a.Role() >= wiki.Viewer}, limit.Writes(files)-1)
}

// openSearch opens the search service, with the embedding model unless semantic
// search is off.
func (s *Service) openSearch(wikis string) (*search.Service, error) {
	o := search.Options{CacheBytes: cachesOf(s.o.Config).vectors, Embedded: s.memory.releaseSoon, Dir: wikis, MaxOpen: s.openWikis, Relieve: s.closeIdle, Background: s.background, Log: s.o.Log}
	if !s.o.Config.NoSemanticSearch {
		model, err := minilm.New()
		if err != nil {
			return nil, err
		}
		o.Model = model
	}
	return search.New(o), nil
}

// Background returns the workers that run everything outside requests.
func (s *Service) Background() *background.Workers { return s.background }

// Serving reports whether the service answers requests, rather than being open for an
// operator's command.
func (s *Service) Serving() bool { return s.front.Load() != nil }

// Drain makes /ready fail, or ends that. It reports whether the service answers requests
// at all.
func (s *Service) Drain(on bool) bool {
	front := s.front.Load()
	if front == nil {
		return false
	}
	front.Drain(on)
	return true
}

// Platform returns the public origin of the platform.
func (s *Service) Platform() string { return s.o.Origins.Platform() }

// KeyDir is the directory of the service's keys.
func (s *Service) KeyDir() string { return filepath.Join(s.o.Config.Data, "keys") }

// Committed notifies everything that follows the commits of a wiki.
func (s *Service) Committed(slug string, _ int64) {
	s.sizes.note(slug)
	s.meter.count(slug, func(c *Cost) { c.Saves++ })
	s.indexer.nudge(slug)
	s.Session.Wake(slug)
	s.Webhooks.Committed(slug)
	if s.Exports != nil {
		s.Exports.MarkPending(slug)
	}
}

// Forget drops everything derived from a wiki's content.
func (s *Service) Forget(ctx context.Context, slug string) error {
	s.sizes.note(slug)
	if s.Exports != nil {
		s.Exports.Forget(slug)
	}
	return s.Search.Remove(ctx, slug)
}

// A directory finds people for invitations, with whatever the service has.
type directory struct{ s *Service }

// Find implements tenant.Directory.
func (d directory) Find(ctx context.Context, asker, name string) (wiki.User, error) {
	if d.s.people == nil {
		return wiki.User{}, wiki.Problemf(wiki.ErrInvalid, "handle", "People can't be looked up at the moment.")
	}
	return d.s.people.Find(ctx, asker, name)
}

// Declared implements tenant.Directory.
func (d directory) Declared(ctx context.Context, asker, did string) (string, error) {
	if d.s.people == nil {
		return "", wiki.Problemf(wiki.ErrUnavailable, "handle", "Accounts can't be looked up at the moment.")
	}
	return d.s.people.Declared(ctx, asker, did)
}

// Publication implements tenant.Directory.
func (d directory) Publication(ctx context.Context, asker, did, key string) (string, error) {
	if d.s.people == nil {
		return "", wiki.Problemf(wiki.ErrUnavailable, "publication", "Records can't be read at the moment.")
	}
	return d.s.people.Publication(ctx, asker, did, key)
}

// People returns the directory that finds people for the operator. Without a Handler,
// it is one of its own.
func (s *Service) People() (tenant.Directory, error) {
	if s.people != nil {
		return s.people, nil
	}
	return s.newSignIn()
}

// outboundOptions are those of every client for requests to other hosts.
func outboundOptions(cfg config.Config, workers *background.Workers) outbound.Options {
	return outbound.Options{Background: workers, Pins: cfg.Test.Pins, CA: cfg.Test.CA, DNS: cfg.Test.DNS}
}

// signupPolicy is the configured policy for first wikis.
func signupPolicy(cfg config.Config) tenant.Signup {
	return tenant.Signup{
		Admits:       func(u wiki.User) bool { return cfg.Signup.Admits(u.DID, u.Handle) },
		Listed:       func(u wiki.User) bool { return cfg.Signup.Lists(u.DID, u.Handle) },
		ByInvitation: cfg.Signup.ByInvitation(),
		Wait:         cfg.Signup.Wait(), PerDay: cfg.NewWikis,
	}
}

// newLimiter returns nil, which limits nothing, if no rates are configured.
func newLimiter(cfg config.Config, now func() time.Time) *limit.Limiter {
	if cfg.Reads == 0 {
		return nil
	}
	return limit.New(limit.Options{Rates: limit.RatesFor(cfg.Reads, cfg.Writes), Now: now})
}

// Close stops the workers and closes everything open, in reverse order.
func (s *Service) Close() error {
	s.memory.stop()
	s.watcher.Stop()
	if s.stopHooks != nil {
		s.stopHooks()
	}
	s.sweeper.stop()
	s.indexer.stop()
	if s.SignIn != nil {
		s.SignIn.Close()
	}
	if s.Exports != nil {
		s.Exports.Close()
	}
	s.shipper.Load().Stop()
	var errs []error
	if s.Search != nil {
		errs = append(errs, s.Search.Close())
	}
	if s.Content != nil {
		errs = append(errs, s.Content.Close())
	}
	if s.Store != nil {
		errs = append(errs, s.Store.Close())
	}
	s.shipper.Load().Close()
	return errors.Join(errs...)
}
