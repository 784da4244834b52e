package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/store"
)

// A proxied service is the real binary behind Caddy with the Caddyfile from deploy/,
// except that Caddy's own authority issues the certificate.
type proxied struct {
	t       *testing.T
	port    string
	root    string // file with the authority's certificate
	token   string
	cookies map[string]map[string]string
	client  *http.Client
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// ownDomain is the own domain of dan's wiki.
const ownDomain = "wiki.example.org"

// connectDomain gives a wiki an own domain, as if its DNS had proven it.
func connectDomain(t *testing.T, data, slug, host string) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(data, "robot.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(db.NameDomain(t.Context(), "", slug, host), db.ConnectDomain(t.Context(), "", slug, host, time.Time{}, 1), db.Close())
	if err != nil {
		t.Fatal(err)
	}
}

func startProxied(t *testing.T) *proxied {
	t.Helper()
	caddy, err := exec.LookPath("caddy")
	if err != nil || testing.Short() {
		t.Skip("needs Caddy (apt-get install caddy), and some seconds")
	}
	p := &proxied{t: t, port: freePort(t)}
	var data string
	data, p.token, p.cookies = seededData(t)
	connectDomain(t, data, "dan", ownDomain)
	u, address := newUnit(t, data)
	u.start()
	dir := t.TempDir()
	text, err := os.ReadFile("../../deploy/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	local := strings.NewReplacer("skip_install_trust", "skip_install_trust\n\tdefault_bind 127.0.0.1", "\ton_demand\n", "\ton_demand\n\t\tissuer internal\n")
	for name, content := range map[string]string{"Caddyfile": local.Replace(string(text)), "certificate.caddy": "(certificate) {\n\ttls internal\n}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(caddy, "run", "--config", "Caddyfile")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ROBOT_HOST=robot.localhost", "ROBOT_LISTEN="+address, "ACME_EMAIL=nobody@robot.localhost", "CADDY_ADMIN=off",
		"CADDY_HTTP_PORT="+freePort(t), "CADDY_HTTPS_PORT="+p.port, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir, "HOME="+dir)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	endsWithTest(t, cmd, &log)
	p.root = filepath.Join(dir, "caddy", "pki", "authorities", "local", "root.crt")
	p.connect()
	return p
}

// connect trusts Caddy's authority and waits until Caddy has both certificates: the
// platform's and the wildcard for wikis.
func (p *proxied) connect() {
	p.t.Helper()
	await.Until(p.t, "Caddy responds", 20*time.Second, func() bool {
		pem, err := os.ReadFile(p.root)
		if err != nil {
			return false
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		p.client = &http.Client{
			Transport: &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: pool},
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+p.port)
				},
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       time.Minute,
		}
		return p.responds("robot.localhost") && p.responds("ada.robot.localhost")
	})
}

func (p *proxied) responds(host string) bool {
	answer, err := p.client.Get("https://" + host + "/robots.txt")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return true
}

func (p *proxied) ask(method, host, path, body string, header ...string) (*http.Response, string) {
	p.t.Helper()
	r, err := http.NewRequest(method, "https://"+host+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := p.client.Do(r)
	if err != nil {
		p.t.Fatalf("%s %s%s: %v", method, host, path, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer, string(text)
}

func (p *proxied) want(status int, answer *http.Response, text string) string {
	p.t.Helper()
	if answer.StatusCode != status {
		p.t.Errorf("%s %s: %s, want %d: %.300s", answer.Request.Method, answer.Request.URL, answer.Status, status, text)
	}
	return text
}

func TestBehindCaddy(t *testing.T) {
	t.Parallel()
	slow.Test(t)
	p := startProxied(t)
	const platform, ada = "robot.localhost", "ada.robot.localhost"
	auth := []string{"Authorization", "Bearer " + p.token, "Content-Type", "application/json"}
	a, text := p.ask("GET", platform, "/", "")
	p.want(http.StatusOK, a, text)
	if a.Header.Get("Strict-Transport-Security") == "" || a.ProtoMajor < 1 {
		t.Error("the platform's headers are missing")
	}
	a, text = p.ask("GET", ada, "/Home", "")
	p.want(http.StatusOK, a, text)
	a, text = p.ask("GET", ada, "/api/v1/pages", "", auth...)
	p.want(http.StatusOK, a, text)
	if other, err := p.client.Get("https://other.example/health"); err == nil {
		other.Body.Close()
		t.Error("another host gets a certificate")
	}
	p.ownDomain("dan.robot.localhost")

	// The largest attachment can be uploaded and downloaded.
	big := bytes.Repeat([]byte("0123456789abcdef"), 10<<20/16)
	a, text = p.ask("POST", ada, "/api/v1/pages/Home/attachments", `{"filename":"big.bin","content":"`+base64.StdEncoding.EncodeToString(big)+`"}`, auth...)
	p.want(http.StatusCreated, a, text)
	a, text = p.ask("GET", ada, "/api/v1/pages/Home/attachments/big.bin", "", auth...)
	if p.want(http.StatusOK, a, text); text != string(big) && !strings.Contains(text, base64.StdEncoding.EncodeToString(big[:48])) {
		t.Errorf("the attachment has %d bytes", len(text))
	}
	a, text = p.ask("PUT", ada, "/api/v1/pages/Huge", `{"content":"`+strings.Repeat("x", 21<<20)+`"}`, auth...)
	p.want(http.StatusRequestEntityTooLarge, a, text)

	p.events(ada)

	// MCP and a clone.
	a, text = p.ask("POST", ada, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, append(auth, "Accept", "application/json, text/event-stream")...)
	if a.StatusCode != http.StatusOK || !strings.Contains(text, "read_page") {
		t.Errorf("MCP: %s %.200s", a.Status, text)
	}
	p.clone(ada)
	p.importLarge("dan.robot.localhost")
}

// ownDomain checks that the own domain of a private wiki gets a certificate, that its
// subdomain leads members there, and that programs find it at both.
func (p *proxied) ownDomain(host string) {
	p.t.Helper()
	var cookies []string
	for name, value := range p.cookies[host] {
		cookies = append(cookies, name+"="+value)
	}
	a, text := p.ask("GET", host, "/Home", "", "Cookie", strings.Join(cookies, "; "))
	if p.want(http.StatusMovedPermanently, a, text); a.Header.Get("Location") != "https://"+ownDomain+"/Home" {
		p.t.Errorf("the subdomain leads to %q", a.Header.Get("Location"))
	}
	a, text = p.ask("GET", ownDomain, "/Home", "")
	if p.want(http.StatusFound, a, text); !strings.HasPrefix(a.Header.Get("Location"), "https://robot.localhost/auth/sso?") {
		p.t.Errorf("the domain sends strangers to %q", a.Header.Get("Location"))
	}
	if got := a.Header.Get("Strict-Transport-Security"); got == "" || strings.Contains(got, "includeSubDomains") {
		p.t.Errorf("Strict-Transport-Security at the domain: %q", got)
	}
	for _, address := range []string{host, ownDomain} {
		a, text = p.ask("GET", address, "/.well-known/oauth-protected-resource", "")
		if p.want(http.StatusOK, a, text); !strings.Contains(text, `"resource":"https://`+address+`/mcp"`) {
			p.t.Errorf("metadata at %s: %s", address, text)
		}
	}
	// A stranger can't ask on the proxy's behalf.
	if a, text = p.ask("GET", ownDomain, "/domains/ask?domain="+ownDomain, ""); strings.TrimSpace(text) == "yes" {
		p.t.Errorf("a stranger learns which domains are connected: %s", a.Status)
	}
}

// importLarge imports a repository that is larger than any other request may be.
func (p *proxied) importLarge(host string) {
	p.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "wiki.bundle")
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := file.Write(largeBundle(p.t)); err != nil {
		p.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		p.t.Fatal(err)
	}
	if body.Len() < 36<<20 {
		p.t.Fatalf("the upload has only %d bytes", body.Len())
	}
	var cookies []string
	for name, value := range p.cookies[host] {
		cookies = append(cookies, name+"="+value)
	}
	headers := []string{"Cookie", strings.Join(cookies, "; "), "Sec-Fetch-Site", "same-origin", "Content-Type", form.FormDataContentType()}
	a, text := p.ask("POST", host, "/-/import", body.String(), headers...)
	p.want(http.StatusSeeOther, a, text)
	await.Until(p.t, "the import ends", 2*time.Minute, func() bool {
		a, text = p.ask("GET", host, "/-/import", "", headers[:2]...)
		return a.Header.Get("Refresh") == ""
	})
	if !strings.Contains(text, "Ready to import") {
		p.t.Errorf("the import: %s %s", a.Status, text)
	}
}

// largeBundle returns a bundle of 36 MB, in long runs of 63 MB.
func largeBundle(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=ada", "-c", "user.email=ada@robot.localhost", "-c", "core.compression=0"}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	git("init", "-q", "-b", "main")
	write("Home.md", []byte("# Home\n"))
	random := rand.NewChaCha8([32]byte{1})
	noise := make([]byte, 9<<20)
	commits := 4
	if os.Getenv("ROBOT_LONG") != "" {
		commits = 7
	}
	for range commits {
		if _, err := random.Read(noise); err != nil {
			t.Fatal(err)
		}
		write("noise.bin", noise)
		git("add", ".")
		git("commit", "-q", "-m", "Add noise")
	}
	git("bundle", "create", "-q", "wiki.bundle", "--all")
	bundle, err := os.ReadFile(filepath.Join(dir, "wiki.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	return bundle
}

// events reads the connect page's event stream, which the proxy must not buffer.
func (p *proxied) events(host string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "https://"+host+"/-/connect/events", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for name, value := range p.cookies[host] {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		p.t.Errorf("events: %s %s", answer.Status, answer.Header.Get("Content-Type"))
		return
	}
	first, err := bufio.NewReader(answer.Body).ReadString('\n')
	if err != nil || first == "" {
		p.t.Errorf("no event: %q, %v", first, err)
	}
}

// clone clones the wiki with git.
func (p *proxied) clone(host string) {
	p.t.Helper()
	dir := filepath.Join(p.t.TempDir(), "clone")
	cmd := exec.Command("git", "clone", "-q", fmt.Sprintf("https://%s:%s/repo.git", host, p.port), dir)
	cmd.Env = append(os.Environ(), "GIT_SSL_CAINFO="+p.root) // takes precedence over all settings
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Errorf("clone: %v\n%s", err, out)
		return
	}
	if _, err := os.Stat(filepath.Join(dir, "Home.md")); err != nil {
		p.t.Error(err)
	}
}
