package tenant

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// Times and limits of own domains.
const (
	checkDomainEvery = 24 * time.Hour // how often the DNS of a connected domain is looked at
	recheckSilentDNS = time.Hour      // how soon again if its name servers don't answer
	allowSilentDNS   = 48 * time.Hour // how long a domain counts as pointing here while they don't
	keepLostDomain   = 7 * 24 * time.Hour
	reserveDomain    = 30 * 24 * time.Hour // how long a disconnected domain is kept for its owner
	tryDomainEvery   = 10 * time.Second    // how often an owner can have the DNS looked at
	maxDomainsADay   = 5                   // connected by one wiki
	dnsTimeout       = 5 * time.Second
	maxDNS           = 8 // domains that owners have looked at, at a time
	maxDomainSweep   = 50
	domainSweepTime  = 2 * time.Minute
)

// challengeLabel precedes a domain in the name of its TXT record.
const challengeLabel = "_robot-wiki."

// Names looks up DNS names; a *net.Resolver does.
type Names interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupCNAME(ctx context.Context, host string) (string, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// A Domain is a wiki's own domain, as its owner sees it.
type Domain struct {
	store.Domain
	TXT, Proof string    // the record that proves the domain: its name and its value
	Target     string    // host to point a CNAME record to
	Addresses  []string  // to point A and AAAA records to, where no CNAME is possible; nil if unknown
	Ends       time.Time // when it will be disconnected if it is lost, or given to others if it is disconnected
}

// State is "named", "connected", "lost" or "released", and "" without a domain.
func (d Domain) State() string {
	switch {
	case d.Host == "":
		return ""
	case !d.Released.IsZero():
		return "released"
	case d.Verified.IsZero():
		return "named"
	case !d.Lost.IsZero():
		return "lost"
	}
	return "connected"
}

// OffersDomains reports whether owners can connect own domains.
func (s *Service) OffersDomains() bool { return s.ownDomains }

// Domain returns a wiki's own domain or, after it was disconnected, the last one.
func (s *Service) Domain(ctx context.Context, a wiki.Access) (Domain, error) {
	if err := a.Allow(wiki.Configure); err != nil {
		return Domain{}, err
	}
	row, err := s.store.LastDomain(ctx, a.Site().Slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return Domain{}, nil
	}
	if err != nil {
		return Domain{}, fmt.Errorf("tenant: domain: %w", err)
	}
	d := Domain{Domain: row, TXT: challengeLabel + row.Host, Proof: s.domainProof(a.Site(), row.Host), Target: a.Site().Slug + "." + s.host}
	switch d.State() {
	case "named", "lost":
		if s.names == nil {
			break
		}
		if !d.Lost.IsZero() {
			d.Ends = d.Lost.Add(keepLostDomain)
		}
		ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
		defer cancel()
		for _, address := range s.ownAddresses(ctx) {
			d.Addresses = append(d.Addresses, address.String())
		}
	case "released":
		d.Ends = d.Released.Add(reserveDomain)
	}
	return d, nil
}

// domainProof is the value of the TXT record by which the owner of a wiki proves that a
// domain is theirs. Another wiki, and another owner, needs another one.
func (s *Service) domainProof(site wiki.Site, host string) string {
	mac := hmac.New(sha256.New, s.nameKey)
	fmt.Fprintf(mac, "domain\x00%s\x00%s\x00%s", site.Slug, site.OwnerDID, host)
	return "robot-wiki=" + hex.EncodeToString(mac.Sum(nil)[:16])
}

func domainProblem(format string, args ...any) error {
	return wiki.Problemf(wiki.ErrInvalid, "domain", format, args...)
}

// NameDomain stores the domain that an owner types, without proof. Errors for the owner
// are Problems.
func (s *Service) NameDomain(ctx context.Context, a wiki.Access, typed string) error {
	if err := s.allowDomain(a); err != nil {
		return err
	}
	if !s.ownDomains {
		return errNoDomains
	}
	host, err := s.parseDomain(typed)
	if err != nil {
		return err
	}
	err = s.store.NameDomain(ctx, actor(a), a.Site().Slug, host)
	if errors.Is(err, wiki.ErrExists) {
		return domainProblem("This wiki has a domain already. Disconnect it first.")
	}
	if err != nil {
		return fmt.Errorf("tenant: name a domain: %w", err)
	}
	return nil
}

var errNoDomains = domainProblem("This service doesn't offer own domains.")

func (s *Service) allowDomain(a wiki.Access) error {
	switch err := a.Allow(wiki.Configure); {
	case err != nil:
		return err
	case s.names == nil:
		return errNoDomains
	case a.Site().Slug == wiki.HelpSlug:
		return domainProblem("The help wiki is part of the program and has no domain of its own.")
	}
	return nil
}

// reservedEndings are top-level domains that no public name has (RFC 6761, RFC 2606).
var reservedEndings = []string{"alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"}

// parseDomain returns the host that an owner typed, in ASCII.
func (s *Service) parseDomain(typed string) (string, error) {
	text := strings.ToLower(strings.TrimSpace(typed))
	text = strings.TrimPrefix(strings.TrimPrefix(text, "https://"), "http://")
	text = strings.TrimSuffix(strings.TrimSuffix(text, "/"), ".")
	host, err := idna.Lookup.ToASCII(text)
	labels := strings.Split(host, ".")
	isAddress := func() bool { _, err := netip.ParseAddr(host); return err == nil }
	switch {
	case err != nil || len(labels) < 2 || len(challengeLabel)+len(host) > 253 || isAddress() || slices.ContainsFunc(labels, isInvalidLabel):
		return "", domainProblem("Enter a domain such as wiki.example.org, without a path or port.")
	case slices.Contains(reservedEndings, labels[len(labels)-1]):
		return "", domainProblem("Domains that end in .%s aren't public. Enter one that you have registered.", labels[len(labels)-1])
	case host == s.host || strings.HasSuffix(host, "."+s.host) || strings.HasSuffix(s.host, "."+host):
		return "", domainProblem("%s belongs to this service. Enter a domain of your own.", host)
	}
	return host, nil
}

// isInvalidLabel reports a part of a name that no host has.
func isInvalidLabel(label string) bool {
	return label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
		strings.ContainsFunc(label, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') })
}

// CheckDomain looks at the DNS of a wiki's domain. It connects one that the owner has
// named, if the DNS proves that it is theirs and points here. Errors for the owner are
// Problems.
func (s *Service) CheckDomain(ctx context.Context, a wiki.Access) error {
	if err := s.allowDomain(a); err != nil {
		return err
	}
	site := a.Site()
	d, err := s.store.LastDomain(ctx, site.Slug)
	switch {
	case errors.Is(err, wiki.ErrNotFound) || err == nil && !d.Released.IsZero():
		return domainProblem("Enter a domain first.")
	case err != nil:
		return fmt.Errorf("tenant: check a domain: %w", err)
	case s.now().Sub(d.Checked) < tryDomainEvery:
		return domainProblem("We looked just now. Try again in %d seconds.", int(tryDomainEvery.Seconds()))
	}
	if err := s.store.TriedDomain(ctx, site.Slug); err != nil {
		return err
	}
	release, err := s.acquireLookup(ctx)
	if err != nil {
		return err
	}
	defer release()
	if !d.Verified.IsZero() {
		return s.recheckDomain(ctx, d)
	}
	return s.connectDomain(ctx, a, d.Host)
}

// acquireLookup waits for one of the slots for domains that owners have looked at.
func (s *Service) acquireLookup(ctx context.Context) (release func(), err error) {
	select {
	case s.lookingUp <- struct{}{}:
		return func() { <-s.lookingUp }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Service) connectDomain(ctx context.Context, a wiki.Access, host string) error {
	if err := s.proveDomain(ctx, a.Site(), host); err != nil {
		return err
	}
	err := s.store.ConnectDomain(ctx, actor(a), a.Site().Slug, host, s.now().Add(-reserveDomain), maxDomainsADay)
	switch {
	case errors.Is(err, wiki.ErrExists):
		return domainProblem("%s is the domain of another wiki, or was until recently. It becomes free 30 days after it was disconnected there.", host)
	case errors.Is(err, wiki.ErrQuota):
		return domainProblem("This wiki has had %d other domains since yesterday. Try again tomorrow.", maxDomainsADay)
	case err != nil:
		return fmt.Errorf("tenant: connect a domain: %w", err)
	}
	return nil
}

// proveDomain checks that a domain's DNS has the wiki's proof and points here.
func (s *Service) proveDomain(ctx context.Context, site wiki.Site, host string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*dnsTimeout)
	defer cancel()
	silent := wiki.Problemf(wiki.ErrUnavailable, "domain", "The name servers of %s didn't answer. Try again in a few minutes.", host)
	texts, err := s.names.LookupTXT(ctx, challengeLabel+host+".")
	if err != nil && !isNoSuchName(err) {
		return silent
	}
	if !slices.Contains(texts, s.domainProof(site, host)) {
		return domainProblem("The TXT record of %s doesn't have the value below yet. New records can take an hour to arrive. Check it, then try again.", challengeLabel+host)
	}
	switch here, err := s.pointsHere(ctx, host); {
	case err != nil:
		return silent
	case !here:
		return domainProblem("%s doesn't point to this service yet. Set the second record below. It can take an hour to arrive.", host)
	}
	return nil
}

// pointsHere reports whether a domain leads to this service: by a CNAME record to one of
// its hosts, or because all its addresses are the service's. It fails if name servers
// don't answer.
func (s *Service) pointsHere(ctx context.Context, host string) (bool, error) {
	canonical, err := s.names.LookupCNAME(ctx, host+".")
	if isNoSuchName(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	canonical = strings.ToLower(strings.TrimSuffix(canonical, "."))
	if canonical == s.host || strings.HasSuffix(canonical, "."+s.host) {
		return true, nil
	}
	addresses, err := s.names.LookupNetIP(ctx, "ip", host+".")
	if isNoSuchName(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	own := s.ownAddresses(ctx)
	if own == nil {
		return false, errors.New("tenant: the service's own addresses are unknown")
	}
	elsewhere := func(a netip.Addr) bool { return !slices.Contains(own, a.Unmap()) }
	return len(addresses) > 0 && !slices.ContainsFunc(addresses, elsewhere), nil
}

// ownAddresses returns the addresses of the platform's host, or nil if they can't be
// looked up.
func (s *Service) ownAddresses(ctx context.Context) []netip.Addr {
	found, err := s.names.LookupNetIP(ctx, "ip", s.host+".")
	if err != nil {
		s.log.Warn("looking up the service's own addresses failed", "err", err)
		return nil
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	return found
}

// isNoSuchName reports whether name servers said that there is no such record, rather
// than nothing.
func isNoSuchName(err error) bool {
	var failed *net.DNSError
	return errors.As(err, &failed) && failed.IsNotFound
}

// DisconnectDomain disconnects a wiki's own domain, which stays reserved for the owner
// for a while, or forgets the one that is only named.
func (s *Service) DisconnectDomain(ctx context.Context, a wiki.Access) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	err := s.store.ReleaseDomain(ctx, actor(a), a.Site().Slug)
	if errors.Is(err, wiki.ErrNotFound) {
		return domainProblem("This wiki has no domain of its own.")
	}
	if err != nil {
		return fmt.Errorf("tenant: disconnect a domain: %w", err)
	}
	return nil
}

// CertifiesDomain reports whether the proxy may get a certificate for a host: it is the
// own domain of an open wiki and points here.
func (s *Service) CertifiesDomain(ctx context.Context, host string) bool {
	d, err := s.store.DomainAt(ctx, strings.ToLower(host))
	if err != nil || !d.Works() {
		return false
	}
	row, err := s.store.Site(ctx, d.Slug)
	return err == nil && row.PurgeAt.IsZero() && row.Suspended.IsZero()
}

// sweepDomains looks at the DNS of the connected domains that are due, and forgets old
// ones.
func (s *Service) sweepDomains(ctx context.Context) error {
	if s.names == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, domainSweepTime)
	defer cancel()
	due, err := s.store.DomainsToCheck(ctx, s.now().Add(-checkDomainEvery), maxDomainSweep)
	if err != nil {
		return err
	}
	errs := []error{s.store.SweepDomains(ctx, s.now().Add(-reserveDomain))}
	for _, d := range due {
		if ctx.Err() != nil {
			break // the others are due again in the next sweep
		}
		errs = append(errs, s.recheckDomain(ctx, d))
	}
	return errors.Join(errs...)
}

// recheckDomain looks at the DNS of a connected domain. One that points elsewhere is
// lost, and disconnected after keepLostDomain. Name servers that don't answer prove
// nothing, unless for long.
func (s *Service) recheckDomain(ctx context.Context, d store.Domain) error {
	look, cancel := context.WithTimeout(ctx, dnsTimeout)
	here, err := s.pointsHere(look, d.Host)
	cancel()
	now := s.now()
	d.Checked = now
	if err != nil {
		d.Checked = now.Add(recheckSilentDNS - checkDomainEvery)
	}
	action, detail := "", ""
	switch lost := err == nil && !here || err != nil && now.Sub(d.Seen) >= allowSilentDNS; {
	case here:
		d.Seen = now
		if !d.Lost.IsZero() {
			d.Lost, action, detail = time.Time{}, "domain.found", d.Host
		}
	case lost && d.Lost.IsZero():
		d.Lost, action, detail = now, "domain.lost", d.Host+" "+now.Add(keepLostDomain).Format("2 January 2006")
	case !d.Lost.IsZero() && now.Sub(d.Lost) >= keepLostDomain:
		s.log.Info("domain disconnected, because it doesn't point here any more", "wiki", d.Slug, "domain", d.Host)
		return s.store.DropDomain(ctx, d)
	}
	return s.store.DomainChecked(ctx, d, action, detail)
}
