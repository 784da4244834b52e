package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/slow"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// TestConcurrentAgentsLoseNoEdits: four agents edit two pages at once on
// outdated revisions, sending every third request twice, while the service
// is killed and restarted. Each acknowledged line is there exactly once, and
// no other line more than once.
func TestConcurrentAgentsLoseNoEdits(t *testing.T) {
	slow.Test(t)
	edits, kills := 40, 2
	if os.Getenv("ROBOT_LONG") != "" {
		edits, kills = 500, 8
	}
	s := newLiveService(t)
	s.start()
	defer s.kill()
	for _, page := range []string{"Log", "Board"} {
		s.mustCall(s.token, 1, "create_page", map[string]any{"path": page, "content": "# " + page + "\n\n## Done\n\n## Open\n\nLast line.\n"})
	}
	var agents sync.WaitGroup
	acknowledged := make([][]string, 4)
	var stop sync.WaitGroup
	over := make(chan struct{})
	stop.Go(func() {
		for range kills {
			select {
			case <-over:
				return
			case <-time.After(700 * time.Millisecond):
				s.kill()
				s.start()
			}
		}
	})
	for n := range 4 {
		agents.Go(func() { acknowledged[n] = s.agent(n, edits) })
	}
	agents.Wait()
	close(over)
	stop.Wait()
	total := 0
	text := s.text("Log") + s.text("Board")
	for n := range 4 {
		for _, line := range acknowledged[n] {
			total++
			if k := strings.Count(text, line+"\n"); k != 1 {
				t.Errorf("agent %d: %q is there %d times", n, line, k)
			}
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "- agent") && strings.Count(text, line) != 1 {
			t.Errorf("%q is there %d times", line, strings.Count(text, line))
		}
	}
	if total != 4*edits {
		t.Errorf("%d edits were acknowledged, want %d", total, 4*edits)
	}
	t.Logf("%d edits, %d requests sent twice, %d retried after a failure, %d conflicts answered, %d kills", total, s.twice.Load(), s.retried.Load(), s.conflicts.Load(), kills)
}

// agent makes edits until all are acknowledged: appends to a section with
// and without a revision, and rewrites of its own section.
func (s *liveService) agent(n, edits int) (acknowledged []string) {
	random := rand.New(rand.NewPCG(uint64(n), 7))
	token, id := s.tokens[n], int64(1000*n)
	old := ""
	for i := range edits {
		page := []string{"Log", "Board"}[random.IntN(2)]
		line := fmt.Sprintf("- agent %d writes %d.", n, i)
		args := map[string]any{"path": page, "edits": []any{map[string]any{"op": "append", "section": []string{"Done", "Open"}[random.IntN(2)], "text": line}}}
		switch i % 3 {
		case 0: // on a revision some edits ago
			if old == "" || random.IntN(4) == 0 {
				old = s.revision(token, &id, "Log")
			}
			args["path"], args["revision"] = "Log", old
		case 1: // replaces text that occurs exactly once
			args["edits"] = []any{map[string]any{"op": "replace", "old": "Last line.\n", "text": line + "\nLast line.\n"}}
			if page == "Log" {
				args["edits"] = []any{map[string]any{"op": "insert_after", "old": "## Done", "text": line}}
			}
		}
		id++
		s.mustCall(token, id, "edit_page", args)
		if random.IntN(3) == 0 {
			s.twice.Add(1)
			s.mustCall(token, id, "edit_page", args) // a repetition by the network
		}
		acknowledged = append(acknowledged, line)
	}
	return acknowledged
}

func (s *liveService) revision(token string, id *int64, page string) string {
	*id++
	text := s.mustCall(token, *id, "read_page", map[string]any{"path": page, "view": "full", "max_chars": 60000})
	_, after, _ := strings.Cut(text, "@")
	rev, _, _ := strings.Cut(after, " ")
	return rev
}

func (s *liveService) text(page string) string {
	var all strings.Builder
	for from := 1; ; {
		text := s.mustCall(s.token, int64(900_000+from), "read_page", map[string]any{"path": page, "lines": fmt.Sprintf("%d-", from), "max_chars": 60000})
		_, body, _ := strings.Cut(text, "\n")
		shown, rest, more := strings.Cut(body, "\nCut. The rest: read_page with lines \"")
		all.WriteString(shown + "\n")
		if !more {
			return all.String()
		}
		if _, err := fmt.Sscanf(rest, "%d-", &from); err != nil {
			s.t.Fatal(err)
		}
	}
}

// mustCall repeats a call, with the same id, until it succeeds.
func (s *liveService) mustCall(token string, id int64, tool string, args map[string]any) string {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": args}})
	if err != nil {
		panic(err)
	}
	var text string
	succeeds := func() bool {
		var failed bool
		text, failed, err = s.post(token, string(body))
		switch {
		case err == nil && !failed:
			return true
		case err == nil:
			s.conflicts.Add(1)
		}
		s.retried.Add(1)
		return false
	}
	if !await.Within(await.Long, succeeds) {
		s.t.Errorf("%s %s: %v %s", tool, body, err, text)
	}
	return text
}

func (s *liveService) post(token, body string) (text string, failed bool, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "POST", "http://"+s.addr+"/mcp", strings.NewReader(body))
	if err != nil {
		return "", false, err
	}
	r.Host = "ada.robot.localhost"
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2025-11-25")
	answer, err := s.client.Do(r)
	if err != nil {
		return "", false, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", false, err
	}
	var got answered
	if err := json.Unmarshal(raw, &got.result); err != nil || answer.StatusCode != 200 || len(got.result.Result.Content) == 0 {
		return "", false, fmt.Errorf("%s: %s", answer.Status, raw)
	}
	return got.result.Result.Content[0].Text, got.result.Result.IsError, nil
}

// A liveService is the chain in its own process, at a fixed address.
type liveService struct {
	t      *testing.T
	dir    string
	addr   string
	token  string
	tokens []string
	client *http.Client
	child  *exec.Cmd

	twice, retried, conflicts atomic.Int64
}

func newLiveService(t *testing.T) *liveService {
	s := &liveService{t: t, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	w := testworld.New(t, testworld.Options{Now: time.Now})
	s.dir = w.Dir
	for range 4 {
		secret, _, err := w.Session.NewToken(t.Context(), w.Access("ada", "bob"), "Claude", wiki.ModeEdit)
		if err != nil {
			t.Fatal(err)
		}
		s.tokens = append(s.tokens, secret)
	}
	s.token = w.Tokens["ada/owner"]
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *liveService) start() {
	s.child = exec.Command(os.Args[0])
	s.child.Env = append(os.Environ(), "ROBOT_TEST_SERVE="+s.dir, "ROBOT_TEST_ADDR="+s.addr)
	s.child.Stderr = os.Stderr
	if err := s.child.Start(); err != nil {
		s.t.Error(err)
		return
	}
	listens := func() bool {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	}
	if !await.Within(await.Long, listens) {
		s.t.Error("the service does not start")
	}
}

// kill stops it at once (SIGKILL).
func (s *liveService) kill() {
	if s.child != nil {
		_ = s.child.Process.Kill()
		_ = s.child.Wait()
		s.child = nil
	}
}

func serveUntilKilled(dir, addr string) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	w, err := testworld.Open(context.Background(), dir, testworld.Options{Now: time.Now, Log: log})
	if err == nil {
		err = http.ListenAndServe(addr, serveWorld(w, time.Now, nil, log).handler)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
