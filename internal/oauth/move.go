package oauth

import (
	"context"
	"slices"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// maxMovedID limits the id of a registration that is moved.
const maxMovedID = 200

// MoveClient adds the registration of an agent at the service that the operator moves
// here, with its id, redirect URIs and the hash of its secret. It has no grant: the
// next connection asks for consent. It fails with an *Error if a new registration
// would.
func (s *Service) MoveClient(ctx context.Context, caller wiki.Caller, c store.Client) error {
	if !caller.Operator {
		return wiki.Problemf(wiki.ErrDenied, "", "Only the operator can move agents here.")
	}
	checked, err := s.clientFromRegistration(registration{Name: c.Name, Redirects: c.Redirects, Auth: c.Auth})
	if err != nil {
		return err
	}
	_, known := wellKnownClient(c.ID)
	if c.ID == "" || len(c.ID) > maxMovedID || known || s.isDocument(c.ID) || slices.ContainsFunc([]rune(c.ID), isUnsafeRune) {
		return newError("invalid_client_metadata", "The client id isn't one of a registration.")
	}
	checked.ID = c.ID
	switch {
	case c.Secret == nil:
		checked.Auth = "none"
	case checked.Auth != "none":
		checked.Secret = c.Secret
	}
	return s.o.Store.MoveClient(ctx, checked)
}
