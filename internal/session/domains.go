package session

import (
	"context"
	"net/http"
	"strings"

	"robot.wtf/internal/store"
)

// Domain returns the own domain of a wiki that a request was sent to, or "" for a host
// of this service.
func (s *Service) Domain(r *http.Request) string { return s.domainAt(r).Host }

// domainAt returns the connected domain that a request was sent to; the zero Domain for
// a host of this service.
func (s *Service) domainAt(r *http.Request) store.Domain {
	host := requestHostname(r.Host)
	if s.isOwnHost(host) {
		return store.Domain{}
	}
	return s.connectedDomain(s.store.DomainAt(r.Context(), host))
}

// isOwnHost reports whether a host, without its port, belongs to this service. That of
// a wiki's own domain doesn't.
func (s *Service) isOwnHost(host string) bool {
	return s.single || host == s.host || strings.HasSuffix(host, "."+s.host)
}

// connectedDomain is the domain that was found, or the zero Domain.
func (s *Service) connectedDomain(d store.Domain, err error) store.Domain {
	if err != nil {
		s.logFailure(err, "reading a domain failed")
		return store.Domain{}
	}
	return d
}

// Origin returns the origin of the host of a wiki that a request was sent to: of its own
// domain or of its subdomain.
func (s *Service) Origin(r *http.Request, slug string) string {
	return s.originAt(slug, s.Domain(r))
}

// Home returns the origin where people read a wiki: of its own domain if that works,
// otherwise of its subdomain.
func (s *Service) Home(ctx context.Context, slug string) string {
	if d := s.connectedDomain(s.store.DomainOf(ctx, slug)); d.Works() {
		return s.originAt(slug, d.Host)
	}
	return s.wikiOrigin(slug)
}

// originAt returns the origin of a wiki's own domain, or of its subdomain for "". Both
// have the same scheme and port.
func (s *Service) originAt(slug, domain string) string {
	if domain == "" {
		return s.wikiOrigin(slug)
	}
	scheme, _, _ := strings.Cut(s.platform, "://")
	if s.port != "" {
		domain += ":" + s.port
	}
	return scheme + "://" + domain
}

// A Resource is one of a wiki's hosts, as a protected resource (RFC 8707).
type Resource struct {
	Slug   string
	Domain string // the wiki's own domain, or "" for its subdomain
}

// URL returns the resource's identifier, which is also the URL of its MCP endpoint.
func (s *Service) URL(r Resource) string { return s.originAt(r.Slug, r.Domain) + "/mcp" }

// ResourceAt returns the resource that a request to a wiki was sent to.
func (s *Service) ResourceAt(r *http.Request, slug string) Resource {
	return Resource{slug, s.Domain(r)}
}

// DomainResource returns the resource of the wiki that has a domain, or the zero
// Resource if none has.
func (s *Service) DomainResource(ctx context.Context, host string) Resource {
	d := s.connectedDomain(s.store.DomainAt(ctx, host))
	return Resource{d.Slug, d.Host}
}
