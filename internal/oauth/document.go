package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/limit"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A fetched document is fresh for as long as its server says, within these
// limits. If it can't be fetched again, the stale copy is used for up to a
// week, because client servers do go down.
const (
	minFresh      = 10 * time.Minute
	defaultFresh  = time.Hour
	maxFresh      = 24 * time.Hour
	maxStale      = 7 * 24 * time.Hour
	failureMemory = 30 * time.Second // a failed document isn't retried for this long
	maxFailures   = 1000
)

// documents holds the running fetches and the recent failures.
type documents struct {
	client *http.Client
	flight singleflight.Group
	slots  *budget.Slots // limits concurrent fetches, by address
	mu     sync.Mutex
	failed map[string]time.Time
}

// documentHTTPClient doesn't follow redirects: a document's URL is the
// client's id.
func documentHTTPClient(guarded *http.Client) *http.Client {
	if guarded == nil {
		return nil
	}
	c := *guarded
	c.Timeout = documentTimeout
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// errGone means that the server says the document no longer exists.
var errGone = errors.New("the document is gone")

// clientFromDocument returns a client by its document, from the store if
// that copy is fresh.
func (s *Service) clientFromDocument(r *http.Request, id string) (*store.Client, error) {
	ctx := r.Context()
	now := s.o.Now()
	kept, err := s.o.Store.Client(ctx, id)
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return nil, err
	}
	if err == nil && now.Before(kept.FreshUntil) {
		return kept, nil
	}
	c, failed := s.fetchOnce(r, id, now)
	if failed == nil {
		return c, nil
	}
	s.o.Log.InfoContext(ctx, "fetching a client document failed", "client", truncate(id), "err", failed)
	if err == nil && !errors.Is(failed, errGone) && now.Before(kept.FreshUntil.Add(maxStale)) {
		return kept, nil
	}
	if errors.As(failed, new(rateLimitError)) {
		return nil, failed
	}
	return nil, wiki.WithCause("document", problem(wiki.ErrInvalid, "The program that sent you here describes itself at %s, which couldn't be read: %s. Nothing was shared with it. Try again in a minute.", id, documentFailure(failed)))
}

// fetchOnce fetches a document once for all concurrent callers and stores
// it.
func (s *Service) fetchOnce(r *http.Request, id string, now time.Time) (*store.Client, error) {
	if s.documents.client == nil {
		return nil, documentError("this service doesn't make outgoing requests")
	}
	if s.documents.failedRecently(id, now) {
		return nil, documentError("it failed a moment ago")
	}
	u, err := url.Parse(id)
	if err != nil {
		return nil, err
	}
	if s.o.Take != nil {
		if err := s.o.Take(r.RemoteAddr, u.Hostname()); err != nil {
			return nil, err
		}
	}
	// Each caller waits for a slot of its own: one whose slots are all taken
	// must not fail for the others.
	release, err := s.acquireFetch(r)
	if err != nil {
		return nil, err
	}
	defer release()
	// The caller that started the fetch can go away while others wait for
	// it.
	ctx := context.WithoutCancel(r.Context())
	c, err, _ := s.documents.flight.Do(id, func() (any, error) {
		c, err := s.fetchDocument(ctx, id, now)
		if err != nil {
			s.documents.rememberFailure(id, now)
			return nil, err
		}
		s.o.Fetched(u.Hostname())
		c.Share = "domain:" + limit.Domain(u.Hostname())
		return c, s.o.Store.SaveDocument(ctx, c)
	})
	if err != nil {
		return nil, err
	}
	return c.(*store.Client), nil
}

// newFetchSlots returns the slots for fetches, by address.
func newFetchSlots() *budget.Slots { return budget.NewSlots(maxFetches, maxFetchesEach) }

// acquireFetch waits for a slot for a fetch.
func (s *Service) acquireFetch(r *http.Request) (release func(), err error) {
	ctx, cancel := context.WithTimeout(r.Context(), documentTimeout)
	defer cancel()
	release, err = s.documents.slots.Acquire(ctx, limit.Visitor(r.RemoteAddr).String())
	if err != nil {
		return nil, documentError("too many documents are being fetched")
	}
	return release, nil
}

func (d *documents) failedRecently(id string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.failed[id]
	return ok && now.Before(at.Add(failureMemory))
}

// rememberFailure remembers a failed document. If there are too many, it forgets the
// expired ones, then the oldest of the host with the most, so that failures of one
// host don't make us ask others again.
func (d *documents) rememberFailure(id string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil {
		d.failed = map[string]time.Time{}
	}
	if len(d.failed) >= maxFailures {
		maps.DeleteFunc(d.failed, func(_ string, at time.Time) bool { return !now.Before(at.Add(failureMemory)) })
	}
	if len(d.failed) >= maxFailures {
		d.forgetFailure()
	}
	d.failed[id] = now
}

func (d *documents) forgetFailure() {
	oldest, count := map[string]string{}, map[string]int{} // by host
	var fullest string
	for id, at := range d.failed {
		host := id
		if u, err := url.Parse(id); err == nil {
			host = u.Host
		}
		if first, ok := oldest[host]; !ok || at.Before(d.failed[first]) {
			oldest[host] = id
		}
		if count[host]++; count[host] > count[fullest] {
			fullest = host
		}
	}
	delete(d.failed, oldest[fullest])
}

// A documentError describes a problem with a document to the person.
type documentError string

func (e documentError) Error() string { return string(e) }

func documentFailure(err error) string {
	var docErr documentError
	switch {
	case errors.As(err, &docErr):
		return string(docErr)
	case errors.Is(err, errGone):
		return errGone.Error()
	}
	return "its server did not answer"
}

// clientDocument holds the members of a client ID metadata document that we
// use.
type clientDocument struct {
	ID        string   `json:"client_id"`
	Name      string   `json:"client_name"`
	Redirects []string `json:"redirect_uris"`
	Auth      string   `json:"token_endpoint_auth_method"`
	Secret    string   `json:"client_secret"`
}

func (s *Service) fetchDocument(ctx context.Context, id string, now time.Time) (*store.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, documentTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, id, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "robot.wtf")
	resp, err := s.documents.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("oauth: fetch %s: %w", id, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return nil, errGone
	case resp.StatusCode != http.StatusOK:
		return nil, documentError("its server answered " + strconv.Itoa(resp.StatusCode))
	}
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, documentError("it is not JSON")
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("oauth: read %s: %w", id, err)
	}
	if len(text) > maxDocument {
		return nil, documentError("it is larger than " + strconv.Itoa(maxDocument>>10) + " KB")
	}
	c, err := s.parseDocument(id, text)
	if err == nil {
		c.FreshUntil = now.Add(freshFor(resp.Header))
	}
	return c, err
}

// parseDocument checks a document. It drops redirect URIs that we don't
// accept: they can be meant for other services.
func (s *Service) parseDocument(id string, text []byte) (*store.Client, error) {
	var d clientDocument
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, documentError("it is not JSON")
	}
	name := cleanName(d.Name)
	d.Redirects = slices.DeleteFunc(d.Redirects, func(r string) bool { return s.checkRedirect(r) != "" })
	switch {
	case d.ID != id:
		return nil, documentError("it is about another client")
	case d.Secret != "" || strings.HasPrefix(d.Auth, "client_secret"):
		return nil, documentError("it uses a client secret, which a public document can't have")
	case name == "":
		return nil, documentError("it has no client_name")
	case len(d.Redirects) == 0 || len(d.Redirects) > maxRedirects:
		return nil, documentError("it has no redirect_uris that this service accepts")
	}
	return &store.Client{ID: id, Document: true, Name: name, Redirects: d.Redirects, Auth: "none"}, nil
}

// freshFor is how long the server allows a document to be cached (RFC 9111,
// section 5.2.2.1).
func freshFor(h http.Header) time.Duration {
	for part := range strings.SplitSeq(strings.ToLower(h.Get("Cache-Control")), ",") {
		value, ok := strings.CutPrefix(strings.TrimSpace(part), "max-age=")
		if seconds, err := strconv.Atoi(value); ok && err == nil {
			return min(max(time.Duration(seconds)*time.Second, minFresh), maxFresh)
		}
	}
	return defaultFresh
}
