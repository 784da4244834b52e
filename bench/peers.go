package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// peerPages are the pages of each wiki in the comparison.
const peerPages = 500

// A peer is a wiki in the comparison.
type peer struct {
	name string
	pid  int
	base string // address of its server
	host string // of the Host header, if it isn't that of base
	path map[string]string
	save func(text string) (*http.Request, error) // of the page whose address is path["saved"]
	stop func()
	got  map[string]time.Duration // median time by measure; "view CPU" is processor time
	mb   float64
}

// peerMeasures are the rows of the table, in order.
var peerMeasures = []struct{ key, what string }{
	{"view CPU", "processor time of a view"},
	{"view", "view, p50"},
	{"first", "first view of a page after its save, p50"},
	{"search", "search for a common word, p50"},
	{"history", "a page's history, p50"},
	{"changes", "recent changes, p50"},
	{"save", "save, p50"},
}

// peers compares the service with DokuWiki and MediaWiki as Debian packages them, each
// with 500 pages, in PHP's own server with its cache of compiled scripts. A wiki whose
// package isn't installed is left out.
func (b *bench) peers() (string, error) {
	var all []*peer
	defer func() {
		for _, p := range all {
			p.stop()
		}
	}()
	for _, start := range []func() (*peer, error){b.ourselves, b.dokuWiki, b.mediaWiki} {
		p, err := start()
		if errors.Is(err, errNotInstalled) {
			fmt.Fprintln(os.Stderr, "peers:", err)
			continue
		}
		if err != nil {
			return "", err
		}
		all = append(all, p)
	}
	for _, p := range all {
		if err := p.measure(); err != nil {
			return "", fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return peerTable(all), nil
}

var errNotInstalled = errors.New("not installed")

// measure measures each of peerMeasures, and memory.
func (p *peer) measure() error {
	p.got = map[string]time.Duration{}
	times := func(key string, n int, do func() error) error {
		var took []time.Duration
		for i := range n + n/5 {
			began := time.Now()
			if err := do(); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			if i >= n/5 { // before that it warms up
				took = append(took, time.Since(began))
			}
		}
		p.got[key] = percentile(took, 0.5)
		return nil
	}
	view := func() error { return p.get(p.path["view"]) }
	if err := times("view", 100, view); err != nil {
		return err
	}
	views, before := 0, cpu(p.pid)
	for ; cpu(p.pid)-before < time.Second; views++ { // processor time is counted in ticks of 10 ms
		if err := view(); err != nil {
			return err
		}
	}
	p.got["view CPU"] = (cpu(p.pid) - before) / time.Duration(views)
	for _, key := range []string{"search", "history", "changes"} {
		if err := times(key, 20, func() error { return p.get(p.path[key]) }); err != nil {
			return err
		}
	}
	n := 0
	saveNext := func() error {
		n++
		r, err := p.save(prose(3000 + n))
		if err != nil {
			return err
		}
		return p.send(r)
	}
	if err := times("save", 20, saveNext); err != nil {
		return err
	}
	var first []time.Duration
	for range 20 {
		if err := saveNext(); err != nil {
			return err
		}
		began := time.Now()
		if err := p.get(p.path["saved"]); err != nil {
			return err
		}
		first = append(first, time.Since(began))
	}
	p.got["first"] = percentile(first, 0.5)
	p.mb = float64(proportional(p.pid)) / (1 << 20)
	return nil
}

func (p *peer) get(path string) error {
	r, err := http.NewRequest("GET", p.base+path, nil)
	if err != nil {
		return err
	}
	return p.send(r)
}

// send sends a request and fails unless the answer is a page or its data.
func (p *peer) send(r *http.Request) error {
	if p.host != "" {
		r.Host = p.host
	}
	res, err := peerClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	failed := res.StatusCode >= 400 || r.Method == "GET" && (res.StatusCode != http.StatusOK || len(text) < 1000) || bytes.Contains(text, []byte(`"error":`))
	if err == nil && failed {
		err = fmt.Errorf("%s %s: %s: %.300q", r.Method, r.URL, res.Status, text)
	}
	return err
}

// peerClient doesn't follow redirects: a save ends with one.
var peerClient = &http.Client{
	Timeout: time.Minute, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 4},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// ourselves starts the service.
func (b *bench) ourselves() (*peer, error) {
	s, err := b.startService(filepath.Join(b.dir, "peers"))
	if err != nil {
		return nil, err
	}
	before, err := s.pages()
	for n := before; n < peerPages && err == nil; n++ {
		err = s.create("ada", fmt.Sprintf("Notes/Page_%d", n), []byte(prose(n)))
	}
	if err == nil {
		err = s.settled()
	}
	if err != nil {
		s.stop()
		return nil, err
	}
	const saved = "Notes/Page_100"
	return &peer{
		name: "robot.wtf", pid: s.cmd.Process.Pid, base: "http://" + s.addr, host: "ada.robot.localhost:" + s.port,
		path: map[string]string{"view": "/Notes/Page_200", "search": "/-/search?q=mast", "history": "/" + saved + "/history", "changes": "/-/changelog", "saved": "/" + saved},
		save: func(text string) (*http.Request, error) {
			raw, err := s.do("GET", "ada", "/api/v1/pages/"+saved, nil)
			if err != nil {
				return nil, err
			}
			return s.request("PUT", "ada", "/api/v1/pages/"+saved, map[string]string{"content": text, "revision": field(raw, "revision")})
		},
		stop: func() { s.stop() },
	}, nil
}

// servePHP serves a directory with PHP's own server.
func servePHP(dir string, env ...string) (addr string, cmd *exec.Cmd, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // finds a free port
	if err != nil {
		return "", nil, err
	}
	addr = listener.Addr().String()
	listener.Close()
	cmd = exec.Command("php", "-d", "opcache.enable=1", "-d", "opcache.enable_cli=1", "-d", "display_errors=0", "-d", "memory_limit=256M", "-S", addr, "-t", dir)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	for range 100 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return addr, cmd, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	cmd.Process.Kill()
	return "", nil, errors.New("PHP's server doesn't listen")
}

func stopPHP(cmd *exec.Cmd) func() {
	return func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}
}

// run runs a command and returns its output as part of the error.
func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.500s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// installed fails with errNotInstalled unless all the files exist and there is PHP.
func installed(pkg string, files ...string) error {
	_, err := exec.LookPath("php")
	for _, f := range files {
		if _, missing := os.Stat(f); missing != nil {
			err = missing
		}
	}
	if err != nil {
		return fmt.Errorf("%s is left out (apt-get install %s php-cli php-sqlite3 php-xml php-mbstring php-intl): %w", pkg, pkg, errNotInstalled)
	}
	return nil
}

// dokuWiki starts DokuWiki on a copy of its files. Anyone can edit; its search index is
// brought up to date before the measurement.
func (b *bench) dokuWiki() (*peer, error) {
	if err := installed("dokuwiki", "/usr/share/dokuwiki/doku.php", "/etc/dokuwiki/dokuwiki.php"); err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "dokuwiki")
	if err := run(exec.Command("cp", "-rL", "/usr/share/dokuwiki", dir)); err != nil {
		return nil, err
	}
	conf, data := filepath.Join(b.dir, "dokuwiki-conf"), filepath.Join(b.dir, "dokuwiki-data")
	if err := run(exec.Command("cp", "-rL", "/etc/dokuwiki", conf)); err != nil {
		return nil, err
	}
	for _, sub := range strings.Fields("pages/notes attic media media_attic meta media_meta cache index locks tmp log") {
		if err := os.MkdirAll(filepath.Join(data, sub), 0o755); err != nil {
			return nil, err
		}
	}
	for file, text := range map[string]string{
		filepath.Join(dir, "inc", "preload.php"): "<?php define('DOKU_CONF', '" + conf + "/');\n",
		filepath.Join(conf, "local.php"):         "<?php\n$conf['title'] = 'Peer';\n$conf['useacl'] = 0;\n$conf['savedir'] = '" + data + "';\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	for n := range peerPages {
		if err := os.WriteFile(filepath.Join(data, "pages", "notes", fmt.Sprintf("page_%d.txt", n)), []byte(prose(n)), 0o644); err != nil {
			return nil, err
		}
	}
	if err := run(exec.Command("php", "-d", "display_errors=0", filepath.Join(dir, "bin", "indexer.php"), "-q")); err != nil {
		return nil, err
	}
	addr, cmd, err := servePHP(dir)
	if err != nil {
		return nil, err
	}
	page := func(action string) string { return "/doku.php?id=notes:page_100" + action }
	return &peer{
		name: "DokuWiki", pid: cmd.Process.Pid, base: "http://" + addr, stop: stopPHP(cmd),
		path: map[string]string{"view": "/doku.php?id=notes:page_200", "search": "/doku.php?do=search&q=mast", "history": page("&do=revisions"), "changes": "/doku.php?id=start&do=recent", "saved": page("")},
		save: func(text string) (*http.Request, error) {
			return postForm("http://"+addr+"/doku.php?id=notes:page_100", url.Values{"id": {"notes:page_100"}, "wikitext": {text}, "do[save]": {"1"}, "prefix": {"."}, "suffix": {""}, "summary": {""}})
		},
	}, nil
}

// mediaWiki installs MediaWiki into an SQLite database and starts it.
func (b *bench) mediaWiki() (*peer, error) {
	const share = "/usr/share/mediawiki"
	if err := installed("mediawiki", share+"/index.php", share+"/maintenance/install.php"); err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "mediawiki")
	texts := filepath.Join(dir, "texts")
	if err := os.MkdirAll(texts, 0o755); err != nil {
		return nil, err
	}
	maintain := func(args ...string) error {
		cmd := exec.Command("php", append([]string{"-d", "display_errors=0"}, args...)...)
		cmd.Env = append(os.Environ(), "MW_CONFIG_FILE="+filepath.Join(dir, "LocalSettings.php"))
		return run(cmd)
	}
	install := exec.Command("php", share+"/maintenance/install.php", "--dbtype", "sqlite", "--dbpath", dir, "--confpath", dir,
		"--server", "http://127.0.0.1", "--scriptpath", "", "--pass", "only for this benchmark", "Peer", "Admin")
	if err := run(install); err != nil {
		return nil, err
	}
	settings, err := os.OpenFile(filepath.Join(dir, "LocalSettings.php"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = settings.WriteString("\n$wgRateLimits = [];\n")
	if err = errors.Join(err, settings.Close()); err != nil {
		return nil, err
	}
	var files []string
	for n := range peerPages {
		files = append(files, filepath.Join(texts, fmt.Sprintf("Page_%d.txt", n)))
		if err := os.WriteFile(files[n], []byte(strings.ReplaceAll(prose(n), "\n## ", "\n\n")), 0o644); err != nil {
			return nil, err
		}
	}
	if err := maintain(append([]string{share + "/maintenance/importTextFiles.php", "-u", "Admin", "--rc"}, files...)...); err != nil {
		return nil, err
	}
	if err := maintain(share+"/maintenance/runJobs.php", "--maxjobs", "5000"); err != nil {
		return nil, err
	}
	addr, cmd, err := servePHP(share, "MW_CONFIG_FILE="+filepath.Join(dir, "LocalSettings.php"))
	if err != nil {
		return nil, err
	}
	return &peer{
		name: "MediaWiki", pid: cmd.Process.Pid, base: "http://" + addr, stop: stopPHP(cmd),
		path: map[string]string{"view": "/index.php?title=Page_200", "search": "/index.php?title=Special:Search&fulltext=1&search=mast", "history": "/index.php?title=Page_100&action=history", "changes": "/index.php?title=Special:RecentChanges&limit=50&days=30", "saved": "/index.php?title=Page_100"},
		save: func(text string) (*http.Request, error) {
			return postForm("http://"+addr+"/api.php", url.Values{"action": {"edit"}, "title": {"Page_100"}, "text": {text}, "token": {`+\`}, "format": {"json"}})
		},
	}, nil
}

func postForm(address string, form url.Values) (*http.Request, error) {
	r, err := http.NewRequest("POST", address, strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r, err
}

const peerHeading = "## Compared with other wikis"

// peerTable is the section of README.md, with ratios to the first peer.
func peerTable(all []*peer) string {
	var t strings.Builder
	fmt.Fprintf(&t, "%s\n\nGenerated by `go run ./bench -only peers`, in one run over loopback, %d pages of 4 KB each, uncompressed. DokuWiki and MediaWiki are Debian's packages, MediaWiki with SQLite, in PHP's own server with its opcode cache. DokuWiki's pages were written as files, so its recent changes are only those of the run. Figures in parentheses are multiples of ours.\n\n| what |", peerHeading, peerPages)
	for _, p := range all {
		t.WriteString(" " + p.name + " |")
	}
	t.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
	row := func(what string, figure func(*peer) (string, float64)) {
		fmt.Fprintf(&t, "| %s |", what)
		_, ours := figure(all[0])
		for i, p := range all {
			text, value := figure(p)
			if i > 0 {
				text += fmt.Sprintf(" (%.1f)", value/ours)
			}
			t.WriteString(" " + text + " |")
		}
		t.WriteString("\n")
	}
	for _, m := range peerMeasures {
		row(m.what, func(p *peer) (string, float64) { return ms(p.got[m.key]), float64(p.got[m.key]) })
	}
	row("memory afterwards (PSS)", func(p *peer) (string, float64) { return fmt.Sprintf("%.0f MB", p.mb), p.mb })
	return t.String()
}

// keepPeers returns the section about other wikis of an earlier README.md, or "".
func keepPeers(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	raw, _ := io.ReadAll(f)
	if at := bytes.Index(raw, []byte(peerHeading)); at >= 0 {
		return "\n" + string(raw[at:])
	}
	return ""
}

// comparePeers measures the peers and replaces their section in README.md.
func (b *bench) comparePeers() error {
	table, err := b.peers()
	if err != nil {
		return err
	}
	fmt.Print(table)
	raw, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	rest, _, _ := strings.Cut(string(raw), peerHeading)
	return os.WriteFile(readme, []byte(strings.TrimRight(rest, "\n")+"\n\n"+table), 0o644)
}
