package atproto

import (
	"context"
	"fmt"
	"net/url"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// Find returns the DID and handle of the account that a typed handle or DID
// names, verified in both directions, without involving the account. Owners
// use it to invite people; asker is the owner's DID, who the lookup is counted
// against. Errors wrap a Problem with field "handle".
func (s *Service) Find(ctx context.Context, asker, name string) (wiki.User, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	person := limit.Person(asker)
	leave, err := s.acquireSlot(ctx, person)
	if err != nil {
		return wiki.User{}, err
	}
	defer leave()
	_, account, err := s.findAccount(ctx, person, name)
	if err != nil {
		return wiki.User{}, err
	}
	return wiki.User{DID: account.DID.String(), Handle: account.Handle.String()}, nil
}

// Declared returns the handle that an account's document declares now, or "". It isn't
// verified. Errors wrap a Problem with field "handle".
func (s *Service) Declared(ctx context.Context, asker, did string) (handle string, err error) {
	err = s.readAccount(ctx, asker, did, func(_ context.Context, account *identity.Identity) error {
		declared, err := account.DeclaredHandle()
		if err == nil { // or it declares none
			handle = declared.String()
		}
		return nil
	})
	return handle, err
}

// Publication returns the address in an account's record of a publication
// (standard.site), read from the account's own server. Errors wrap a Problem.
func (s *Service) Publication(ctx context.Context, asker, did, key string) (address string, err error) {
	err = s.readAccount(ctx, asker, did, func(ctx context.Context, account *identity.Identity) error {
		server := account.PDSEndpoint()
		if err := endpointProblem(server); err != nil {
			return err
		}
		if err := s.checkHost(ctx, hostOf(server)); err != nil {
			return err
		}
		if err := s.limits.Server(hostOf(server)); err != nil {
			return err
		}
		var record struct {
			Value struct {
				URL string `json:"url"`
			} `json:"value"`
		}
		err := s.query(ctx, server, "com.atproto.repo.getRecord", url.Values{"repo": {did}, "collection": {"site.standard.publication"}, "rkey": {key}}, &record)
		if err != nil {
			return fmt.Errorf("%w: %w", err, wiki.Problemf(wiki.ErrNotFound, "publication", "%s, the server of this account, doesn't show such a record. Check the AT-URI, or try again in a few minutes.", hostOf(server)))
		}
		address = record.Value.URL
		return nil
	})
	return address, err
}

// readAccount calls read with an account, whose handle isn't verified.
func (s *Service) readAccount(ctx context.Context, asker, did string, read func(context.Context, *identity.Identity) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	person := limit.Person(asker)
	leave, err := s.acquireSlot(ctx, person)
	if err != nil {
		return err
	}
	defer leave()
	if err := s.limits.Lookup(person, identifierHost(did)); err != nil {
		return fmt.Errorf("atproto: read %s: %w", did, err)
	}
	account, err := s.readDocument(ctx, syntax.DID(did))
	if err != nil {
		return fmt.Errorf("atproto: read %s: %w: %w", did, err, lookupProblem(did, err))
	}
	if err := read(ctx, account); err != nil {
		return fmt.Errorf("atproto: read %s: %w", did, err)
	}
	return nil
}
