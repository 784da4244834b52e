package atproto

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"robot.wtf/internal/background"
	"robot.wtf/internal/outbound"
)

// Limits of looking up one account.
const (
	resolveTimeout  = 2 * time.Second // for name servers, the handle's host, the handle resolver and the account's server each
	documentTimeout = 4 * time.Second // for the directory of the account's document
	maxHandleBody   = 2 << 10         // bytes of a handle's document; a DID has at most 2,048
)

// Reasons why a handle doesn't resolve. Only errUnreachable leaves it open whether
// the handle has an account.
var (
	errNobody      = identity.ErrHandleNotFound
	errUnreachable = identity.ErrHandleResolutionFailed
	errTwoAccounts = errors.New("the DNS names two accounts")
)

// resolveHandle returns the DID that a handle's domain names
// (atproto.com/specs/handle). It asks the DNS and the handle's host at the same
// time; the DNS wins. Errors are errNobody if both say that there is no account,
// errTwoAccounts if the DNS contradicts itself, and else errUnreachable.
func (s *Service) resolveHandle(ctx context.Context, handle syntax.Handle) (syntax.DID, error) {
	if handle.IsInvalidHandle() || !handle.AllowedTLD() {
		return "", fmt.Errorf("%w: %s", errNobody, handle)
	}
	ctx, cancel := context.WithTimeout(ctx, s.resolveTimeout)
	defer cancel()
	type answer struct {
		did syntax.DID
		err error
	}
	host := background.Start(func() answer {
		did, err := s.resolveByHost(ctx, handle)
		return answer{did, err}
	})
	did, dnsErr := s.resolveByDNS(ctx, handle)
	if dnsErr == nil || errors.Is(dnsErr, errTwoAccounts) {
		cancel()
		host.Wait()
		return did, dnsErr
	}
	byHost := host.Wait()
	switch {
	case byHost.err == nil:
		return byHost.did, nil
	case errors.Is(dnsErr, errNobody):
		return "", byHost.err
	}
	return "", fmt.Errorf("%w; %v", dnsErr, byHost.err) // not errNobody
}

// resolveByDNS reads the TXT record of a handle.
func (s *Service) resolveByDNS(ctx context.Context, handle syntax.Handle) (syntax.DID, error) {
	records, err := s.names.LookupTXT(ctx, "_atproto."+handle.String()+".")
	var failure *net.DNSError
	switch {
	case errors.As(err, &failure) && failure.IsNotFound:
		return "", fmt.Errorf("%w: no TXT record of %s", errNobody, handle)
	case err != nil:
		return "", fmt.Errorf("%w: %w", errUnreachable, err)
	}
	var found syntax.DID
	for _, record := range records {
		text, ok := strings.CutPrefix(record, "did=")
		did, err := syntax.ParseDID(strings.TrimSpace(text))
		switch {
		case !ok || err != nil:
		case found != "" && found != did:
			return "", fmt.Errorf("%w: %s and %s for %s", errTwoAccounts, found, did, handle)
		default:
			found = did
		}
	}
	if found == "" {
		return "", fmt.Errorf("%w: no DID in the TXT records of %s", errNobody, handle)
	}
	return found, nil
}

// resolveByHost reads the document that a handle's own host serves.
func (s *Service) resolveByHost(ctx context.Context, handle syntax.Handle) (syntax.DID, error) {
	resp, err := s.get(ctx, "https://"+handle.String()+"/.well-known/atproto-did")
	var failure *net.DNSError
	switch {
	case errors.As(err, &failure) && failure.IsNotFound, errors.Is(err, outbound.ErrRefused):
		return "", fmt.Errorf("%w: %w", errNobody, err)
	case err != nil:
		return "", fmt.Errorf("%w: %w", errUnreachable, err)
	}
	defer resp.Body.Close()
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
	case code == http.StatusForbidden, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return "", fmt.Errorf("%w: %s answered %d", errUnreachable, handle, code)
	default:
		return "", fmt.Errorf("%w: %s answered %d", errNobody, handle, code)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxHandleBody+1))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUnreachable, err)
	}
	did, err := syntax.ParseDID(strings.TrimSpace(string(text)))
	if err != nil || len(text) > maxHandleBody {
		return "", fmt.Errorf("%w: %s serves no DID", errNobody, handle)
	}
	return did, nil
}

// resolveByService asks the configured handle resolver. Its answer counts only if the
// account's DID document names the handle, which callers check.
func (s *Service) resolveByService(ctx context.Context, handle syntax.Handle) (syntax.DID, error) {
	if s.resolver == "" {
		return "", errUnreachable
	}
	if err := s.limits.Server(hostOf(s.resolver)); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, s.resolveTimeout)
	defer cancel()
	var answer struct {
		DID string `json:"did"`
	}
	if err := s.query(ctx, s.resolver, "com.atproto.identity.resolveHandle", url.Values{"handle": {handle.String()}}, &answer); err != nil {
		return "", fmt.Errorf("%w: %w", errUnreachable, err)
	}
	s.limits.Served(hostOf(s.resolver))
	did, err := syntax.ParseDID(answer.DID)
	if err != nil {
		return "", fmt.Errorf("%w: the resolver answered %q", errUnreachable, truncateInput(answer.DID))
	}
	return did, nil
}

// Statuses of an account at its server (com.atproto.sync.getRepoStatus).
const (
	statusDeactivated = "deactivated"
	statusDeleted     = "deleted"
	statusTakenDown   = "takendown"
	statusSuspended   = "suspended"
)

// accountStatus asks an account's server why the account isn't active. It returns ""
// for an active account, and if the server doesn't say.
func (s *Service) accountStatus(ctx context.Context, account *identity.Identity) string {
	host := hostOf(account.PDSEndpoint())
	if host == "" || s.store.CheckHost(ctx, host) != nil || s.limits.Server(host) != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, s.resolveTimeout)
	defer cancel()
	var answer struct {
		Active *bool  `json:"active"`
		Status string `json:"status"`
	}
	err := s.query(ctx, account.PDSEndpoint(), "com.atproto.sync.getRepoStatus", url.Values{"did": {account.DID.String()}}, &answer)
	switch {
	case errors.Is(err, refusedQuery{http.StatusBadRequest, "RepoNotFound"}):
		return statusDeleted // from the server that hosts it, as its document says
	case err != nil || answer.Active == nil || *answer.Active:
		return ""
	}
	return answer.Status
}

// A refusedQuery is an error that a server answered with.
type refusedQuery struct {
	status int
	name   string
}

func (r refusedQuery) Error() string { return fmt.Sprintf("status %d, %q", r.status, r.name) }

// query calls a method of a server without a token, and decodes its answer.
func (s *Service) query(ctx context.Context, server, method string, arguments url.Values, answer any) error {
	resp, err := s.get(ctx, strings.TrimSuffix(server, "/")+"/xrpc/"+method+"?"+arguments.Encode())
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		_ = json.NewDecoder(resp.Body).Decode(&refusal) // a status alone is an error too
		return fmt.Errorf("%s: %w", method, refusedQuery{resp.StatusCode, refusal.Error})
	}
	return json.NewDecoder(resp.Body).Decode(answer) // bounded by outbound
}

// get sends a request without credentials.
func (s *Service) get(ctx context.Context, address string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", userAgent)
	return s.http.Do(r)
}
