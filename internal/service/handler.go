package service

import (
	"context"
	"fmt"
	"html/template"
	"net/http"

	"robot.wtf/internal/api"
	"robot.wtf/internal/atproto"
	"robot.wtf/internal/config"
	"robot.wtf/internal/githttp"
	"robot.wtf/internal/markdown"
	"robot.wtf/internal/mcpserver"
	"robot.wtf/internal/passkey"
	"robot.wtf/internal/server"
	"robot.wtf/internal/web"
	"robot.wtf/internal/wiki"
)

// Handler builds the front ends and the routing to them. If people is not nil,
// this is a development service: these people sign in without a password, and
// nobody else can. The one wiki of "robot home" has neither by default: its people sign in
// by links and passkeys, and link ATProto accounts if that is asked for.
func (s *Service) Handler(people []wiki.User) (*server.Server, error) {
	cfg, origins, now, log := s.o.Config, s.o.Origins, s.o.Now, s.o.Log
	var signIn *atproto.Service
	if people == nil && cfg.ATProto() {
		var err error
		if signIn, err = s.newSignIn(); err != nil {
			return nil, err
		}
		s.SignIn, s.people = signIn, signIn
	}
	terms, err := renderPolicy(cfg.Terms)
	if err != nil {
		return nil, err
	}
	privacy, err := renderPolicy(cfg.Privacy)
	if err != nil {
		return nil, err
	}
	passkeys, err := s.newPasskeys()
	if err != nil {
		return nil, err
	}
	browser, err := web.New(web.Options{
		SignIn: signIn, Passkeys: passkeys, Pages: s.Pages, Tenant: s.Tenant, Session: s.Session, OAuth: s.OAuth,
		Name: cfg.ServiceName(), Contact: cfg.Contact, Operators: cfg.Operators, Terms: terms, Privacy: privacy,
		Platform: origins.Platform(), WikiOrigin: origins.Wiki, Single: cfg.Home(), PlainHTTP: cfg.PlainHTTP(), People: people, Showcase: cfg.Showcase, Limits: s.limits, CacheBytes: cachesOf(cfg).finished, Background: s.background, Now: now, Log: log,
		Webhooks:     s.Webhooks,
		SignInFailed: func(cause string) { s.Metrics.OAuthFailed("signin", cause) },
	})
	if err != nil {
		return nil, err
	}
	s.memory.releaseSoon()
	rest := api.New(api.Options{
		Pages: s.Pages, Tenant: s.Tenant, Session: s.Session, OAuth: s.OAuth, WikiOrigin: origins.Wiki, Limits: s.limits, Now: now, Log: log,
	})
	agents := mcpserver.New(mcpserver.Options{
		Pages: s.Pages, Tenant: s.Tenant, Session: s.Session, Limits: s.limits, Name: cfg.ServiceName(), Version: s.o.Version, Background: s.background, Now: now, Log: log,
	})
	s.loadDomains(context.Background())
	front := server.New(server.Options{
		Host:   cfg.Host,
		Home:   origins.Platform(),
		Secure: cfg.Secure(),
		Single: cfg.Wiki, PlainHTTP: cfg.PlainHTTP(), Callback: callbackPath(cfg),
		Domain:   s.domainSlug,
		Certify:  s.Tenant.CertifiesDomain,
		Platform: browser.ServePlatform,
		Wiki:     browser.ServeWiki,
		API:      rest.ServeWiki,
		Manage:   rest.ServePlatform,
		MCP:      agents.ServeWiki,
		OAuth:    s.OAuth.ServeHTTP,
		Renew:    s.Session.Renew,
		Drain:    browser.EndStreams,
		Git:      s.gitHandler(),
		Check:    s.Store.Check,
		Proxies:  cfg.Proxies,
		Metrics:  s.Metrics,
		Served:   s.meter.served,
		Slow:     cfg.SlowRequest,
		Access:   cfg.AccessLog != config.AccessOff, AccessAddress: cfg.AccessLog == config.AccessAddresses,
		Log: log,
	})
	s.front.Store(front)
	s.startWebhooks()
	return front, nil
}

// startWebhooks starts the worker that delivers messages, which Close stops.
func (s *Service) startWebhooks() {
	ctx, cancel := context.WithCancel(context.Background())
	wait := s.background.Loop(ctx, "webhooks", s.Webhooks.Run)
	s.stopHooks = func() {
		cancel()
		wait()
	}
}

// callbackPath is where servers of accounts send browsers back to a loopback address, ""
// if they use the public one.
func callbackPath(cfg config.Config) string {
	if !cfg.Home() || !cfg.ATProto() || cfg.Secure() {
		return ""
	}
	return atproto.HomeCallbackPath
}

// newPasskeys returns nil unless people have local identities and the address allows
// passkeys.
func (s *Service) newPasskeys() (*passkey.Service, error) {
	origin := s.o.Origins.Platform()
	if !s.o.Config.Home() || !passkey.Allowed(origin) {
		return nil, nil
	}
	return passkey.New(passkey.Options{Store: s.Store, Origin: origin, Name: s.o.Config.ServiceName(), Now: s.o.Now, Log: s.o.Log})
}

// newSignIn opens sign-in through people's own ATProto servers.
func (s *Service) newSignIn() (*atproto.Service, error) {
	signup := s.o.Config.Signup
	return atproto.New(atproto.Options{
		Name: s.o.Config.ServiceName(), Store: s.Store, KeyDir: s.KeyDir(), Platform: s.o.Origins.Platform(), Home: s.o.Config.Home(), Limits: s.outgoing,
		Admit: func(u wiki.User) bool { return signup.Admits(u.DID, u.Handle) }, ByInvitation: signup.ByInvitation(),
		Outbound: outboundOptions(s.o.Config, s.background), Background: s.background,
		PLC: s.o.Config.Test.PLC, Resolver: s.o.Config.HandleResolver, AccountServer: s.o.Config.AccountServer, Completion: s.o.Config.Completion, Lifetime: s.o.Config.Test.Lifetime, Now: s.o.Now, Log: s.o.Log,
	})
}

// A handleSweep checks members' handles, once a Handler has opened sign-in.
type handleSweep struct{ s *Service }

// Sweep implements sweepable.
func (h handleSweep) Sweep(ctx context.Context) error {
	if !h.s.Serving() || h.s.SignIn == nil {
		return nil
	}
	return h.s.SignIn.Sweep(ctx)
}

// renderPolicy renders the operator's terms or privacy policy. They have no links to
// pages of a wiki.
func renderPolicy(text string) (template.HTML, error) {
	if text == "" {
		return "", nil
	}
	page, err := markdown.New(markdown.Options{}).Render(context.Background(), "", "Policy", []byte(text), noPages{})
	if err != nil {
		return "", fmt.Errorf("service: render the operator's terms: %w", err)
	}
	return page.HTML, nil
}

// noPages is a markdown.Resolver without pages.
type noPages struct{}

func (noPages) Resolve(context.Context, wiki.Link, string) markdown.Target { return markdown.Target{} }

func (s *Service) gitHandler() func(http.ResponseWriter, *http.Request, string) {
	return githttp.New(githttp.Options{
		Pages: s.Pages, Tenant: s.Tenant, Session: s.Session, Limits: s.limits, Spool: s.o.Config.Data, Background: s.background, Log: s.o.Log,
	}).ServeWiki
}
