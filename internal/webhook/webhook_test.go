package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) { os.Exit(testdisk.Run(m)) }

// A receiver is the other service.
type receiver struct {
	mu     sync.Mutex
	status int // 0 for 204
	header http.Header
	got    []received
}

type received struct {
	url    string
	header http.Header
	body   []byte
	at     time.Time
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, received{req.URL.String(), req.Header, body, time.Now()})
	resp := &http.Response{StatusCode: r.status, Header: r.header, Body: io.NopCloser(bytes.NewReader([]byte("answer"))), Request: req}
	if resp.StatusCode == 0 {
		resp.StatusCode = http.StatusNoContent
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	return resp, nil
}

func (r *receiver) count() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.got) }

// A fixture is a testworld with webhooks of ada's wiki.
type fixture struct {
	*testworld.World
	*receiver
	hooks *Service
}

func newFixture(t *testing.T, now func() time.Time) *fixture {
	t.Helper()
	f := &fixture{World: testworld.New(t, testworld.Options{Now: now}), receiver: &receiver{}}
	if now == nil {
		now = f.Clock.Now
	}
	f.hooks = New(Options{
		Tenant: f.Tenant, Pages: f.Pages, Client: &http.Client{Transport: f.receiver}, WikiOrigin: f.Origin, Name: "test", Now: now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	return f
}

// add adds a webhook of ada's wiki.
func (f *fixture) add(address string) tenant.Webhook {
	f.T.Helper()
	return f.addAs(address, false)
}

// addAs adds a webhook of ada's wiki, maybe a bare one.
func (f *fixture) addAs(address string, bare bool) tenant.Webhook {
	f.T.Helper()
	a := f.Access("ada", "ada")
	seq, err := f.Pages.Head(f.T.Context(), a)
	if err != nil {
		f.T.Fatal(err)
	}
	h, err := f.Tenant.AddWebhook(f.T.Context(), a, address, bare, seq)
	if err == nil {
		err = f.hooks.Changed(f.T.Context(), "ada")
	}
	if err != nil {
		f.T.Fatal(err)
	}
	return h
}

// save saves a page of ada's wiki.
func (f *fixture) save(name, page, text string) {
	f.T.Helper()
	f.Save("ada", name, page, text)
	f.hooks.Committed("ada")
}

// row returns the webhook's row.
func (f *fixture) row(h tenant.Webhook) tenant.Webhook {
	f.T.Helper()
	list, err := f.Tenant.AllWebhooks(f.T.Context(), "ada")
	if err != nil {
		f.T.Fatal(err)
	}
	for _, row := range list {
		if row.ID == h.ID {
			return row
		}
	}
	f.T.Fatal("the webhook is gone")
	return h
}

const address = "https://hooks.example.org/x"

// A message has who changed which pages, is signed, and has no text of a page.
func TestMessage(t *testing.T) {
	f := newFixture(t, nil)
	h := f.add(address)
	f.save("ada", "Garden/Beds", "canary-text\n")
	f.save("ada", "Garden/Beds", "canary-text two\n")
	f.save("bob", "Tide_Tables", "canary-text three\n")
	f.hooks.notify(t.Context(), "ada")
	if f.count() != 1 {
		t.Fatalf("%d messages", f.count())
	}
	got := f.got[0]
	if bytes.Contains(got.body, []byte("canary-text")) {
		t.Errorf("a page's text: %s", got.body)
	}
	var p payload
	if err := json.Unmarshal(got.body, &p); err != nil {
		t.Fatal(err)
	}
	if p.Type != "wiki.changed" || p.Data.Wiki.Slug != "ada" || p.Data.Wiki.URL != f.Origin("ada")+"/" || len(p.Data.Sessions) != 2 || p.Data.More {
		t.Fatalf("%s", got.body)
	}
	first := p.Data.Sessions[0]
	if first.By != "ada" || first.Commits != 2 || len(first.Pages) != 1 || first.Pages[0] != (page{"Garden/Beds", f.Origin("ada") + "/Garden/Beds", "modified"}) || p.Data.Sessions[1].By != "bob" {
		t.Errorf("%s", got.body)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(f.Tenant.WebhookSecret(h), "whsec_"))
	if err != nil || len(key) < 24 {
		t.Fatalf("secret of %d bytes, %v", len(key), err)
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", got.header.Get("webhook-id"), got.header.Get("webhook-timestamp"), got.body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); got.header.Get("webhook-signature") != want {
		t.Errorf("signature %q, want %q", got.header.Get("webhook-signature"), want)
	}
	f.hooks.notify(t.Context(), "ada")
	if f.count() != 1 {
		t.Error("delivered twice")
	}
}

// A bare webhook learns that something changed, and no name or commit message.
func TestBareMessages(t *testing.T) {
	for _, where := range []string{address, "https://discord.com/api/webhooks/1/x", "https://hooks.slack.com/services/x"} {
		f := newFixture(t, nil)
		f.addAs(where, true)
		a := f.Access("ada", "ada")
		if err := f.Tenant.Configure(t.Context(), a, tenant.Settings{Title: "Quinces and medlars"}); err != nil {
			t.Fatal(err)
		}
		f.save("ada", "Quinces", "Sour.\n")
		f.save("bob", "Quinces", "Very sour.\n")
		f.save("ada", "Medlars", "Brown.\n")
		f.hooks.notify(t.Context(), "ada")
		if f.count() != 1 {
			t.Fatalf("%s: %d messages", where, f.count())
		}
		body := string(f.got[0].body)
		for _, secret := range []string{"uinces", "edlars", "ob", "our", "session", "Create", "Edit"} {
			if strings.Contains(strings.ReplaceAll(body, "robot", ""), secret) {
				t.Errorf("%s: %q in %s", where, secret, body)
			}
		}
		if !strings.Contains(body, `"commits":3,"pages":2`) && !strings.Contains(body, "3 changes to 2 pages") {
			t.Errorf("%s: %s", where, body)
		}
	}
}

// Attack: names and messages that notify everybody in a channel, or look like links.
func TestMessagesForPeople(t *testing.T) {
	f := newFixture(t, nil)
	f.add("https://discord.com/api/webhooks/1/x")
	f.add("https://hooks.slack.com/services/x")
	f.save("ada", "@everyone_[x](http:__evil)_*bold*", "text\n")
	f.save("ada", "<!channel>_&", "text\n")
	f.hooks.notify(t.Context(), "ada")
	if f.count() != 2 {
		t.Fatalf("%d messages", f.count())
	}
	var discord struct {
		Content  string
		Mentions struct{ Parse []string } `json:"allowed_mentions"`
	}
	var slack struct{ Text string }
	if err := errors.Join(json.Unmarshal(f.got[0].body, &discord), json.Unmarshal(f.got[1].body, &slack)); err != nil {
		t.Fatal(err)
	}
	if discord.Mentions.Parse == nil || len(discord.Mentions.Parse) > 0 || !strings.Contains(discord.Content, `\@everyone \[x\]\(http:  evil\)`) {
		t.Errorf("%s", f.got[0].body)
	}
	if strings.Contains(slack.Text, "<!") || !strings.Contains(slack.Text, "&lt;!channel&gt; &amp;") {
		t.Errorf("%s", f.got[1].body)
	}
	for i := range 60 {
		f.save("ada", fmt.Sprintf("Page_%d_%s", i, strings.Repeat("x", 80)), "text\n")
	}
	f.hooks.notify(t.Context(), "ada")
	if err := json.Unmarshal(f.got[2].body, &discord); err != nil || len(discord.Content) > 2000 || !strings.Contains(discord.Content, "and 55 more") {
		t.Errorf("%d bytes, %v: %s", len(discord.Content), err, discord.Content)
	}
}

// A delivery that fails is repeated later and later, with everything that has happened
// since, and is given up after three days.
func TestFailedDeliveries(t *testing.T) {
	f := newFixture(t, nil)
	h := f.add(address)
	f.status = http.StatusInternalServerError
	f.save("ada", "One", "1\n")
	for i, wait := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		f.hooks.notify(t.Context(), "ada")
		row := f.row(h)
		if row.Failures != i+1 || row.Retry.Sub(f.Clock.Now()) != wait || row.Seq != h.Seq || !strings.Contains(row.Problem, "answered 500") {
			t.Errorf("failure %d: %+v", i+1, row)
		}
		f.hooks.notify(t.Context(), "ada") // before it is due
		if f.count() != i+1 {
			t.Errorf("%d messages after %d failures", f.count(), i+1)
		}
		f.Clock.Add(wait)
	}
	f.save("ada", "Two", "2\n")
	f.status = 0
	f.hooks.notify(t.Context(), "ada")
	last := f.got[len(f.got)-1]
	if row := f.row(h); !bytes.Contains(last.body, []byte("One")) || !bytes.Contains(last.body, []byte("Two")) || row.Failures != 0 || !row.Failing.IsZero() || row.Problem != "" || row.Delivered.IsZero() {
		t.Errorf("%s, %+v", last.body, row)
	}

	f.status, f.header = http.StatusTooManyRequests, http.Header{"Retry-After": {"7200"}}
	f.save("ada", "Three", "3\n")
	f.hooks.notify(t.Context(), "ada")
	if wait := f.row(h).Retry.Sub(f.Clock.Now()); wait != 2*time.Hour {
		t.Errorf("waits %v after 429", wait)
	}
	f.header = nil
	for f.row(h).Stopped.IsZero() {
		f.Clock.Add(6 * time.Hour)
		f.hooks.notify(t.Context(), "ada")
		if f.count() > 30 {
			t.Fatal("never given up")
		}
	}
	if lasted := f.Clock.Now().Sub(f.row(h).Failing); lasted < 3*24*time.Hour || lasted > 4*24*time.Hour {
		t.Errorf("given up after %v", lasted)
	}
	if notices, err := f.Tenant.Notices(t.Context(), "did:plc:ada"); err != nil || len(notices) != 1 || !strings.HasPrefix(notices[0].Text, "A webhook of ada was stopped") {
		t.Errorf("its owner isn't notified: %v %v", notices, err)
	}
	n := f.count()
	f.Clock.Add(48 * time.Hour)
	f.hooks.notify(t.Context(), "ada")
	if f.count() != n {
		t.Error("delivered after it was given up")
	}
	f.status = 0
	a := f.Access("ada", "ada")
	seq, err := f.Pages.Head(t.Context(), a)
	if err == nil {
		err = f.Tenant.ResumeWebhook(t.Context(), a, h.ID, seq)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.save("ada", "Four", "4\n")
	f.hooks.notify(t.Context(), "ada")
	if last := f.got[len(f.got)-1]; f.count() != n+1 || bytes.Contains(last.body, []byte("Three")) || !bytes.Contains(last.body, []byte("Four")) {
		t.Errorf("after it was resumed: %s", last.body)
	}

	f.status = http.StatusGone
	f.save("ada", "Five", "5\n")
	f.hooks.notify(t.Context(), "ada")
	if f.row(h).Stopped.IsZero() {
		t.Error("410 doesn't end it")
	}
}

// A webhook rests while the owner who added it doesn't own the wiki, and while the wiki is
// suspended.
func TestRightsEnd(t *testing.T) {
	f := newFixture(t, nil)
	h := f.add(address)
	operator, err := f.Tenant.Resolve(t.Context(), "ada", wiki.Caller{Operator: true})
	if err != nil {
		t.Fatal(err)
	}
	f.save("ada", "One", "1\n")
	if err := f.Tenant.Suspend(t.Context(), operator, "why"); err != nil {
		t.Fatal(err)
	}
	f.hooks.notify(t.Context(), "ada")
	if err := f.Tenant.Resume(t.Context(), operator); err != nil {
		t.Fatal(err)
	}
	if err := f.Tenant.Transfer(t.Context(), operator, testworld.Person("bob").DID); err != nil {
		t.Fatal(err)
	}
	f.hooks.notify(t.Context(), "ada")
	if f.count() != 0 || f.row(h).Failures != 0 {
		t.Errorf("%d messages, %+v", f.count(), f.row(h))
	}
	if err := f.hooks.Test(t.Context(), f.Access("ada", "cleo"), h.ID); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("a member tests it: %v", err)
	}
}

// A message is sent when the wiki is quiet, or after five minutes; forty edits are one
// message. After a restart nothing is missing.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, time.Now)
		f.add(address)
		ctx, stop := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { f.hooks.Run(ctx) })
		defer func() { stop(); done.Wait() }()
		for i := range 40 {
			f.save("ada", "Log", fmt.Sprint("entry ", i, "\n"))
			time.Sleep(time.Second)
		}
		began := time.Now()
		time.Sleep(quietFor + time.Second)
		if f.count() != 1 || f.got[0].at.Sub(began) > quietFor {
			t.Fatalf("%d messages", f.count())
		}
		for range 30 { // without a pause
			f.save("ada", "Log", fmt.Sprint("again ", time.Now(), "\n"))
			time.Sleep(quietFor / 2)
		}
		time.Sleep(time.Hour)
		if n := f.count(); n < 2 || n > 4 {
			t.Errorf("%d messages about seven minutes of edits", n)
		}
		stop()
		done.Wait()
		n := f.count()
		f.Save("ada", "ada", "Missed", "while nobody delivered\n")
		again := New(f.hooks.o)
		next, stopNext := context.WithCancel(t.Context())
		defer func() { stopNext(); done.Wait() }()
		done.Go(func() { again.Run(next) })
		time.Sleep(time.Hour)
		if f.count() != n+1 || !bytes.Contains(f.got[n].body, []byte("Missed")) {
			t.Errorf("%d messages after a restart, want %d", f.count(), n+1)
		}
	})
}

// Attack: a webhook at an address inside the network, or one that redirects there.
func TestDeliveriesAreGuarded(t *testing.T) {
	f := newFixture(t, nil)
	h := f.add("https://localhost/hook")
	f.hooks = New(Options{Tenant: f.Tenant, Pages: f.Pages, Client: outbound.New(outbound.Options{}), WikiOrigin: f.Origin, Name: "test", Now: f.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err := f.hooks.Test(t.Context(), f.Access("ada", "ada"), h.ID); !errors.Is(err, wiki.ErrInvalid) || !strings.Contains(err.Error(), "private network") {
		t.Errorf("%v", err)
	}
	r := &receiver{status: http.StatusFound, header: http.Header{"Location": {"https://127.0.0.1/"}}}
	f.hooks = New(Options{Tenant: f.Tenant, Pages: f.Pages, Client: &http.Client{Transport: r}, WikiOrigin: f.Origin, Name: "test", Now: f.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err := f.hooks.Test(t.Context(), f.Access("ada", "ada"), h.ID); err == nil || !strings.Contains(err.Error(), "Redirects aren't followed") || r.count() != 1 {
		t.Errorf("%v after %d requests", err, r.count())
	}
}

// Many commits become several messages, none of them with a commit twice.
func TestManyCommits(t *testing.T) {
	f := newFixture(t, nil)
	f.add(address)
	for i := range maxCommits + 5 {
		f.save("ada", "Log", fmt.Sprint("entry ", i, "\n"))
	}
	for range 3 {
		f.hooks.notify(t.Context(), "ada")
	}
	commits, more := 0, 0
	for _, got := range f.got {
		var p payload
		if err := json.Unmarshal(got.body, &p); err != nil {
			t.Fatal(err)
		}
		commits += p.Data.Sessions[0].Commits
		if p.Data.More {
			more++
		}
	}
	if f.count() != 2 || commits != maxCommits+5 || more != 1 {
		t.Errorf("%d messages with %d commits, %d of them with more to come", f.count(), commits, more)
	}
}
