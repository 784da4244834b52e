package tenant

import (
	"context"
	"fmt"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// SetIcon makes an image of a type, which the caller has re-encoded, the wiki's icon.
func (s *Service) SetIcon(ctx context.Context, a wiki.Access, mime string, data []byte) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	if err := s.store.SetSiteIcon(ctx, actor(a), a.Site().Slug, store.SiteIcon{MIME: mime, Data: data}); err != nil {
		return fmt.Errorf("tenant: set icon: %w", err)
	}
	return nil
}

// DropIcon gives the wiki the icon of the service again.
func (s *Service) DropIcon(ctx context.Context, a wiki.Access) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	if err := s.store.DropSiteIcon(ctx, actor(a), a.Site().Slug); err != nil {
		return fmt.Errorf("tenant: drop icon: %w", err)
	}
	return nil
}

// Icon returns the wiki's own icon. It fails with ErrNotFound if it has none.
func (s *Service) Icon(ctx context.Context, a wiki.Access) (store.SiteIcon, error) {
	if err := a.Allow(wiki.Read); err != nil {
		return store.SiteIcon{}, err
	}
	icon, err := s.store.SiteIcon(ctx, a.Site().Slug)
	if err != nil {
		return icon, fmt.Errorf("tenant: icon: %w", err)
	}
	return icon, nil
}
