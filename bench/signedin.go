package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// signIn returns the Cookie header of a person who is signed in on their wiki's host.
func (s *service) signIn(name string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.addr)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{DialContext: dial}}
	platform, home := "http://robot.localhost:"+s.port, "http://"+name+".robot.localhost:"+s.port+"/"
	res, err := client.PostForm(platform+"/auth/dev", url.Values{"username": {name}})
	if err == nil {
		res.Body.Close()
		res, err = client.Get(home + "-/login?to=/")
	}
	if err != nil {
		return "", err
	}
	res.Body.Close()
	at, err := url.Parse(home)
	if err != nil {
		return "", err
	}
	var cookies []string
	for _, c := range jar.Cookies(at) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	if len(cookies) == 0 {
		return "", fmt.Errorf("signing in as %s set no cookies", name)
	}
	return strings.Join(cookies, "; "), nil
}

// signedIn compares a cached page for a signed-in person, compressed, with a plain
// handler that writes the same bytes.
func (b *bench) signedIn(s *service, path string) error {
	cookie, err := s.signIn("ada")
	if err != nil {
		return err
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: ada.robot.localhost:" + s.port + "\r\nAccept: text/html\r\nAccept-Encoding: gzip, deflate, br\r\nCookie: " + cookie + "\r\n\r\n"
	wire, err := s.dial()
	if err != nil {
		return err
	}
	defer wire.conn.Close()
	var page []byte
	for range 3 { // the last one is compressed at the best level
		if page, err = wire.ask([]byte(request)); err != nil {
			return err
		}
	}
	plain, addr, err := serveFile(filepath.Join(b.dir, "page.gz"), page)
	if err != nil {
		return err
	}
	defer func() { plain.Process.Kill(); plain.Wait() }()
	ours, theirs, ratio, err := b.beside(s, plain.Process.Pid, addr, request)
	if err != nil {
		return err
	}
	b.add("cached page view, signed in, with gzip", fmt.Sprintf("%.1f µs CPU per request; plain handler with the same %s bytes and their length %.1f µs", micros(ours), thousands(len(page)), micros(theirs)), ratio, 2.5, "times its CPU")
	return nil
}

// beside measures the CPU of a request to the service and to a plain handler, and
// their ratio: the medians of the rounds.
func (b *bench) beside(s *service, plain int, addr, request string) (ours, theirs time.Duration, ratio float64, err error) {
	var mine, bare []time.Duration
	var ratios []float64
	for i := range b.rounds + 1 {
		m, err := cost(s.cmd.Process.Pid, s.addr, request)
		if err != nil {
			return 0, 0, 0, err
		}
		p, err := cost(plain, addr, request)
		if err != nil {
			return 0, 0, 0, err
		}
		if i > 0 { // the first round is a warm-up
			mine, bare, ratios = append(mine, m), append(bare, p), append(ratios, float64(m)/float64(p))
		}
	}
	return median(mine), median(bare), median(ratios), nil
}

// revision compares HEAD on a page through the API, which answers its revision, with
// a plain handler.
func (b *bench) revision(s *service, path string) error {
	plain, addr, err := serveFile(filepath.Join(b.dir, "nothing"), []byte("{}"))
	if err != nil {
		return err
	}
	defer func() { plain.Process.Kill(); plain.Wait() }()
	request := "HEAD /api/v1/pages" + path + " HTTP/1.1\r\nHost: ada.robot.localhost:" + s.port + "\r\nAuthorization: Bearer " + s.tokens["ada"]["owner"] + "\r\n\r\n"
	ours, theirs, ratio, err := b.beside(s, plain.Process.Pid, addr, request)
	if err != nil {
		return err
	}
	b.add("a page's revision through the API (HEAD)", fmt.Sprintf("%.1f µs CPU per request; plain handler %.1f µs", micros(ours), micros(theirs)), ratio, 2, "times its CPU")
	return nil
}

// lists measures the changes and a page's history in the browser, and the first view of
// a page after a save of another one.
func (b *bench) lists(s *service) error {
	page, saved := "/Notes/Page_200", "/api/v1/pages/Notes/Page_100"
	text := func(n int) map[string]string {
		return map[string]string{"content": prose(n)}
	}
	revision := func(raw []byte, err error) (string, error) { return field(raw, "revision"), err }
	now, err := revision(s.do("GET", "ada", saved, nil))
	for n := 0; n < 60 && err == nil; n++ {
		body := text(n)
		body["revision"] = now
		now, err = revision(s.do("PUT", "ada", saved, body))
	}
	if err != nil {
		return err
	}
	for _, m := range []struct{ what, path string }{{"changes page (50 commits) at 500 pages", "/-/changelog"}, {"history page (50 revisions) at 500 pages", "/Notes/Page_100/history"}} {
		over, err := b.overHealth(s, func(int) string { return m.path })
		if err != nil {
			return err
		}
		b.add(m.what, ms(over)+" above an empty request, p50", float64(over)/1e6, 3, "ms")
	}
	wire, err := s.dial()
	if err != nil {
		return err
	}
	defer wire.conn.Close()
	view := []byte("GET " + page + " HTTP/1.1\r\nHost: ada.robot.localhost:" + s.port + "\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\n\r\n")
	var took []time.Duration
	for n := range 20 * b.rounds {
		body := text(1000 + n)
		body["revision"] = now
		if now, err = revision(s.do("PUT", "ada", saved, body)); err != nil {
			return err
		}
		began := time.Now()
		if _, err := wire.ask(view); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	first := percentile(took, 0.5)
	b.add("first view of a page after a save of another one, at 500 pages, with gzip", ms(first)+", p50", float64(first)/1e6, 1, "ms")
	return b.firstView(s, wire, saved, now)
}

// firstView measures the first view of a page that was saved.
func (b *bench) firstView(s *service, wire *wire, saved, revision string) error {
	view := []byte("GET " + strings.TrimPrefix(saved, "/api/v1/pages") + " HTTP/1.1\r\nHost: ada.robot.localhost:" + s.port + "\r\nAccept: text/html\r\nAccept-Encoding: gzip\r\n\r\n")
	var took []time.Duration
	for n := range 20 * b.rounds {
		raw, err := s.do("PUT", "ada", saved, map[string]string{"content": prose(2000 + n), "revision": revision})
		if err != nil {
			return err
		}
		revision = field(raw, "revision")
		began := time.Now()
		if _, err := wire.ask(view); err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	first := percentile(took, 0.5)
	b.add("first view of the page that was saved, at 500 pages, with gzip", ms(first)+", p50", float64(first)/1e6, 4, "ms")
	return nil
}
