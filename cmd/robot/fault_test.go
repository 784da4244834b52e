package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"robot.wtf/internal/config"
)

// save writes a page of a wiki through the API.
func (l *live) save(slug, page, text string) (status int, body string) {
	l.t.Helper()
	w := l.api("PUT", slug, "/api/v1/pages/"+page, l.token(slug, "owner"), `{"content":"`+text+`"}`)
	return w.Code, w.Body.String()
}

// wants fails unless a page can be read, or cannot.
func (l *live) wants(status int, slug, page string) {
	l.t.Helper()
	if w := l.api("GET", slug, "/api/v1/pages/"+page, l.token(slug, "owner"), ""); w.Code != status {
		l.t.Errorf("%s/%s: %d, want %d: %.300s", slug, page, w.Code, status, w.Body)
	}
}

func (l *live) health() int {
	return l.browser().get(config.DevHost, "/health").Code
}

// smallDisk is a file system of a few MB, where this process may mount one.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("needs the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// A full disk refuses saves with a clear answer, shows everything, tells
// monitors, and heals when there is room again, without a restart.
func TestDiskFull(t *testing.T) {
	l := startLiveIn(t, smallDisk(t))
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
	for i := range 20 { // some may still find room inside the files that are there
		page := fmt.Sprintf("Full_%d", i)
		switch status, body := l.save("ada", page, strings.Repeat("text ", 2000)); status {
		case http.StatusCreated:
			acknowledged = append(acknowledged, page)
		case http.StatusInsufficientStorage:
			failed++
			if !strings.Contains(body, "othing was") {
				t.Errorf("the answer does not say that nothing was lost: %s", body)
			}
		default:
			t.Errorf("%s: %d %s", page, status, body)
		}
	}
	if failed == 0 {
		t.Error("the disk was not full")
	}
	l.wants(http.StatusOK, "ada", "Before")
	time.Sleep(1100 * time.Millisecond) // health looks once a second
	if status := l.health(); status != http.StatusServiceUnavailable {
		t.Errorf("health of a full disk: %d", status)
	}
	l.must(os.Remove(filler))
	within(t, "health", func() bool { time.Sleep(300 * time.Millisecond); return l.health() == http.StatusOK })
	if status, body := l.save("ada", "After", "x"); status != http.StatusCreated {
		t.Errorf("with room again: %d %s", status, body)
	}
	for _, page := range append(acknowledged, "Before", "After") {
		l.wants(http.StatusOK, "ada", page)
	}
}

// The same of a file system that turns read-only, as one does whose disk fails.
func TestReadOnlyDisk(t *testing.T) {
	disk := smallDisk(t)
	l := startLiveIn(t, disk)
	l.save("ada", "Before", "kept")
	l.must(l.service.Close())
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("cannot make it read-only: %v", err)
	}
	if lock, err := lockDir(l.dir); err == nil { // where each command begins
		_ = lock.release()
		t.Error("it starts on a disk that it cannot write")
	} else if !errors.Is(err, syscall.EROFS) {
		t.Errorf("the error does not say why: %v", err)
	}
	l.must(syscall.Mount("", disk, "", syscall.MS_REMOUNT, "size=24m"))
	l.open()
	l.wants(http.StatusOK, "ada", "Before")
	if status, body := l.save("ada", "After", "x"); status != http.StatusCreated {
		t.Errorf("afterwards: %d %s", status, body)
	}
}

// A database that is damaged in one wiki is told from one that is not there, is
// not written any more, and is nothing to the others. Its index heals by itself.
func TestDamagedFilesOfOneWiki(t *testing.T) {
	l := startLive(t)
	l.save("ada", "Big", strings.Repeat("many words that fill some pages of the database ", 4000))
	l.must(l.service.Close())
	dir := filepath.Join(l.dir, "wikis", "ada")
	spoil(t, filepath.Join(dir, "wiki.db"))
	l.open()
	bad := 0
	for _, page := range []string{"Home", "Big"} {
		w := l.api("GET", "ada", "/api/v1/pages/"+page, l.token("ada", "owner"), "")
		if w.Code == http.StatusInsufficientStorage {
			bad++
			if !strings.Contains(w.Body.String(), "damaged") {
				t.Errorf("the answer does not say what is wrong: %s", w.Body)
			}
		} else if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", page, w.Code, w.Body)
		}
	}
	if bad == 0 {
		t.Error("the damage was not noticed")
	}
	l.wants(http.StatusOK, "bob", "Home")
	if status, body := l.save("bob", "Written", "x"); status != http.StatusCreated {
		t.Errorf("another wiki: %d %s", status, body)
	}
	if out := l.do("wikis"); !strings.Contains(out, "ada") {
		t.Error("the operator's list lacks the damaged wiki")
	}

	// Indexes: one that is lost, and one that is damaged.
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
		l.must(l.service.Close())
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

// A clock that jumps loses nothing: history keeps its order, and whoever was
// signed in is once it is right again.
func TestClockJumps(t *testing.T) {
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
			t.Errorf("change %d is not where it belongs", i)
		}
		last = at
	}
}

// p99 is the time that 99 of 100 requests for a page of ada's take at most.
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

// others measures what others' requests take before and while something goes
// on. The machine's other work only ever adds to a run, so the shortest of each
// kind is compared.
func (l *live) others(what string, address string, during func() (stop func())) {
	l.t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: dialTo(address)}}
	before, while := time.Hour, time.Hour
	slower := func() float64 { return float64(while) / float64(max(before, 200*time.Microsecond)) }
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

// Slow clients hold connections, not others' requests.
func TestSlowClientsLeaveOthersAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	l := startLive(t)
	address := l.listen()
	slow := 200
	if os.Getenv("ROBOT_LONG") != "" {
		slow = 1000
	}
	l.others(fmt.Sprintf("%d slow connections", slow), address, func() func() {
		var conns []net.Conn
		for i := range slow {
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

// One wiki that is written as fast as can be, here even without rate limits, does
// not slow down the others.
func TestNoisyTenantLeavesOthersAlone(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	l := startLive(t)
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
