package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/config"
	"robot.wtf/internal/service"
	"robot.wtf/internal/slow"
)

// save writes a page of a wiki through the API.
func (l *live) save(slug, page, text string) (status int, body string) {
	l.t.Helper()
	w := l.api("PUT", slug, "/api/v1/pages/"+page, l.token(slug, "owner"), `{"content":"`+text+`"}`)
	return w.Code, w.Body.String()
}

// wants checks the status of reading a page.
func (l *live) wants(status int, slug, page string) {
	l.t.Helper()
	if w := l.api("GET", slug, "/api/v1/pages/"+page, l.token(slug, "owner"), ""); w.Code != status {
		l.t.Errorf("%s/%s: %d, want %d: %.300s", slug, page, w.Code, status, w.Body)
	}
}

// healthWithin is the time until a health check sees that storage fails or works
// again: its result is kept for a second.
const healthWithin = 2 * time.Second

func (l *live) health() int {
	return l.browser().get(config.DevHost, "/health").Code
}

// lacks skips a test for which this machine lacks something; where everything must be
// checked, it fails.
func lacks(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("needs "+format, args...)
	}
	t.Skipf("needs "+format, args...)
}

// smallDisk mounts a file system of a few MB, if this process is allowed to.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		lacks(t, "the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// On a full disk, saves fail with a clear message, reading works, and health checks
// fail. It recovers without a restart once there is space.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	l := startLiveIn(t, smallDisk(t), false)
	if status, body := l.save("ada", "Before", "kept"); status != http.StatusCreated {
		t.Fatalf("before: %d %s", status, body)
	}
	filler := filepath.Join(l.dir, "filler")
	file, err := os.Create(filler)
	l.must(err)
	for _, size := range []int{1 << 20, 4 << 10, 512} {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	l.must(file.Close())
	failed, acknowledged := 0, []string{}
	for i := range 20 { // some may still fit into existing files
		page := fmt.Sprintf("Full_%d", i)
		switch status, body := l.save("ada", page, strings.Repeat("text ", 2000)); status {
		case http.StatusCreated:
			acknowledged = append(acknowledged, page)
		case http.StatusInsufficientStorage:
			failed++
			if !strings.Contains(body, "othing was") {
				t.Errorf("the message doesn't say that nothing was lost: %s", body)
			}
		default:
			t.Errorf("%s: %d %s", page, status, body)
		}
	}
	if failed == 0 {
		t.Error("the disk was not full")
	}
	l.wants(http.StatusOK, "ada", "Before")
	await.Until(t, "a failing health check", healthWithin, func() bool { return l.health() == http.StatusServiceUnavailable })
	l.must(os.Remove(filler))
	await.Until(t, "health", healthWithin, func() bool { return l.health() == http.StatusOK })
	if status, body := l.save("ada", "After", "x"); status != http.StatusCreated {
		t.Errorf("with space again: %d %s", status, body)
	}
	for _, page := range append(acknowledged, "Before", "After") {
		l.wants(http.StatusOK, "ada", page)
	}
}

// A service starts on a read-only disk, reads, and says why it can't write.
func TestReadOnlyDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t)
	l := startLiveIn(t, disk, false)
	l.save("ada", "Before", "kept")
	if _, err := l.Exports.CatchUp(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if w := l.api("GET", "ada", "/api/v1/search?q=kept", l.token("ada", "owner"), ""); w.Code != http.StatusOK { // updates the index
		t.Fatalf("search: %d %s", w.Code, w.Body)
	}
	l.must(l.Service.Close())
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		lacks(t, "the right to make it read-only: %v", err)
	}
	l.servesReads()
	l.must(syscall.Mount("", disk, "", syscall.MS_REMOUNT, "size=24m"))
	l.wants(http.StatusOK, "ada", "Before")
	l.savesAgain()
}

// savesAgain waits until a save succeeds: connections that only read are replaced within
// about a second.
func (l *live) savesAgain() {
	l.t.Helper()
	await.Until(l.t, "a save", time.Minute, func() bool {
		status, _ := l.save("ada", "After", "x")
		return status == http.StatusCreated
	})
}

// servesReads starts a service on a disk that refuses writes and checks what works.
func (l *live) servesReads() {
	l.t.Helper()
	lock, err := service.Lock(l.dir)
	l.must(err)
	l.t.Cleanup(func() { _ = lock.Release() })
	if _, err := service.Lock(l.dir); !errors.Is(err, service.ErrInUse) {
		l.t.Errorf("the directory isn't locked: %v", err)
	}
	l.open()
	updateHelp(l.t.Context(), l.Service, config.DevHost, discardLog())
	l.wants(http.StatusOK, "ada", "Before")
	token := l.token("ada", "owner")
	for _, path := range []string{"/api/v1/pages", "/api/v1/pages/Before/history", "/api/v1/search?q=kept", "/repo.git/info/refs?service=git-upload-pack"} {
		if w := l.api("GET", "ada", path, token, ""); w.Code != http.StatusOK {
			l.t.Errorf("%s: %d %.300s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/", "/Home", "/-/changelog", "/-/index"} {
		if w := l.browser().get("ada."+config.DevHost, path); w.Code >= 400 {
			l.t.Errorf("%s: %d", path, w.Code)
		}
	}
	if status, body := l.save("ada", "During", "x"); status != http.StatusInsufficientStorage || !strings.Contains(body, "Nothing was lost") {
		l.t.Errorf("a save: %d %s", status, body)
	}
	if status := l.health(); status != http.StatusServiceUnavailable {
		l.t.Errorf("health: %d", status)
	}
}

// A service starts on a full disk and reads. It writes again once there is space,
// without another start.
func TestStartOnFullDisk(t *testing.T) {
	t.Parallel()
	l := startLiveIn(t, smallDisk(t), false)
	l.save("ada", "Before", "kept")
	if _, err := l.Exports.CatchUp(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	if w := l.api("GET", "ada", "/api/v1/search?q=kept", l.token("ada", "owner"), ""); w.Code != http.StatusOK { // updates the index
		t.Fatalf("search: %d %s", w.Code, w.Body)
	}
	l.must(l.Service.Close())
	filler := filepath.Join(l.dir, "filler")
	file, err := os.Create(filler)
	for _, size := range []int{1 << 20, 4 << 10, 512} {
		for err == nil {
			_, err = file.Write(make([]byte, size))
		}
		if errors.Is(err, syscall.ENOSPC) {
			err = nil
		}
	}
	l.must(errors.Join(err, file.Close()))
	l.servesReads()
	l.must(os.Remove(filler))
	await.Until(t, "health", healthWithin, func() bool { return l.health() == http.StatusOK })
	l.savesAgain()
	l.wants(http.StatusOK, "ada", "After")
}

// A file system that turns read-only under a running service because its disk fails.
// A mount with open files can't be made read-only, so strace makes the system calls
// fail as they would then (EROFS, errno(3)).
func TestDiskTurnsReadOnly(t *testing.T) {
	t.Parallel()
	slow.Test(t)
	strace, err := exec.LookPath("strace")
	if err != nil {
		lacks(t, "strace")
	}
	service := startDev(t)
	text := "what somebody has written " + strings.Repeat("and does not want to write again ", 20)
	save := func(page string) (int, string) {
		return service.ask("PUT", "ada", "/api/v1/pages/"+page, `{"content":"`+text+`"}`)
	}
	wants := func(what string, got, status int, body string, words ...string) {
		t.Helper()
		if got != status {
			t.Errorf("%s: %d, want %d: %.400s", what, got, status, body)
		}
		for _, w := range words {
			if !strings.Contains(body, w) {
				t.Errorf("%s doesn't say %q: %.400s", what, w, body)
			}
		}
	}
	status, body := save("Before")
	wants("before", status, http.StatusCreated, body)
	editor := service.signIn("ada", "ada")
	for _, path := range []string{"/api/v1/pages/Home", "/api/v1/search?q=frost"} { // opens both wikis and their indexes
		for _, slug := range []string{"ada", "bob"} {
			status, body = service.ask("GET", slug, path, "")
			wants(slug, status, http.StatusOK, body)
		}
	}

	heal := service.inject(strace, "EROFS", "pwrite64,ftruncate,fallocate,mkdirat,unlinkat,renameat,symlinkat,fsync,fdatasync,rename,unlink,mkdir")
	for range 3 {
		status, body = save("During")
		wants("a save", status, http.StatusInsufficientStorage, body, "Nothing was lost or changed")
	}
	status, body = editor("POST", "/During/save", url.Values{"content": {text}, "message": {"Say it"}})
	wants("a save of a browser's", status, http.StatusInsufficientStorage, body, text, "Nothing was lost or changed")
	settings := url.Values{"title": {"A new title"}, "description": {""}, "visibility": {"private"}, "home": {"Home"}}
	status, body = editor("POST", "/-/settings", settings)
	wants("settings", status, http.StatusInsufficientStorage, body, "A new title", "Nothing was lost or changed: try again later.")
	role := url.Values{"action": {"role"}, "did": {service.facts.did("bob")}, "role": {"viewer"}}
	status, body = editor("POST", "/-/members", role)
	wants("a member's role", status, http.StatusInsufficientStorage, body, "Nothing was lost or changed: try again later.")
	status, body = service.answer(service.client(nil).PostForm(service.origin("")+"/auth/dev", url.Values{"username": {"ada"}}))
	wants("a sign-in", status, http.StatusInsufficientStorage, body, "Nothing was lost or changed: try again later.")
	status, body = service.ask("POST", "bob", "/api/v1/pages/Shed/rename", `{"new_path":"Hut","revision":"0000000"}`)
	if status < 400 {
		t.Errorf("a rename: %d %s", status, body)
	}
	for _, path := range []string{"/api/v1/pages/Before", "/api/v1/pages/Garden", "/api/v1/pages/Garden/history", "/api/v1/pages", "/api/v1/changelog", "/Home", "/Garden/Beds", "/-/changelog", "/api/v1/search?q=frost", "/-/search?q=frost"} {
		status, body = service.ask("GET", "ada", path, "")
		wants(path, status, http.StatusOK, body)
	}
	status, body = service.ask("GET", "bob", "/api/v1/pages/Shed", "")
	wants("another wiki", status, http.StatusOK, body)
	health := func(status int) func() bool {
		return func() bool { got, _ := service.ask("GET", "", "/health", ""); return got == status }
	}
	await.Until(t, "a failing health check", healthWithin, health(http.StatusServiceUnavailable))

	heal()
	await.Until(t, "health", healthWithin, health(http.StatusOK))
	status, body = save("After")
	wants("afterwards", status, http.StatusCreated, body)
	status, body = editor("POST", "/During/save", url.Values{"content": {text}, "message": {"Say it"}})
	wants("afterwards, a browser's", status, http.StatusSeeOther, body)
	status, body = editor("POST", "/-/settings", settings)
	wants("afterwards, settings", status, http.StatusSeeOther, body)
	status, body = editor("POST", "/-/members", role)
	wants("afterwards, a member's role", status, http.StatusSeeOther, body)
	service.signIn("ada", "ada")
	for _, page := range []string{"Before", "During", "After"} {
		status, body = service.ask("GET", "ada", "/api/v1/pages/"+page, "")
		wants(page, status, http.StatusOK, body, "does not want to write again")
	}
	status, body = service.ask("GET", "ada", "/api/v1/search?q=somebody+written", "")
	wants("search", status, http.StatusOK, body, "After", "During")
}

// A devService is "robot dev" in its own process.
type devService struct {
	t       *testing.T
	address string
	pid     int
	facts   devFile
}

func startDev(t *testing.T) *devService {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("robot", "dev", "--data", dir, "--listen", "127.0.0.1:0", "--no-semantic-search")
	log := &lockedBuffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = copySeeded(dir)
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	endsWithTest(t, cmd, log)
	s := &devService{t: t, pid: cmd.Process.Pid}
	for lines := bufio.NewScanner(out); s.address == ""; {
		if !lines.Scan() {
			t.Fatal("it doesn't become ready")
		}
		if m := printed["_url"].FindStringSubmatch(lines.Text()); m != nil {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Fatal(err)
			}
			s.address = net.JoinHostPort("127.0.0.1", u.Port())
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if s.facts, err = readDevFile(filepath.Join(dir, "dev.json")); err != nil {
		t.Fatal(err)
	}
	return s
}

// did returns a person's DID by username.
func (f devFile) did(username string) string {
	for _, p := range f.People {
		if p.Username == username {
			return p.DID
		}
	}
	return ""
}

func (s *devService) origin(slug string) string {
	_, port, _ := net.SplitHostPort(s.address)
	host := config.DevHost + ":" + port
	if slug != "" {
		host = slug + "." + host
	}
	return "http://" + host
}

// client connects to the service for any host and doesn't follow redirects.
func (s *devService) client(jar http.CookieJar) *http.Client {
	return &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: dialTo(s.address), DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask sends a request to a wiki with its owner's token, or to the platform without.
func (s *devService) ask(method, slug, path, body string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.origin(slug)+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for _, w := range s.facts.Wikis {
		for _, t := range w.Tokens.list() {
			if w.Slug == slug && t.role == "owner" {
				r.Header.Set("Authorization", "Bearer "+t.secret)
			}
		}
	}
	return s.answer(s.client(nil).Do(r))
}

func (s *devService) answer(a *http.Response, err error) (int, string) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// signIn signs a person in and returns their browser on a wiki's host.
func (s *devService) signIn(name, slug string) func(method, path string, form url.Values) (int, string) {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	client := s.client(jar)
	if status, body := s.answer(client.PostForm(s.origin("")+"/auth/dev", url.Values{"username": {name}})); status != http.StatusSeeOther {
		s.t.Fatalf("sign in: %d %s", status, body)
	}
	there := *client
	there.CheckRedirect = nil
	if status, body := s.answer(there.Get(s.origin(slug) + "/-/login?to=/")); status != http.StatusOK {
		s.t.Fatalf("sign in to %s: %d %s", slug, status, body)
	}
	return func(method, path string, form url.Values) (int, string) {
		s.t.Helper()
		r, err := http.NewRequest(method, s.origin(slug)+path, strings.NewReader(form.Encode()))
		if err != nil {
			s.t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		return s.answer(client.Do(r))
	}
}

// inject makes system calls of the service fail until heal.
func (s *devService) inject(strace, fault, calls string) (heal func()) {
	s.t.Helper()
	cmd := exec.Command(strace, "-f", "-qq", "-o", os.DevNull, "-p", strconv.Itoa(s.pid), "-e", "trace="+calls, "-e", "inject="+calls+":error="+fault)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	heal = sync.OnceFunc(func() {
		// strace detaches or, if a thread never stops for it, the kernel does.
		_ = cmd.Process.Signal(syscall.SIGINT)
		stuck := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		stuck.Stop()
	})
	s.t.Cleanup(heal)
	if !await.Within(10*time.Second, s.traced) {
		heal()
		lacks(s.t, "the right to trace: %s", said.String())
	}
	return heal
}

// traced reports whether every thread of the service is traced.
func (s *devService) traced() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", s.pid))
	if err != nil || len(threads) == 0 {
		s.t.Fatal("the service has ended")
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), "TracerPid:\t0\n") {
			return false
		}
	}
	return true
}

// One wiki's damaged database is reported as damaged, not as missing; it isn't written
// any more and doesn't affect other wikis. Damaged indexes are rebuilt.
func TestDamagedFilesOfOneWiki(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	l.save("ada", "Big", strings.Repeat("many words that fill some pages of the database ", 4000))
	l.must(l.Service.Close())
	dir := filepath.Join(l.dir, "wikis", "ada")
	spoil(t, filepath.Join(dir, "wiki.db"))
	l.open()
	bad := 0
	for _, page := range []string{"Home", "Big"} {
		w := l.api("GET", "ada", "/api/v1/pages/"+page, l.token("ada", "owner"), "")
		if w.Code == http.StatusServiceUnavailable {
			bad++
			if !strings.Contains(w.Body.String(), "damaged") {
				t.Errorf("the message doesn't say what is wrong: %s", w.Body)
			}
		} else if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", page, w.Code, w.Body)
		}
	}
	if bad == 0 {
		t.Error("the damage wasn't noticed")
	}
	l.wants(http.StatusOK, "bob", "Home")
	if status, body := l.save("bob", "Written", "x"); status != http.StatusCreated {
		t.Errorf("another wiki: %d %s", status, body)
	}
	if out := l.do("wikis"); !strings.Contains(out, "ada") {
		t.Error("the operator's list lacks the damaged wiki")
	}

	// A lost index, and a damaged one.
	for name, harm := range map[string]func(file string){
		"lost":    func(file string) { l.must(os.Remove(file)) },
		"damaged": func(file string) { spoil(t, file) },
	} {
		l.save("bob", "Findable", "an unmistakable word")
		search := func() string {
			return l.api("GET", "bob", "/api/v1/search?q=unmistakable", l.token("bob", "owner"), "").Body.String()
		}
		if !strings.Contains(search(), "Findable") {
			t.Fatal("not found before")
		}
		l.must(l.Service.Close())
		harm(filepath.Join(l.dir, "wikis", "bob", "index.db"))
		l.open()
		if got := search(); !strings.Contains(got, "Findable") {
			t.Errorf("after the index was %s: %s", name, got)
		}
	}
}

// spoil overwrites the middle of a file.
func spoil(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copy(text[len(text)/8:], bytes.Repeat([]byte("spoilt"), len(text)/12))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A clock that jumps loses nothing: history keeps its order, and sessions are valid
// again once the clock is right.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	owner, host := l.signIn("ada", "ada"), "ada."+config.DevHost
	for i, jump := range []time.Duration{time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour, 0} {
		now := time.Now().Add(jump)
		l.clock.set.Store(&now)
		if status, body := l.save("ada", fmt.Sprintf("Jump_%d", i), "x"); status != http.StatusCreated {
			t.Errorf("%s: %d %s", jump, status, body)
		}
	}
	l.clock.set.Store(nil)
	if w := owner.get(host, "/Home/edit"); w.Code != http.StatusOK {
		t.Errorf("the session, with the clock right again: %d", w.Code)
	}
	log := l.api("GET", "ada", "/api/v1/changelog", l.token("ada", "owner"), "").Body.String()
	last := len(log)
	for i := range 5 {
		at := strings.Index(log, fmt.Sprintf("Jump_%d", i))
		if at < 0 || at > last {
			t.Errorf("change %d is out of order", i)
		}
		last = at
	}
}

// p99 is the 99th percentile of the time of requests for a page of ada's wiki.
func (l *live) p99(client *http.Client, n int) time.Duration {
	l.t.Helper()
	took := make([]time.Duration, n)
	for i := range took {
		r, err := http.NewRequest("GET", "http://ada."+config.DevHost+"/Home", nil)
		l.must(err)
		start := time.Now()
		answer, err := client.Do(r)
		l.must(err)
		answer.Body.Close()
		took[i] = time.Since(start)
		if answer.StatusCode != http.StatusOK {
			l.t.Fatalf("%s", answer.Status)
		}
	}
	slices.Sort(took)
	return took[n*99/100]
}

// others compares how long other requests take before and during an activity. Other
// load on the machine only makes runs longer, so the shortest runs are compared.
func (l *live) others(what string, address string, during func() (stop func())) {
	l.t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: dialTo(address)}}
	before, while := time.Hour, time.Hour
	slower := func() float64 { return float64(while) / float64(max(before, time.Millisecond)) } // less isn't noticeable
	for round := 0; round < 10 && (round == 0 || slower() > 2); round++ {
		l.p99(client, 100)
		before = min(before, l.p99(client, 400))
		stop := during()
		while = min(while, l.p99(client, 400))
		stop()
	}
	l.t.Logf("measured: %s: others' p99 is %.2f times what it was", what, slower())
	if slower() > 2 {
		l.t.Errorf("%s slows others down by %.2f", what, slower())
	}
}

// Slow clients don't slow down other requests.
func TestSlowClientsLeaveOthersAlone(t *testing.T) {
	slow.Test(t)
	l := startLive(t)
	address := l.listen()
	clients := 200
	if os.Getenv("ROBOT_LONG") != "" {
		clients = 1000
	}
	l.others(fmt.Sprintf("%d slow connections", clients), address, func() func() {
		var conns []net.Conn
		for i := range clients {
			conn, err := net.Dial("tcp", address)
			l.must(err)
			fmt.Fprintf(conn, "POST /Home/save HTTP/1.1\r\nHost: ada.%s\r\nContent-Length: 100000\r\nX-Part: ", config.DevHost)
			if i%2 == 0 {
				fmt.Fprint(conn, "a\r\n\r\nhalf a body")
			}
			conns = append(conns, conn)
		}
		return func() {
			for _, conn := range conns {
				conn.Close()
			}
		}
	})
}

// Writing to one wiki at full speed, without rate limits, doesn't slow down others.
func TestNoisyTenantLeavesOthersAlone(t *testing.T) {
	slow.Test(t)
	l := startSemantic(t)
	address := l.listen()
	token := l.token("bob", "owner")
	l.others("a wiki that is written without pause", address, func() func() {
		var workers sync.WaitGroup
		stopped := make(chan struct{})
		client := &http.Client{Transport: &http.Transport{DialContext: dialTo(address)}}
		workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stopped:
					return
				case <-time.After(2 * time.Millisecond): // 500 a second
				}
				r, err := http.NewRequest("PUT", "http://bob."+config.DevHost+fmt.Sprintf("/api/v1/pages/Noise_%d", n), strings.NewReader(`{"content":"x"}`))
				if err != nil {
					continue
				}
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("Content-Type", "application/json")
				if answer, err := client.Do(r); err == nil {
					answer.Body.Close()
				}
			}
		})
		return func() { close(stopped); workers.Wait() }
	})
}
