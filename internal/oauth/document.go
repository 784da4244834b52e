package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// How long a document that was fetched is good for: what its server says, within
// these. When it cannot be fetched again the one we have does for days more, for
// the servers of clients have been down before.
const (
	freshAtLeast = 10 * time.Minute
	freshUsually = time.Hour
	freshAtMost  = 24 * time.Hour
	staleAtMost  = 7 * 24 * time.Hour
	failedFor    = 30 * time.Second // in which a document that failed is not asked for again
	failedMost   = 1000
)

// documents are the fetches under way and those that failed just now.
type documents struct {
	client *http.Client
	flight singleflight.Group
	slots  chan struct{} // of fetches under way
	mu     sync.Mutex
	failed map[string]time.Time
}

// documentClient follows no redirect: where a document is, is the client's id.
func documentClient(guarded *http.Client) *http.Client {
	if guarded == nil {
		return nil
	}
	c := *guarded
	c.Timeout = documentTime
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// errGone is a document that its server says is not there any more.
var errGone = errors.New("the document is gone")

// fetched is a client by its document, from memory while that is fresh.
func (s *Service) fetched(r *http.Request, id string) (*store.Client, error) {
	ctx := r.Context()
	now := s.o.Now()
	kept, err := s.o.Store.Client(ctx, id)
	if err != nil && !errors.Is(err, wiki.ErrNotFound) {
		return nil, err
	}
	if err == nil && now.Before(kept.Fresh) {
		return kept, nil
	}
	c, failed := s.fetch(r, id, now)
	if failed == nil {
		return c, nil
	}
	if errors.As(failed, new(retrier)) {
		return nil, failed
	}
	s.o.Log.InfoContext(ctx, "oauth: client document", "client", clip(id), "err", failed)
	if err == nil && !errors.Is(failed, errGone) && now.Before(kept.Fresh.Add(staleAtMost)) {
		return kept, nil
	}
	return nil, wiki.WithCause("document", problem(wiki.ErrInvalid, "The program that sent you here describes itself at %s, and that could not be read: %s. Nothing was shared with it. Try again in a minute.", id, reason(failed)))
}

// fetch fetches a document once for all who wait for it, and keeps it.
func (s *Service) fetch(r *http.Request, id string, now time.Time) (*store.Client, error) {
	if s.documents.client == nil {
		return nil, documentError("there is no way out of here")
	}
	if s.documents.failedLately(id, now) {
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
	// Whoever came first may leave; the others still wait.
	ctx := context.WithoutCancel(r.Context())
	c, err, _ := s.documents.flight.Do(id, func() (any, error) {
		c, err := s.read(ctx, id, now)
		if err != nil {
			s.documents.fail(id, now)
			return nil, err
		}
		return c, s.o.Store.SaveDocument(ctx, c)
	})
	if err != nil {
		return nil, err
	}
	return c.(*store.Client), nil
}

func (d *documents) failedLately(id string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.failed[id]
	return ok && now.Before(at.Add(failedFor))
}

func (d *documents) fail(id string, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failed == nil || len(d.failed) >= failedMost {
		d.failed = map[string]time.Time{}
	}
	d.failed[id] = now
}

// documentError is what is wrong with a document, in words for the person.
type documentError string

func (e documentError) Error() string { return string(e) }

func reason(err error) string {
	var told documentError
	switch {
	case errors.As(err, &told):
		return string(told)
	case errors.Is(err, errGone):
		return errGone.Error()
	}
	return "its server did not answer"
}

// clientDocument is what matters of a client ID metadata document.
type clientDocument struct {
	ID        string   `json:"client_id"`
	Name      string   `json:"client_name"`
	Redirects []string `json:"redirect_uris"`
	Auth      string   `json:"token_endpoint_auth_method"`
	Secret    string   `json:"client_secret"`
}

func (s *Service) read(ctx context.Context, id string, now time.Time) (*store.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, documentTime)
	defer cancel()
	select {
	case s.documents.slots <- struct{}{}:
		defer func() { <-s.documents.slots }()
	case <-ctx.Done():
		return nil, documentError("too many are being read")
	}
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, id, nil)
	if err != nil {
		return nil, err
	}
	ask.Header.Set("Accept", "application/json")
	ask.Header.Set("User-Agent", "robot.wtf")
	answer, err := s.documents.client.Do(ask)
	if err != nil {
		return nil, fmt.Errorf("oauth: fetch %s: %w", id, err)
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusNotFound || answer.StatusCode == http.StatusGone:
		return nil, errGone
	case answer.StatusCode != http.StatusOK:
		return nil, documentError("its server answered " + strconv.Itoa(answer.StatusCode))
	}
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, documentError("it is not JSON")
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("oauth: read %s: %w", id, err)
	}
	if len(text) > maxDocument {
		return nil, documentError("it is larger than " + strconv.Itoa(maxDocument>>10) + " KB")
	}
	c, err := s.parseDocument(id, text)
	if err == nil {
		c.Fresh = now.Add(freshFor(answer.Header))
	}
	return c, err
}

// parseDocument checks a document. Addresses that this service sends nothing to
// are left out: other services may take them.
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
		return nil, documentError("it wants a secret, which a public document cannot have")
	case name == "":
		return nil, documentError("it has no client_name")
	case len(d.Redirects) == 0 || len(d.Redirects) > maxRedirects:
		return nil, documentError("it has no redirect_uris that can be used here")
	}
	return &store.Client{ID: id, Document: true, Name: name, Redirects: d.Redirects, Auth: "none"}, nil
}

// freshFor is how long a document's server lets it be kept (RFC 9111, 5.2.2.1).
func freshFor(h http.Header) time.Duration {
	for part := range strings.SplitSeq(strings.ToLower(h.Get("Cache-Control")), ",") {
		value, ok := strings.CutPrefix(strings.TrimSpace(part), "max-age=")
		if seconds, err := strconv.Atoi(value); ok && err == nil {
			return min(max(time.Duration(seconds)*time.Second, freshAtLeast), freshAtMost)
		}
	}
	return freshUsually
}
