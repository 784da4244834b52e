package atproto

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// lookup resolves an account for an asker and verifies it in both directions. A handle
// that doesn't verify is handle.invalid; see findByHandle and verifiedHandle. A result
// of the last 30 seconds is used again.
func (s *Service) lookup(ctx context.Context, asker limit.Caller, id string) (*identity.Identity, error) {
	if account, err, ok := s.recent.find(asker, id, s.now()); ok {
		return account, err
	}
	host := identifierHost(id)
	if err := s.limits.Lookup(asker, host); err != nil {
		return nil, fmt.Errorf("atproto: look up %s: %w", id, err)
	}
	account, err := s.findIdentity(ctx, id)
	if err != nil {
		err = fmt.Errorf("atproto: look up %s: %w: %w", id, err, lookupProblem(id, err))
	} else {
		s.limits.Found(host)
	}
	if ctx.Err() == nil {
		s.recent.add(asker, id, account, err, s.now())
	}
	return account, err
}

// identifierHost returns the host that an identifier's owner chose, or "" for a
// did:plc, which leads to the PLC directory.
func identifierHost(id string) string {
	if strings.HasPrefix(id, "did:plc:") {
		return ""
	}
	return strings.TrimPrefix(id, "did:web:")
}

// findIdentity returns the account of a handle or DID.
func (s *Service) findIdentity(ctx context.Context, id string) (*identity.Identity, error) {
	did, err := syntax.ParseDID(id)
	if err != nil {
		return s.findByHandle(ctx, syntax.Handle(id))
	}
	account, err := s.readDocument(ctx, did)
	if err != nil {
		return nil, err
	}
	account.Handle = s.verifiedHandle(ctx, account, "")
	if account.Handle == syntax.HandleInvalid {
		return account, statusError(s.accountStatus(ctx, account))
	}
	return account, nil
}

// findByHandle returns the account of a handle. If the handle's own servers say nothing,
// it is the account that verified it last (see findStored), or else the one that the
// handle resolver names, if that account's document names the handle.
func (s *Service) findByHandle(ctx context.Context, handle syntax.Handle) (*identity.Identity, error) {
	did, failed := s.resolveHandle(ctx, handle)
	if errors.Is(failed, errTwoAccounts) {
		return nil, failed
	}
	before := s.storedDID(ctx, handle)
	if failed == nil {
		return s.readDocumentNaming(ctx, did, handle, did == before)
	}
	if before != "" {
		account, err := s.findStored(ctx, before, handle, errors.Is(failed, errUnreachable))
		if !errors.Is(err, identity.ErrHandleMismatch) {
			return account, err
		}
	}
	if errors.Is(failed, errUnreachable) {
		if did, err := s.resolveByService(ctx, handle); err == nil {
			return s.readDocumentNaming(ctx, did, handle, false)
		}
	}
	return nil, failed
}

// readDocumentNaming returns an account whose document must name the handle. If lenient,
// the document may also have no valid handle; then the account has none.
func (s *Service) readDocumentNaming(ctx context.Context, did syntax.DID, handle syntax.Handle, lenient bool) (*identity.Identity, error) {
	account, err := s.readDocument(ctx, did)
	if err != nil {
		return nil, err
	}
	switch declared := declaredHandle(account); {
	case declared == handle:
		account.Handle = handle
	case declared == "" && lenient:
	case declared == "":
		return nil, identity.ErrHandleNotDeclared
	default:
		return nil, fmt.Errorf("%w: %s, not %s", identity.ErrHandleMismatch, declared, handle)
	}
	return account, nil
}

// findStored returns the account that verified a handle before, now that the handle
// names no account or can't be asked (unreachable). The account keeps the handle while
// nothing contradicts it: a server doesn't serve the handles of deactivated accounts.
func (s *Service) findStored(ctx context.Context, did syntax.DID, handle syntax.Handle, unreachable bool) (*identity.Identity, error) {
	account, err := s.readDocumentNaming(ctx, did, handle, true)
	if err != nil {
		return nil, err
	}
	status := s.accountStatus(ctx, account)
	if err := statusError(status); err != nil {
		return nil, err
	}
	if !unreachable && status != statusDeactivated {
		account.Handle = syntax.HandleInvalid
	}
	return account, nil
}

// verifiedHandle returns the handle that an account's document declares, if the handle
// resolves to the account, and else handle.invalid. While the handle's host can't be
// asked, the account keeps the handle that it verified before: in this sign-in
// (before) or in an earlier one.
func (s *Service) verifiedHandle(ctx context.Context, account *identity.Identity, before syntax.Handle) syntax.Handle {
	handle := declaredHandle(account)
	if handle == "" {
		return syntax.HandleInvalid
	}
	did, err := s.resolveHandle(ctx, handle)
	if err != nil && (handle == before || s.storedDID(ctx, handle) == account.DID) {
		if errors.Is(err, errUnreachable) || errors.Is(err, errNobody) && s.accountStatus(ctx, account) == statusDeactivated {
			return handle
		}
	}
	if errors.Is(err, errUnreachable) {
		did, err = s.resolveByService(ctx, handle)
	}
	if err != nil || did != account.DID {
		return syntax.HandleInvalid
	}
	return handle
}

// declaredHandle returns the handle that an account's document declares, or "" if there
// is none that can be valid.
func declaredHandle(account *identity.Identity) syntax.Handle {
	handle, err := account.DeclaredHandle()
	if err != nil || handle.IsInvalidHandle() || !handle.AllowedTLD() {
		return ""
	}
	return handle
}

// storedDID returns the account that verified a handle last, or "".
func (s *Service) storedDID(ctx context.Context, handle syntax.Handle) syntax.DID {
	did, err := s.store.DIDOfHandle(ctx, handle.String())
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		s.log.Error("looking up a handle in the store failed", "err", err)
	}
	return syntax.DID(did)
}

// readDocument reads an account's DID document. The account has no verified handle.
func (s *Service) readDocument(ctx context.Context, did syntax.DID) (*identity.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, s.documentTimeout)
	defer cancel()
	document, err := s.directory.ResolveDID(ctx, did)
	if errors.Is(err, identity.ErrDIDNotFound) || errors.Is(err, errDeleted) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, s.documentProblem(did, err))
	}
	account := identity.ParseIdentity(document)
	return &account, nil
}

// documentProblem names the server that holds an account's document.
func (s *Service) documentProblem(did syntax.DID, err error) error {
	at := hostOf(cmp.Or(s.directory.PLCURL, identity.DefaultPLCURL))
	if did.Method() == "web" {
		at = did.Identifier()
	}
	if isTimeout(err) {
		return wiki.WithCause("directory silent", wiki.Problemf(wiki.ErrInvalid, handleField, "%s, where this account is registered, isn't responding. Try again in a few minutes.", at))
	}
	return wiki.WithCause("unreadable account", wiki.Problemf(wiki.ErrInvalid, handleField, "%s, where this account is registered, can't say right now which server it is on. Try again in a few minutes.", at))
}

// Statuses that prevent a sign-in. A server may still let deactivated accounts sign in.
var (
	errDeleted     = errors.New("the account was deleted")
	errTakenDown   = errors.New("the account was taken down")
	errDeactivated = errors.New("the account is deactivated")
)

// statusError returns why an account with a status can't sign in anywhere, or nil.
func statusError(status string) error {
	switch status {
	case statusDeleted:
		return errDeleted
	case statusTakenDown, statusSuspended:
		return errTakenDown
	}
	return nil
}

// A goneFilter turns the answer about a deleted did:plc into errDeleted.
type goneFilter struct{ next http.RoundTripper }

func (g goneFilter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.next.RoundTrip(r)
	if err == nil && resp.StatusCode == http.StatusGone {
		resp.Body.Close()
		return nil, errDeleted
	}
	return resp, err
}

// OtherHandle is the cause of a lookup's failure if the account at a handle uses
// another one; see wiki.CauseOf.
const OtherHandle = "handle of another name"

// lookupProblem explains why an account wasn't found.
func lookupProblem(id string, err error) error {
	var known *wiki.Problem
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, errTwoAccounts):
		return wiki.WithCause("two accounts", wiki.Problemf(wiki.ErrInvalid, handleField, "The DNS names two different accounts for %s. Remove one of the TXT records of _atproto.%s, or sign in with your DID.", id, id))
	case errors.Is(err, identity.ErrHandleMismatch), errors.Is(err, identity.ErrHandleNotDeclared):
		return wiki.WithCause(OtherHandle, wiki.Problemf(wiki.ErrInvalid, handleField, "%s points to an account that uses another handle. Use that one, or correct the handle in the account's settings.", id))
	case errors.Is(err, errNobody), errors.Is(err, identity.ErrDIDNotFound):
		return wiki.WithCause("nobody", wiki.Problemf(wiki.ErrNotFound, handleField, "No account found for %s. Check the spelling.", id))
	case errors.Is(err, errUnreachable):
		return wiki.WithCause("handle host silent", wiki.Problemf(wiki.ErrInvalid, handleField, "The server of %s can't tell us right now whose handle that is. Try again in a few minutes, or sign in with your DID.", id))
	}
	return statusProblem(id, err)
}

// statusProblem explains an account's status.
func statusProblem(id string, err error) error {
	switch {
	case errors.Is(err, errTakenDown):
		return wiki.WithCause("taken down", wiki.Problemf(wiki.ErrDenied, handleField, "The account %s was taken down by its server, so you can't sign in with it. Ask that server's operators.", id))
	case errors.Is(err, errDeleted):
		return wiki.WithCause("deleted", wiki.Problemf(wiki.ErrGone, handleField, "The account %s was deleted, so you can't sign in with it. Use another account.", id))
	case errors.Is(err, errDeactivated):
		return wiki.WithCause("deactivated", wiki.Problemf(wiki.ErrDenied, handleField, "The account %s is deactivated. Reactivate it in an app such as Bluesky, then sign in here.", id))
	}
	return err
}

// isTimeout reports whether a server took too long.
func isTimeout(err error) bool {
	var network net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout()
}
