package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/config"
	"robot.wtf/internal/hostile"
	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// A hostileRequest is expensive for the service and cheap for its sender.
type hostileRequest struct {
	method, path string
	contentType  string // "" for JSON
	body         []string
}

// A flood hurts the readers of other wikis, if it can. Its connections send
// the nth requests of n = 0, 1, 2 and so on.
type flood struct {
	what     string
	slug     string
	header   http.Header // credentials
	requests func(n int) []hostileRequest
	want     []int // one of these statuses shows that the work was done
	pause    time.Duration
	sent     *atomic.Int64 // requests in all rounds
}

// floodPause is the time between two requests of a connection. Four connections send
// as much as the rate limits let one wiki write: 20 a second.
const floodPause = 200 * time.Millisecond

// apiFloods returns what bob's tokens can do.
func (l *live) apiFloods() []flood {
	base, tasks := l.prepareHostilePages()
	quote := func(s string) string { text, _ := json.Marshal(s); return strings.TrimSuffix(string(text), `"`) }
	conflicts, nested := quote(hostile.Places("mine", 20_000)), quote(strings.Repeat("a\n: ", 40_000))
	slow := hostile.JPEG{Width: 8000, Height: 5000, Components: 1, Progressive: true, Scans: 20}.Bytes()
	picture := base64.StdEncoding.EncodeToString(append(slow, make([]byte, 3-len(slow)%3)...)) // no padding
	large := base64.StdEncoding.EncodeToString(make([]byte, 9_000_000))
	put := func(page string, body ...string) []hostileRequest {
		return []hostileRequest{{method: "PUT", path: "/api/v1/pages/" + page, body: body}}
	}
	attach := func(n int, data string) hostileRequest {
		// Bytes after the end make each a file of its own.
		return hostileRequest{method: "POST", path: "/api/v1/pages/Home/attachments", body: []string{`{"filename":"`, fmt.Sprintf("%d.jpg", n), `","content":"`, data, fmt.Sprintf("%08d", n), `"}`}}
	}
	call := func(name, arguments, after string) []hostileRequest {
		return []hostileRequest{{method: "POST", path: "/mcp", body: []string{`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `","arguments":` + arguments + `}}` + after}}}
	}
	floods := []flood{
		{what: "edits that conflict in 20,000 places", want: []int{409}, requests: func(n int) []hostileRequest {
			return put("Conflict", `{"content":`, conflicts, fmt.Sprint(n), `","revision":"`, base, `"}`)
		}},
		{what: "a regular expression that backtracks", want: []int{200}, requests: func(int) []hostileRequest {
			return call("grep", `{"pattern":"(?:a?){500}z","regex":true}`, "")
		}},
		{what: "ticks of tasks on a page that changed", want: []int{200}, requests: func(n int) []hostileRequest {
			form := url.Values{"page": {"Tasks"}, "revision": {tasks}, "task": {fmt.Sprintf("%d done", 1+n%50_000)}}
			return []hostileRequest{{method: "POST", path: "/-/task", contentType: "application/x-www-form-urlencoded", body: []string{form.Encode()}}}
		}},
		{what: "new pages of nested lists", want: []int{201}, requests: func(n int) []hostileRequest {
			return put(fmt.Sprintf("Nested_%d", n), `{"content":`, nested, fmt.Sprint(n), `"}`)
		}},
		{what: "calls with a byte after the message", want: []int{400}, requests: func(int) []hostileRequest {
			return call("read_page", `{"path":"Home"}`, "x")
		}},
		{what: "thumbnails of slow images", want: []int{200}, requests: func(n int) []hostileRequest {
			return []hostileRequest{attach(n, picture), {method: "GET", path: fmt.Sprintf("/Home/t/%d.jpg/96", n)}}
		}},
		{what: "large uploads", want: []int{201, 403}, requests: func(n int) []hostileRequest {
			return []hostileRequest{attach(n, large)}
		}},
	}
	for i := range floods {
		floods[i].slug, floods[i].pause, floods[i].sent = "bob", floodPause, new(atomic.Int64)
		floods[i].header = l.signIn("bob", "bob").header("bob")
		floods[i].header.Set("Authorization", "Bearer "+l.token("bob", "owner"))
	}
	return floods
}

// importFloods returns what dan can do with repositories. His wiki keeps its initial
// pages, because each of them is refused, or another one's import is running.
func (l *live) importFloods() []flood {
	dan := l.browser()
	dan.post(config.DevHost, "/auth/dev", map[string][]string{"username": {"dan"}})
	dan.post(config.DevHost, "/app/create", map[string][]string{"slug": {"dan"}})
	header := l.signIn("dan", "dan").header("dan")
	upload := func(data string) func(int) []hostileRequest {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		file, err := form.CreateFormFile("file", "wiki.bundle")
		l.must(err)
		_, err = io.WriteString(file, data)
		l.must(err)
		l.must(form.Close())
		text := body.String()
		return func(int) []hostileRequest {
			return []hostileRequest{{method: "POST", path: "/-/import", contentType: form.FormDataContentType(), body: []string{text}}}
		}
	}
	floods := []flood{
		{what: "uploads of 40 MB that are no repository", requests: upload(strings.Repeat("no repository\n", 3_000_000))},
		{what: "bundles that unpack to much", requests: upload(string(l.inflatedBundle(20, 20_000_000)))},
		{what: "zips that unpack to much", requests: upload(string(l.inflatedZip(400_000_000)))},
	}
	for i := range floods {
		floods[i].slug, floods[i].header, floods[i].pause, floods[i].want, floods[i].sent = "dan", header, floodPause, []int{303}, new(atomic.Int64)
	}
	return floods
}

// header returns what the browser sends to a wiki.
func (b *browser) header(slug string) http.Header {
	h := http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"navigate"}}
	for name, value := range b.cookies[slug+"."+config.DevHost] {
		h.Add("Cookie", name+"="+value)
	}
	return h
}

// git runs git in a directory, with an input.
func (l *live) git(dir string, in io.Reader, args ...string) {
	l.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("git %v: %v %s", args, err, out)
	}
}

// bundle makes a bundle of the commits in a stream for git fast-import.
func (l *live) bundle(stream func(w io.Writer)) []byte {
	l.t.Helper()
	dir := l.t.TempDir()
	l.git(dir, nil, "init", "-q", "-b", "main")
	in, out := io.Pipe()
	go func() { stream(out); out.Close() }()
	l.git(dir, in, "fast-import", "--quiet")
	l.git(dir, nil, "bundle", "create", "-q", "wiki.bundle", "--all")
	data, err := os.ReadFile(filepath.Join(dir, "wiki.bundle"))
	l.must(err)
	return data
}

const fastCommit = "commit refs/heads/main\ncommitter Ada <ada@robot.localhost> %d +0000\ndata 4\nEdit\n"

// inflatedBundle has files of zeros, which are too large for a wiki.
func (l *live) inflatedBundle(files, size int) []byte {
	return l.bundle(func(w io.Writer) {
		fmt.Fprintf(w, fastCommit, 1_790_000_000)
		for i := range files {
			fmt.Fprintf(w, "M 100644 inline file%d.bin\ndata %d\n%08d", i, size, i)
			_, _ = w.Write(make([]byte, size-8))
			_, _ = io.WriteString(w, "\n")
		}
	})
}

// historyBundle has many commits of many pages.
func (l *live) historyBundle(commits int) []byte {
	return l.bundle(func(w io.Writer) {
		for i := range commits {
			text := fmt.Sprintf("# Page\n\n%s\n\n[[Page %d]]\n", strings.Repeat(fmt.Sprintf("line %d\n", i), 40), i%97)
			fmt.Fprintf(w, fastCommit, 1_790_000_000+i)
			fmt.Fprintf(w, "M 100644 inline Page_%d.md\ndata %d\n%s\n", i%200, len(text), text)
		}
	})
}

// inflatedZip has a repository's pack of zeros.
func (l *live) inflatedZip(size int64) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]io.Reader{
		".git/HEAD": strings.NewReader("ref: refs/heads/main\n"),
		".git/objects/pack/pack-0000000000000000000000000000000000000000.pack": io.LimitReader(zeros{}, size),
	} {
		f, err := z.Create(name)
		l.must(err)
		_, err = io.Copy(f, content)
		l.must(err)
	}
	l.must(z.Close())
	return b.Bytes()
}

// zeros is a reader of zeros without an end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// start sends the flood's requests from four connections until stop is called, which
// returns how often each status was answered.
func (f flood) start(address string) (stop func() map[int]int) {
	var senders sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	stopped := make(chan struct{})
	client := &http.Client{
		Transport:     &http.Transport{DialContext: dialTo(address), MaxIdleConnsPerHost: 4},
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	next := func() []hostileRequest {
		return f.requests(int(f.sent.Add(1)))
	}
	for range 4 {
		senders.Go(func() {
			for {
				for _, h := range next() {
					status := f.send(client, h)
					mu.Lock()
					answers[status]++
					mu.Unlock()
				}
				select {
				case <-stopped:
					return
				case <-time.After(f.pause):
				}
			}
		})
	}
	return func() map[int]int { close(stopped); senders.Wait(); return answers }
}

// send returns the status of the answer, 0 if there is none.
func (f flood) send(client *http.Client, h hostileRequest) int {
	var parts []io.Reader
	length := 0
	for _, part := range h.body {
		parts, length = append(parts, strings.NewReader(part)), length+len(part)
	}
	r, err := http.NewRequest(h.method, "http://"+f.slug+"."+config.DevHost+h.path, io.MultiReader(parts...))
	if err != nil {
		return 0
	}
	r.Header, r.ContentLength = f.header.Clone(), int64(length)
	r.Header.Set("Content-Type", cmp.Or(h.contentType, "application/json"))
	r.Header.Set("Accept", "application/json, text/event-stream")
	answer, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// Nothing that one tenant does costs the others anything they notice: while it sends
// the most expensive requests that we know, another wiki's pages take at most twice
// as long (p99, the median of five rounds).
func TestHostileTenantLeavesOthersAlone(t *testing.T) {
	if os.Getenv("ROBOT_LONG") == "" {
		t.Skip("measures time for minutes")
	}
	l := startLive(t)
	address := l.listen()
	requests := l.apiFloods()
	for _, f := range append(requests, l.importFloods()...) {
		t.Run(f.what, func(t *testing.T) {
			answers := map[int]int{}
			total := l.comparesReaders(t, address, func() func() {
				stop := f.start(address)
				return func() {
					for status, n := range stop() {
						answers[status] += n
					}
				}
			})
			sent := 0
			for _, n := range answers {
				sent += n
			}
			t.Logf("%d requests, %v of CPU for each with the readers; answers: %v", sent, (total.cpu / time.Duration(max(sent, 1))).Round(100*time.Microsecond), answers)
			if !slices.ContainsFunc(f.want, func(status int) bool { return answers[status] > 0 }) {
				t.Errorf("the work wasn't done: %v, want one of %v", answers, f.want)
			}
		})
	}
	t.Run("all requests of one tenant at once", func(t *testing.T) {
		l.comparesReaders(t, address, func() func() {
			var stops []func() map[int]int
			for _, f := range requests {
				stops = append(stops, f.start(address))
			}
			return func() {
				var stopping sync.WaitGroup
				for _, stop := range stops {
					stopping.Go(func() { stop() })
				}
				stopping.Wait()
			}
		})
	})
	bundle := l.historyBundle(4000)
	t.Run("imports that run", func(t *testing.T) {
		wikis := 0
		l.comparesReaders(t, address, func() func() {
			wikis++
			return l.runImport(fmt.Sprintf("import%d", wikis), bundle)
		})
	})
}

// runImport imports a repository into a new wiki, until stop is called.
func (l *live) runImport(slug string, bundle []byte) (stop func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	owner := wiki.User{DID: "did:plc:" + (slug + strings.Repeat("a", 24))[:24], Username: slug}
	_, err := l.Tenant.Create(ctx, owner, slug)
	l.must(err)
	a, err := l.Tenant.Resolve(ctx, slug, wiki.Caller{User: owner})
	l.must(err)
	l.must(l.Pages.Seed(ctx, a))
	u, err := l.Pages.Receive(ctx, a, bytes.NewReader(bundle), func() {})
	l.must(err)
	ended := make(chan error, 1)
	go func() {
		_, err := l.Pages.Import(ctx, a, u, pages.ImportRequest{}, nil)
		ended <- errors.Join(err, u.Close())
	}()
	return func() {
		select {
		case err := <-ended:
			l.t.Errorf("the import was over before the measurement: %v", err)
		default:
			cancel()
			<-ended
		}
	}
}

// comparesReaders fails the test unless readers of ada's wiki wait at most twice as long
// while something goes on. Other load on the machine also makes them wait, so they are
// compared, round by round, with readers alone and with readers beside one goroutine that
// computes, which is a wiki's share. It returns the cost of all rounds.
func (l *live) comparesReaders(t *testing.T, address string, during func() (stop func())) (total readersRound) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DialContext: dialTo(address)}}
	var slower, processors []float64
	var all []string
	for range 5 {
		l.p99(client, 100)
		idle := l.readersRound(client, func() func() { return func() {} })
		allowed := l.readersRound(client, computeUntilStopped)
		busy := l.readersRound(client, during)
		total.cpu, total.peak = total.cpu+busy.cpu, max(total.peak, busy.peak)
		slower = append(slower, float64(busy.p99)/float64(max(idle.p99, allowed.p99, time.Millisecond))) // less isn't noticeable
		processors = append(processors, float64(busy.cpu-idle.cpu)/float64(busy.took))
		all = append(all, fmt.Sprintf("%.2f (%v; %v beside one processor's work, %v alone; %.2f processors)", slower[len(slower)-1],
			busy.p99.Round(10*time.Microsecond), allowed.p99.Round(10*time.Microsecond), idle.p99.Round(10*time.Microsecond), processors[len(processors)-1]))
	}
	slices.Sort(slower)
	slices.Sort(processors)
	t.Logf("measured: others' p99 is %.2f times what it was, with %.2f processors and a peak of %d MB: %s", slower[2], processors[2], total.peak>>20, strings.Join(all, ", "))
	if slower[2] > 2 {
		t.Errorf("others are slowed down by %.2f", slower[2])
	}
	return total
}

// A readersRound is a number of requests by readers, and what this process used
// meanwhile.
type readersRound struct {
	p99, took, cpu time.Duration
	peak           int64 // bytes of memory
}

func (l *live) readersRound(client *http.Client, during func() (stop func())) (r readersRound) {
	resetPeakMemory()
	stop := during()
	defer stop()
	time.Sleep(floodPause)
	used, begun := hostile.CPU(), time.Now()
	r.p99 = l.p99(client, 2000)
	r.cpu, r.took, r.peak = hostile.CPU()-used, time.Since(begun), peakMemory()
	return r
}

// computeUntilStopped keeps one processor busy.
func computeUntilStopped() (stop func()) {
	var stopped atomic.Bool
	var work sync.WaitGroup
	work.Go(func() {
		for block := make([]byte, 64<<10); !stopped.Load(); {
			sha256.Sum256(block)
		}
	})
	return func() { stopped.Store(true); work.Wait() }
}

// resetPeakMemory makes peakMemory measure from now on (proc_pid_clear_refs(5)). Where
// that isn't possible, the peak is that of the whole test.
func resetPeakMemory() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peakMemory returns the largest resident size of this process, 0 if it is unknown.
func peakMemory() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	_, _ = fmt.Sscan(rest, &kib)
	return kib << 10
}

// prepareHostilePages writes pages to bob's wiki that make requests expensive. It
// returns old revisions of the pages Conflict and Tasks.
func (l *live) prepareHostilePages() (base, tasks string) {
	l.t.Helper()
	ctx := l.t.Context()
	a, err := l.Tenant.Resolve(ctx, "bob", wiki.Caller{User: wiki.User{DID: "did:plc:bobbobbobbobbobbobbobbob", Username: "bob"}})
	l.must(err)
	save := func(name, text, base string) string {
		saved, err := l.Pages.Save(ctx, a, pages.SaveRequest{Name: name, Text: []byte(text), Precondition: pages.Precondition{Base: base, Create: base == ""}})
		l.must(err)
		return saved.Revision
	}
	base = save("Conflict", hostile.Places("base", 20_000), "")
	save("Conflict", hostile.Places("theirs", 20_000), base)
	save("Long", strings.Repeat("a", 200_000)+"\n", "")
	list := strings.Repeat("- [ ] one\n- [ ] two\n", 25_000)
	tasks = save("Tasks", list, "")
	save("Tasks", strings.ReplaceAll(list, "two", "three"), tasks)
	return base, tasks
}
