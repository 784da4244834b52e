package atproto

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/net/dns/dnsmessage"

	"robot.wtf/internal/outbound"
	"robot.wtf/internal/store"
	"robot.wtf/internal/testdisk"
	"robot.wtf/internal/testdns"
	"robot.wtf/internal/wiki"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the library's; see cmd/robot
	os.Exit(testdisk.Run(m))
}

const (
	platform = "https://robot.wtf.internal"
	adaDID   = "did:plc:adaadaadaadaadaadaadaada"
	eveDID   = "did:plc:eveeveeveeveeveeveeveeve"
)

// A world is the network around a sign-in, on loopback with verified TLS: a
// PLC directory, name servers, servers that host accounts (pds.test) and an
// authorization server (as.test), as with Bluesky. Handlers and changes make
// single responses hostile.
type world struct {
	t       *testing.T
	service *Service
	options Options // of service
	id      string  // client_id that servers expect
	back    string  // redirect_uri that they expect
	db      *store.DB
	now     time.Time
	dir     string

	mu           sync.Mutex
	handles      map[string]string           // handle to DID, by https
	txt          map[string]string           // handle to DID, by DNS; several DIDs with spaces between
	noDNS        map[string]bool             // handles whose name servers fail
	address      map[string]string           // host to IPv4 address, by DNS
	accounts     map[string]account          // by DID
	blobs        map[string][]byte           // by CID
	handlers     map[string]http.HandlerFunc // by host and path: replace the default
	metadata     map[string]any              // changes to the authorization server's document
	token        map[string]any              // changes to the token response
	pars         map[string]url.Values       // by request_uri
	codes        map[string]string           // code to request_uri
	revoked      []string
	nonce        int               // the authorization server's present one
	signed       string            // id of the key that authenticated the last request
	noNonce      bool              // the authorization server has none
	nonceChanges int               // how often the server changes its nonce before it accepts one
	began        map[string]string // the same for each PAR, by request_uri
	asked        []string          // method, host and path of each request
	resolved     []string          // names that name servers were asked for
}

type account struct {
	handle, pds, name string
	also              []string // replaces the handle
	avatar            string   // CID of the avatar, or ""
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, now: time.Now(),
		handles:  map[string]string{"ada.test": adaDID, "eve.test": eveDID},
		txt:      map[string]string{},
		noDNS:    map[string]bool{},
		address:  map[string]string{},
		accounts: map[string]account{adaDID: {handle: "ada.test", pds: "https://pds.test", name: "Ada"}, eveDID: {handle: "eve.test", pds: "https://evil.test", name: "Eve"}},
		blobs:    map[string][]byte{},
		handlers: map[string]http.HandlerFunc{}, metadata: map[string]any{}, token: map[string]any{},
		pars: map[string]url.Values{}, codes: map[string]string{}, began: map[string]string{},
	}
	certificate, pool := certificates(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	w.dir = dir
	clock := func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
	var err error
	if w.db, err = store.Open(t.Context(), filepath.Join(dir, "robot.db"), clock); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	pins := map[string]string{}
	for _, host := range []string{"plc.test", "pds.test", "as.test", "ada.test", "eve.test", "evil.test", "new.test", "web.test", "big.test"} {
		pins[host] = server.Listener.Addr().String()
	}
	w.options = Options{
		Store: w.db, KeyDir: filepath.Join(dir, "keys"), Platform: platform, PLC: "https://plc.test",
		Admit:    func(u wiki.User) bool { return u.Handle != "closed.test" },
		Outbound: outbound.Options{Pins: pins, CA: pool, DNS: testdns.Serve(w.t, w.answerDNS)},
		Now:      clock, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	w.id, w.back = platform+MetadataPath, platform+CallbackPath
	w.open()
	return w
}

// open opens the service with its options.
func (w *world) open() {
	w.t.Helper()
	var err error
	if w.service, err = New(w.options); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.service.Close)
}

// certificates returns a CA and a certificate for all names in the tests.
func certificates(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"}, DNSNames: []string{"*.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// answerDNS answers TXT for handles and A for hosts; other names don't exist.
func (w *world) answerDNS(m *dnsmessage.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	q := m.Questions[0]
	name := strings.TrimSuffix(q.Name.String(), ".")
	w.resolved = append(w.resolved, name)
	m.RecursionAvailable = true
	header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
	handle, isHandle := strings.CutPrefix(name, "_atproto.")
	switch {
	case isHandle && w.noDNS[handle]:
		m.RCode = dnsmessage.RCodeServerFailure
	case isHandle && w.txt[handle] != "" && q.Type == dnsmessage.TypeTXT:
		for did := range strings.FieldsSeq(w.txt[handle]) {
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header, Body: &dnsmessage.TXTResource{TXT: []string{"did=" + did}}})
		}
	case w.address[name] != "" && q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.AResource{A: [4]byte(net.ParseIP(w.address[name]).To4())}}}
	case w.address[name] == "":
		m.RCode = dnsmessage.RCodeNameError
	}
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked = append(w.asked, r.Method+" "+r.Host+r.URL.Path)
	special := w.handlers[r.Host+r.URL.Path]
	w.mu.Unlock()
	if special != nil {
		special(rw, r)
		return
	}
	switch {
	case r.URL.Path == "/.well-known/atproto-did":
		w.mu.Lock()
		did := w.handles[r.Host]
		w.mu.Unlock()
		if did == "" {
			http.NotFound(rw, r)
			return
		}
		fmt.Fprintln(rw, did)
	case r.Host == "plc.test":
		w.document(rw, r, strings.TrimPrefix(r.URL.Path, "/"))
	case r.URL.Path == "/.well-known/did.json":
		w.document(rw, r, "did:web:"+r.Host)
	case r.URL.Path == "/.well-known/oauth-protected-resource":
		answer(rw, 200, map[string]any{"resource": "https://" + r.Host, "authorization_servers": []string{"https://as.test"}})
	case r.URL.Path == "/.well-known/oauth-authorization-server":
		answer(rw, 200, w.serverMetadata(r.Host))
	case r.URL.Path == "/xrpc/com.atproto.repo.getRecord":
		w.mu.Lock()
		a := w.accounts[r.URL.Query().Get("repo")]
		w.mu.Unlock()
		shown := map[string]any{"displayName": a.name}
		if a.avatar != "" {
			shown["avatar"] = map[string]any{"$type": "blob", "mimeType": "image/png", "size": 1, "ref": map[string]any{"$link": a.avatar}}
		}
		answer(rw, 200, map[string]any{"value": shown})
	case r.URL.Path == "/xrpc/com.atproto.sync.getBlob":
		w.mu.Lock()
		blob := w.blobs[r.URL.Query().Get("cid")]
		w.mu.Unlock()
		if blob == nil || r.URL.Query().Get("did") == "" {
			http.Error(rw, "no", http.StatusBadRequest)
			return
		}
		_, _ = rw.Write(blob)
	case r.URL.Path == "/oauth/par":
		w.par(rw, r)
	case r.URL.Path == "/oauth/token":
		w.exchange(rw, r)
	case r.URL.Path == "/oauth/revoke":
		w.mu.Lock()
		w.revoked = append(w.revoked, r.FormValue("token"))
		w.mu.Unlock()
	default:
		http.NotFound(rw, r)
	}
}

func answer(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v)
}

func (w *world) document(rw http.ResponseWriter, r *http.Request, did string) {
	w.mu.Lock()
	a, ok := w.accounts[did]
	w.mu.Unlock()
	if !ok {
		http.NotFound(rw, r)
		return
	}
	also := a.also
	if also == nil {
		also = []string{"at://" + a.handle}
	}
	answer(rw, 200, map[string]any{
		"id": did, "alsoKnownAs": also,
		"service": []any{map[string]any{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": a.pds}},
	})
}

func (w *world) serverMetadata(host string) map[string]any {
	at := "https://" + host
	m := map[string]any{
		"issuer": at, "authorization_endpoint": at + "/oauth/authorize", "token_endpoint": at + "/oauth/token",
		"pushed_authorization_request_endpoint": at + "/oauth/par", "revocation_endpoint": at + "/oauth/revoke",
		"response_types_supported": []string{"code"}, "grant_types_supported": []string{"authorization_code", "refresh_token"},
		"code_challenge_methods_supported": []string{"S256"}, "token_endpoint_auth_methods_supported": []string{"none", "private_key_jwt"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"ES256"}, "scopes_supported": []string{"atproto"},
		"authorization_response_iss_parameter_supported": true, "require_pushed_authorization_requests": true,
		"dpop_signing_alg_values_supported": []string{"ES256"}, "client_id_metadata_document_supported": true,
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.Copy(m, w.metadata)
	return m
}

// client checks the credentials in each request of a confidential client:
// proof of possession with the server's nonce, and an assertion signed with
// a key from our JWKS. It reports false after it has responded.
func (w *world) client(rw http.ResponseWriter, r *http.Request) bool {
	refuse := func(why string) bool {
		w.t.Errorf("%s%s: %s", r.Host, r.URL.Path, why)
		answer(rw, 400, map[string]any{"error": "invalid_client"})
		return false
	}
	proof, err := jose.ParseSignedCompact(r.Header.Get("DPoP"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return refuse("DPoP: " + err.Error())
	}
	payload, err := proof.Verify(proof.Signatures[0].Protected.JSONWebKey)
	var dpop struct{ HTM, HTU, Nonce string }
	if err != nil || json.Unmarshal(payload, &dpop) != nil || dpop.HTM != r.Method || dpop.HTU != "https://"+r.Host+r.URL.Path {
		return refuse(fmt.Sprintf("DPoP %s: %v", payload, err))
	}
	w.mu.Lock()
	fresh := dpop.Nonce == fmt.Sprint("nonce-", w.nonce)
	if fresh && w.nonceChanges > 0 {
		w.nonce, w.nonceChanges, fresh = w.nonce+1, w.nonceChanges-1, false
	}
	if !w.noNonce {
		rw.Header().Set("DPoP-Nonce", fmt.Sprint("nonce-", w.nonce))
	}
	w.mu.Unlock()
	if !fresh && !w.noNonce {
		answer(rw, 400, map[string]any{"error": "use_dpop_nonce"})
		return false
	}
	if w.service.local {
		if r.FormValue("client_id") != w.id || r.FormValue("client_assertion") != "" {
			return refuse(fmt.Sprintf("client at localhost: %v", r.Form))
		}
		return true
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(w.service.JWKS(), &keys); err != nil {
		return refuse(err.Error())
	}
	assertion, err := jose.ParseSignedCompact(r.FormValue("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return refuse("assertion: " + err.Error())
	}
	known := keys.Key(assertion.Signatures[0].Protected.KeyID)
	if len(known) != 1 {
		return refuse("assertion of an unknown key")
	}
	w.mu.Lock()
	w.signed = known[0].KeyID
	w.mu.Unlock()
	payload, err = assertion.Verify(known[0])
	var claims struct {
		Iss, Sub string
		Aud      any
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Iss != w.id || claims.Sub != claims.Iss || !strings.Contains(fmt.Sprint(claims.Aud), "https://"+r.Host) {
		return refuse(fmt.Sprintf("assertion %s: %v", payload, err))
	}
	return true
}

func (w *world) par(rw http.ResponseWriter, r *http.Request) {
	if !w.client(rw, r) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	id := "urn:ietf:params:oauth:request_uri:" + rand.Text()
	w.pars[id], w.began[id] = r.PostForm, w.signed
	answer(rw, 201, map[string]any{"request_uri": id, "expires_in": 300})
}

func (w *world) exchange(rw http.ResponseWriter, r *http.Request) {
	if !w.client(rw, r) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	par := w.pars[w.codes[r.FormValue("code")]]
	if par != nil && w.signed != w.began[w.codes[r.FormValue("code")]] { // like the reference PDS
		answer(rw, 400, map[string]any{"error": "invalid_grant"})
		return
	}
	delete(w.codes, r.FormValue("code"))
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if par == nil || par.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || par.Get("code_challenge_method") != "S256" {
		answer(rw, 400, map[string]any{"error": "invalid_grant"})
		return
	}
	did := par.Get("login_hint")
	if w.handles[did] != "" {
		did = w.handles[did]
	}
	reply := map[string]any{"access_token": "access-1", "refresh_token": "refresh-1", "token_type": "DPoP", "scope": "atproto", "sub": did, "expires_in": 900}
	maps.Copy(reply, w.token)
	answer(rw, 200, reply)
}

// A browser keeps our cookies.
type browser struct {
	w       *world
	remote  string // address and port
	cookies map[string]string

	invitation string // code, or ""
}

func (w *world) browser() *browser { return w.browserAt("192.0.2.1:1234") }

func (w *world) browserAt(remote string) *browser {
	return &browser{w: w, remote: remote, cookies: map[string]string{}}
}

func (b *browser) request(address string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, address, nil)
	r.RemoteAddr = b.remote
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return r
}

func (b *browser) keep(rec *httptest.ResponseRecorder) {
	for _, c := range rec.Result().Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
		if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			b.w.t.Errorf("cookie %v", c)
		}
	}
}

func (b *browser) begin(typed string) (string, error) { return b.start(Start{Typed: typed}) }

func (b *browser) start(start Start) (string, error) {
	start.Back, start.Invitation = "/app/", b.invitation
	rec := httptest.NewRecorder()
	to, err := b.w.service.Begin(b.w.t.Context(), rec, b.request(platform+"/auth/login"), start)
	b.keep(rec)
	return to, err
}

// approve is the person's consent at their server: it returns the callback's
// query.
func (w *world) approve(to string) url.Values {
	w.t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	par := w.pars[u.Query().Get("request_uri")]
	if par == nil || u.Query().Get("client_id") != w.id {
		w.t.Fatalf("%s has no request", to)
	}
	if par.Get("scope") != Scope || par.Get("redirect_uri") != w.back || par.Get("response_type") != "code" {
		w.t.Errorf("asked for %v", par)
	}
	code := rand.Text()
	w.codes[code] = u.Query().Get("request_uri")
	return url.Values{"state": {par.Get("state")}, "iss": {"https://" + u.Host}, "code": {code}}
}

func (b *browser) finish(query url.Values) (wiki.User, error) {
	rec := httptest.NewRecorder()
	user, _, err := b.w.service.Finish(b.w.t.Context(), rec, b.request(platform+CallbackPath+"?"+query.Encode()))
	b.keep(rec)
	return user, err
}

func (b *browser) signIn(typed string) (wiki.User, error) {
	to, err := b.begin(typed)
	if err != nil {
		return wiki.User{}, err
	}
	return b.finish(b.w.approve(to))
}

func (w *world) databaseFile() string { return filepath.Join(w.dir, "robot.db") }
