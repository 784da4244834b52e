package service

import (
	"context"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/tenant"
)

// domainNames looks up the DNS of own domains; nil for a single wiki, which can't have
// one. It also serves domains that were connected before the operator disabled new ones.
func (s *Service) domainNames() tenant.Names {
	if s.o.Config.Home() {
		return nil
	}
	return outbound.Resolver(outboundOptions(s.o.Config, s.background))
}

// loadDomains reads the own domains into memory, so that no request waits for that. A
// failure is reported by the requests that need them.
func (s *Service) loadDomains(ctx context.Context) { s.domainSlug(ctx, "") }

// domainSlug returns the slug of the wiki whose own domain a host is, or "".
func (s *Service) domainSlug(ctx context.Context, host string) string {
	return s.Session.DomainResource(ctx, host).Slug
}
