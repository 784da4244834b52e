package tenant

import (
	"context"

	"robot.wtf/internal/wiki"
)

// Looked returns the newest commit (seq) that the caller's grant or token was told
// about by RecordLook; 0 for the first time and for callers without either.
func (s *Service) Looked(ctx context.Context, a wiki.Access) (int64, error) {
	c := a.Caller()
	if err := a.Allow(wiki.Read); err != nil || c.Grant == "" {
		return 0, err
	}
	return s.store.Looked(ctx, c.Grant, c.Client == wiki.TokenClient)
}

// RecordLook records that the caller's grant or token was told about a commit.
func (s *Service) RecordLook(ctx context.Context, a wiki.Access, seq int64) error {
	c := a.Caller()
	if err := a.Allow(wiki.Read); err != nil || c.Grant == "" {
		return err
	}
	return s.store.RecordLook(ctx, c.Grant, c.Client == wiki.TokenClient, seq)
}
