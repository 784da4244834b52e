package tenant

import (
	"context"
	"errors"
	"fmt"

	"robot.wtf/internal/wiki"
)

// ReserveName keeps a name from new wikis, or releases it. Only the operator can. A
// wiki or a person that has the name keeps it.
func (s *Service) ReserveName(ctx context.Context, caller wiki.Caller, name string, release bool) error {
	if !caller.Operator {
		return errOperator
	}
	if err := wiki.CheckSlug(name); err != nil {
		return err
	}
	var err error
	if release {
		err = s.store.ReleaseName(ctx, name)
	} else {
		err = s.store.ReserveName(ctx, name)
	}
	switch {
	case errors.Is(err, wiki.ErrExists):
		return wiki.Problemf(wiki.ErrExists, "", "%q is reserved already, by you or for the person who had it.", name)
	case errors.Is(err, wiki.ErrNotFound):
		return wiki.Problemf(wiki.ErrNotFound, "", "You haven't reserved %q.", name)
	case err != nil:
		return fmt.Errorf("tenant: reserve a name: %w", err)
	}
	return nil
}

// ReservedNames lists the names that the operator has reserved.
func (s *Service) ReservedNames(ctx context.Context, caller wiki.Caller) ([]string, error) {
	if !caller.Operator {
		return nil, errOperator
	}
	names, err := s.store.ReservedNames(ctx)
	if err != nil {
		return nil, fmt.Errorf("tenant: list reserved names: %w", err)
	}
	return names, nil
}
