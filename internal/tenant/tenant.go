// Package tenant creates, configures and deletes sites, and says who may do
// what in them.
package tenant

import (
	"context"

	"robot.wtf/internal/wiki"
)

// A Service answers for all sites.
type Service struct{}

// Resolve gives the caller's access to the wiki of a slug. It is the only maker
// of wiki.Access. A wiki that does not exist and a private one that the caller
// is no member of fail alike, with ErrNotFound. It reads memory for sites that
// were seen before.
func (s *Service) Resolve(ctx context.Context, slug string, caller wiki.Caller) (wiki.Access, error) {
	panic("contract")
}

// Settings of a site that its owner may change.
type Settings struct {
	Title       string // up to 80 characters
	Description string // up to 300
	Public      bool
	Home        string // page name, or a path of the wiki that begins with /-/
}

// Configure changes the settings; a Problem names the field that is wrong.
func (s *Service) Configure(ctx context.Context, a wiki.Access, set Settings) error {
	panic("contract")
}

// Create makes a wiki for its owner, private and empty; the caller seeds it.
func (s *Service) Create(ctx context.Context, owner wiki.User, slug string) (wiki.Site, error) {
	panic("contract")
}

// Members lists a site's people, the owner first.
func (s *Service) Members(ctx context.Context, a wiki.Access) ([]wiki.Member, error) {
	panic("contract")
}

// SetMember gives a person a role: viewer or editor. ErrQuota beyond the limit.
func (s *Service) SetMember(ctx context.Context, a wiki.Access, did string, role wiki.Role) error {
	panic("contract")
}

// RemoveMember takes it away; their tokens end with it.
func (s *Service) RemoveMember(ctx context.Context, a wiki.Access, did string) error {
	panic("contract")
}

// Sites lists the wikis that a person owns or is a member of, own ones first.
func (s *Service) Sites(ctx context.Context, did string) ([]wiki.Access, error) { panic("contract") }

// PublicSites lists public wikis, for the landing page of a development service.
func (s *Service) PublicSites(ctx context.Context) ([]wiki.Site, error) { panic("contract") }
