package atproto

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/wiki"
)

const resolverMethod = "as.test/xrpc/com.atproto.identity.resolveHandle"

func status(code int) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) { http.Error(rw, "no", code) }
}

func says(v any) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) { answer(rw, http.StatusOK, v) }
}

// repoStatus makes an account's server say why the account isn't active.
func (w *world) repoStatus(why string) {
	w.handlers["pds.test/xrpc/com.atproto.sync.getRepoStatus"] = says(map[string]any{"did": adaDID, "active": false, "status": why})
}

// hang lets requests to an address wait until the test ends.
func (w *world) hang(address string) {
	w.service.resolveTimeout = time.Second
	stop := make(chan struct{})
	w.t.Cleanup(func() { close(stop) }) // before the servers, which wait for their handlers
	w.handlers[address] = func(http.ResponseWriter, *http.Request) { <-stop }
}

// silenceDNS makes all name servers silent.
func (w *world) silenceDNS() {
	w.service.resolveTimeout = time.Second
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { silent.Close() })
	w.service.names = outbound.Resolver(outbound.Options{DNS: silent.LocalAddr().String()})
}

// knows stores Ada as a person who signed in before.
func (w *world) knows(handle string) {
	if err := w.db.RecordSignIn(w.t.Context(), wiki.User{DID: adaDID, Handle: handle}, "pds.test"); err != nil {
		w.t.Fatal(err)
	}
}

const wellKnown = "ada.test/.well-known/atproto-did"

// Each way to resolve a handle fails in each possible way: want is the handle of the
// account that is found, or the cause of the failure.
func TestResolveHandle(t *testing.T) {
	t.Parallel()
	type change = func(w *world)
	host := func(h http.HandlerFunc) change { return func(w *world) { w.handlers[wellKnown] = h } }
	all := func(list ...change) change {
		return func(w *world) {
			for _, c := range list {
				c(w)
			}
		}
	}
	dns := func(record string) change { return func(w *world) { w.txt["ada.test"] = record } }
	dnsFails := func(w *world) { w.noDNS["ada.test"] = true }
	dnsSilent := func(w *world) { w.silenceDNS() }
	hostSilent := func(w *world) { w.hang(wellKnown) }
	known := func(w *world) { w.knows("ada.test") }
	resolver := func(h http.HandlerFunc) change {
		return func(w *world) { w.service.resolver, w.handlers[resolverMethod] = "https://as.test", h }
	}
	declares := func(also ...string) change {
		return func(w *world) { w.accounts[adaDID] = account{also: also, pds: "https://pds.test"} }
	}
	state := func(why string) change { return func(w *world) { w.repoStatus(why) } }
	const nobody, silent = "nobody", "handle host silent"
	for name, tt := range map[string]struct {
		change change
		want   string
	}{
		"https":                            {host(nil), "ada.test"},
		"https, DNS fails":                 {dnsFails, "ada.test"},
		"https, DNS silent":                {dnsSilent, "ada.test"},
		"https with white space":           {host(func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write([]byte("\n " + adaDID + "\r\n")) }), "ada.test"},
		"DNS, no https":                    {all(dns(adaDID), host(status(404))), "ada.test"},
		"DNS, https fails":                 {all(dns(adaDID), host(status(500))), "ada.test"},
		"DNS, https silent":                {all(dns(adaDID), hostSilent), "ada.test"},
		"DNS wins over https":              {all(dns(eveDID)), OtherHandle},
		"DNS says it twice":                {dns(adaDID + " " + adaDID), "ada.test"},
		"DNS, and a record that is no DID": {all(dns("did:x "+adaDID), host(status(404))), "ada.test"},
		"two DIDs in DNS":                  {dns(adaDID + " " + eveDID), "two accounts"},
		"two DIDs in DNS, known":           {all(dns(adaDID+" "+eveDID), known), "two accounts"},
		"nowhere":                          {host(status(404)), nobody},
		"gone":                             {host(status(410)), nobody},
		"a web page":                       {host(func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write([]byte("<!doctype html>")) }), nobody},
		"an endless page":                  {host(func(rw http.ResponseWriter, r *http.Request) { endless(rw) }), nobody},
		"a broken DID":                     {host(func(rw http.ResponseWriter, r *http.Request) { _, _ = rw.Write([]byte("did:plc:")) }), nobody},
		"redirects inside": {host(func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "https://127.0.0.1/", http.StatusFound)
		}), nobody},
		"https 403":                   {host(status(403)), silent},
		"https 429":                   {host(status(429)), silent},
		"https 500":                   {host(status(500)), silent},
		"https 503":                   {host(status(503)), silent},
		"https silent":                {hostSilent, silent},
		"DNS fails, nothing by https": {all(dnsFails, host(status(404))), silent},
		"DNS and https silent":        {all(dnsSilent, hostSilent), silent},
		"https 503, known":            {all(host(status(503)), known), "ada.test"},
		"all silent, known":           {all(dnsSilent, hostSilent, known), "ada.test"},
		"https 503, known, renamed":   {all(host(status(503)), known, declares("at://new.test")), silent},
		"https 503, known, no handle": {all(host(status(503)), known, declares()), wiki.InvalidHandle},
		"https 503, known, invalid":   {all(host(status(503)), known, declares("at://handle.invalid")), wiki.InvalidHandle},
		"nowhere, known":              {all(host(status(404)), known), wiki.InvalidHandle},
		"nowhere, known, deactivated": {all(host(status(404)), known, state("deactivated")), "ada.test"},
		"nowhere, known, taken down":  {all(host(status(404)), known, state("takendown")), "taken down"},
		"nowhere, known, suspended":   {all(host(status(404)), known, state("suspended")), "taken down"},
		"nowhere, known, deleted":     {all(host(status(404)), known, state("deleted")), "deleted"},
		"nowhere, known, not at its server": {all(host(status(404)), known, func(w *world) {
			w.handlers["pds.test/xrpc/com.atproto.sync.getRepoStatus"] = func(rw http.ResponseWriter, r *http.Request) {
				answer(rw, 400, map[string]string{"error": "RepoNotFound"})
			}
		}), "deleted"},
		"nowhere, known, tombstone":       {all(host(status(404)), known, func(w *world) { w.handlers["plc.test/"+adaDID] = status(410) }), "deleted"},
		"nowhere, not known, deactivated": {all(host(status(404)), state("deactivated")), nobody},
		"declares a reserved name":        {declares("at://ada.internal"), OtherHandle},
		"known, declares a reserved name": {all(known, declares("at://ada.internal")), wiki.InvalidHandle},
		"known, declares handle.invalid":  {all(known, declares("at://handle.invalid")), wiki.InvalidHandle},
		"PLC fails":                       {func(w *world) { w.handlers["plc.test/"+adaDID] = status(503) }, "unreadable account"},
		"resolver":                        {all(host(status(503)), resolver(says(map[string]string{"did": adaDID}))), "ada.test"},
		"resolver, all silent":            {all(dnsSilent, hostSilent, resolver(says(map[string]string{"did": adaDID}))), "ada.test"},
		"resolver names another":          {all(host(status(503)), resolver(says(map[string]string{"did": eveDID}))), OtherHandle},
		"resolver fails":                  {all(host(status(503)), resolver(status(500))), silent},
		"resolver says nonsense":          {all(host(status(503)), resolver(says(map[string]string{"did": "x"}))), silent},
		"resolver isn't asked":            {all(host(status(404)), resolver(says(map[string]string{"did": adaDID}))), nobody},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.change(w)
			found, err := w.service.Find(t.Context(), "did:plc:owner", "ada.test")
			got := found.Handle
			if err != nil {
				problemText(t, err)
				got = wiki.CauseOf(err)
			}
			if got != tt.want || err == nil && found.DID != adaDID {
				t.Errorf("%s of %s, want %s: %v", got, found.DID, tt.want, err)
			}
		})
	}
}

// The resolver has a rate limit like other servers.
func TestResolverIsLimited(t *testing.T) {
	w := newLimitedWorld(t, 0)
	w.service.resolver, w.handlers[wellKnown] = "https://as.test", status(503)
	w.handlers[resolverMethod] = says(map[string]string{"did": adaDID})
	if _, err := w.browser().begin("ada.test"); err != nil {
		t.Error(err)
	}
	for w.service.limits.Server("as.test") == nil {
		w.service.limits.Served("as.test")
	}
	w.asked = nil
	if _, err := w.browserAt("192.0.2.200:1").begin("ada.test"); wiki.CauseOf(err) != "handle host silent" {
		t.Error(err)
	}
	for _, asked := range w.asked {
		if strings.Contains(asked, "as.test") {
			t.Errorf("asked for %s", asked)
		}
	}
}

// The account of a DID has the handle that its document declares, if that leads back.
func TestVerifyHandle(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"resolves":                    {func(*world) {}, "ada.test"},
		"of another":                  {func(w *world) { w.handles["ada.test"] = eveDID }, wiki.InvalidHandle},
		"of another, known":           {func(w *world) { w.knows("ada.test"); w.handles["ada.test"] = eveDID }, wiki.InvalidHandle},
		"nowhere":                     {func(w *world) { w.handles["ada.test"] = "" }, wiki.InvalidHandle},
		"nowhere, known":              {func(w *world) { w.knows("ada.test"); w.handles["ada.test"] = "" }, wiki.InvalidHandle},
		"deactivated, known":          {func(w *world) { w.knows("ada.test"); w.handles["ada.test"] = ""; w.repoStatus("deactivated") }, "ada.test"},
		"deactivated":                 {func(w *world) { w.handles["ada.test"] = ""; w.repoStatus("deactivated") }, wiki.InvalidHandle},
		"taken down":                  {func(w *world) { w.handles["ada.test"] = ""; w.repoStatus("takendown") }, "taken down"},
		"can't be asked":              {func(w *world) { w.handlers[wellKnown] = status(503) }, wiki.InvalidHandle},
		"can't be asked, known":       {func(w *world) { w.knows("ada.test"); w.handlers[wellKnown] = status(503) }, "ada.test"},
		"can't be asked, once it was": {func(w *world) { w.knows("ada.test"); w.knows(wiki.InvalidHandle); w.handlers[wellKnown] = status(503) }, "ada.test"},
		"two in DNS":                  {func(w *world) { w.knows("ada.test"); w.txt["ada.test"] = adaDID + " " + eveDID }, wiki.InvalidHandle},
		"none":                        {func(w *world) { w.accounts[adaDID] = account{also: []string{}, pds: "https://pds.test"} }, wiki.InvalidHandle},
		"handle.invalid":              {func(w *world) { w.accounts[adaDID] = account{handle: "handle.invalid", pds: "https://pds.test"} }, wiki.InvalidHandle},
		"reserved":                    {func(w *world) { w.accounts[adaDID] = account{handle: "ada.local", pds: "https://pds.test"} }, wiki.InvalidHandle},
		"onion":                       {func(w *world) { w.accounts[adaDID] = account{handle: "ada.onion", pds: "https://pds.test"} }, wiki.InvalidHandle},
		"no handle syntax":            {func(w *world) { w.accounts[adaDID] = account{handle: "ada", pds: "https://pds.test"} }, wiki.InvalidHandle},
		"deleted":                     {func(w *world) { w.handlers["plc.test/"+adaDID] = status(410) }, "deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.change(w)
			user, err := w.browser().signIn(adaDID)
			got := user.Handle
			if err != nil {
				problemText(t, err)
				got = wiki.CauseOf(err)
			}
			if got != tt.want {
				t.Errorf("%s, want %s: %v", got, tt.want, err)
			}
		})
	}
}

// What happens between start and callback doesn't take a person's handle away, unless it
// contradicts it. If the directory fails, the error names it, and the code isn't spent.
func TestHandleAtCallback(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(w *world)
		want   string
	}{
		"nothing":      {func(*world) {}, "ada.test"},
		"host fails":   {func(w *world) { w.handlers[wellKnown] = status(503) }, "ada.test"},
		"host refuses": {func(w *world) { w.handlers[wellKnown] = status(403) }, "ada.test"},
		"host is busy": {func(w *world) { w.handlers[wellKnown] = status(429) }, "ada.test"},
		"all silent":   {func(w *world) { w.silenceDNS(); w.hang(wellKnown) }, "ada.test"},
		"DNS fails":    {func(w *world) { w.noDNS["ada.test"] = true; w.handlers[wellKnown] = status(404) }, "ada.test"},
		"of another":   {func(w *world) { w.handles["ada.test"], w.token["sub"] = eveDID, adaDID }, wiki.InvalidHandle},
		"nowhere":      {func(w *world) { w.handlers[wellKnown] = status(404) }, wiki.InvalidHandle},
		"deactivated":  {func(w *world) { w.handlers[wellKnown] = status(404); w.repoStatus("deactivated") }, "ada.test"},
		"renamed": {func(w *world) {
			w.accounts[adaDID] = account{handle: "new.test", pds: "https://pds.test"}
			w.handles["new.test"] = adaDID
		}, "new.test"},
		"renamed, unproven": {func(w *world) { w.accounts[adaDID] = account{handle: "new.test", pds: "https://pds.test"} }, wiki.InvalidHandle},
		"PLC fails":         {func(w *world) { w.handlers["plc.test/"+adaDID] = status(503) }, "unreadable account"},
		"PLC silent":        {func(w *world) { w.service.documentTimeout = 300 * time.Millisecond; w.hang("plc.test/" + adaDID) }, "directory silent"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			b := w.browser()
			to, err := b.begin("ada.test")
			if err != nil {
				t.Fatal(err)
			}
			w.mu.Lock()
			tt.change(w)
			w.mu.Unlock()
			query := w.approve(to)
			user, err := b.finish(query)
			got := user.Handle
			if err != nil {
				if text := problemText(t, err); !strings.Contains(text, "plc.test") {
					t.Error(text)
				}
				got = wiki.CauseOf(err)
				if w.codes[query.Get("code")] == "" {
					t.Error("the code is spent")
				}
			}
			if got != tt.want {
				t.Errorf("%s, want %s: %v", got, tt.want, err)
			}
		})
	}
}
