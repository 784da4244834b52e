package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type fakeNotifier struct {
	name string
	got  []string
	fail bool
}

func (t *fakeNotifier) Name() string { return t.name }

func (t *fakeNotifier) Notify(_ context.Context, n Notice) error {
	if t.fail {
		return errors.New("unreachable")
	}
	t.got = append(t.got, n.Key+" "+n.State)
	return nil
}

// A condition is reported when it begins, daily while it lasts, and when it ends.
// A failed notifier gets it later, the others don't get it twice.
func TestNotifiesEachOnce(t *testing.T) {
	now := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	var found []Condition
	a, b := &fakeNotifier{name: "a"}, &fakeNotifier{name: "b", fail: true}
	w := &Watcher{alarms: map[string]*alarm{}, o: Options{
		Checks: []Check{func(context.Context) []Condition { return found }}, Notifiers: []Notifier{a, b},
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	}}
	steps := []struct {
		found  string
		after  time.Duration
		bFails bool
		a, b   string
	}{
		{"", time.Minute, false, "", ""},
		{"disk", time.Minute, true, "disk raised", ""},
		{"disk", time.Minute, false, "", "disk raised"},
		{"disk", time.Minute, false, "", ""},
		{"disk", 24 * time.Hour, false, "disk lasting", "disk lasting"},
		{"disk backup", time.Minute, false, "backup raised", "backup raised"},
		{"backup", time.Minute, true, "disk over", ""},
		{"backup", time.Minute, false, "", "disk over"},
		{"disk backup", time.Minute, false, "disk raised", "disk raised"},
	}
	for i, s := range steps {
		found = nil
		for _, key := range strings.Fields(s.found) {
			found = append(found, Condition{key, "text"})
		}
		now = now.Add(s.after)
		a.got, b.got, b.fail = nil, nil, s.bFails
		w.runChecks(t.Context())
		if strings.Join(a.got, ",") != s.a || strings.Join(b.got, ",") != s.b {
			t.Errorf("step %d: %q and %q, want %q and %q", i, a.got, b.got, s.a, s.b)
		}
	}
}

// A restart doesn't repeat alarms, and forgets neither undelivered alarms nor the end of
// an alarm.
func TestAlarmsSurviveARestart(t *testing.T) {
	now := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	file := filepath.Join(t.TempDir(), "alarms.json")
	var found []Condition
	a, b := &fakeNotifier{name: "a"}, &fakeNotifier{name: "b"}
	round := func(keys string, after time.Duration) string {
		found = nil
		for _, key := range strings.Fields(keys) {
			found = append(found, Condition{key, "text"})
		}
		now = now.Add(after)
		a.got, b.got = nil, nil
		w := &Watcher{alarms: map[string]*alarm{}, o: Options{
			Checks: []Check{func(context.Context) []Condition { return found }}, Notifiers: []Notifier{a, b}, File: file,
			Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		}}
		w.restore()
		w.runChecks(t.Context())
		return strings.Join(a.got, ",") + "; " + strings.Join(b.got, ",")
	}
	for i, step := range []struct {
		found  string
		after  time.Duration
		bFails bool
		want   string
	}{
		{"disk", time.Minute, true, "disk raised; "},
		{"disk", time.Minute, false, "; disk raised"},
		{"disk", time.Minute, false, "; "},
		{"disk", 24 * time.Hour, false, "disk lasting; disk lasting"},
		{"", time.Minute, true, "disk over; "},
		{"", time.Minute, false, "; disk over"},
		{"", time.Minute, false, "; "},
		{"disk", time.Minute, false, "disk raised; disk raised"},
	} {
		b.fail = step.bFails
		if got := round(step.found, step.after); got != step.want {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := round("disk", time.Minute); got != "disk raised; disk raised" {
		t.Errorf("with a damaged file: %q", got)
	}
	b.name = "c"
	if got := round("disk", 24*time.Hour); got != "disk lasting; disk lasting" {
		t.Errorf("with another notifier: %q", got)
	}
}

func TestDisk(t *testing.T) {
	used, free, err := DiskUsage(t.TempDir())
	if err != nil || used <= 0 || used > 1 || free == 0 {
		t.Errorf("%f, %d, %v", used, free, err)
	}
	for part, alarms := range map[float64]int{0.79: 0, 0.8: 1, 0.99: 1} {
		check := DiskCheck("disk", "the data", "/", func(string) (float64, uint64, error) { return part, 1 << 30, nil })
		if got := check(t.Context()); len(got) != alarms {
			t.Errorf("%f: %v", part, got)
		}
	}
	check := DiskCheck("disk", "the data", "/", func(string) (float64, uint64, error) { return 0.85, 300 << 20, nil })
	if got := check(t.Context()); len(got) != 1 || got[0] != (Condition{"disk", "The disk that holds the data is 85% full; 300 MB are free. When it is full, nobody can save."}) {
		t.Errorf("%+v", got)
	}
	check = DiskCheck("disk", "the data", "/", func(string) (float64, uint64, error) { return 0, 0, errors.New("gone") })
	if got := check(t.Context()); len(got) != 1 || !strings.Contains(got[0].Text, "that holds the data: gone") {
		t.Errorf("%+v", got)
	}
}

// mailServer is an SMTP server that accepts one message.
func mailServer(t *testing.T) (address string, got chan string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	got = make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "220 test\r\n")
		var all strings.Builder
		data := false
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			line := lines.Text()
			all.WriteString(line + "\n")
			switch {
			case data && line != ".":
			case data:
				data = false
				fmt.Fprint(conn, "250 accepted\r\n")
			case line == "DATA":
				data = true
				fmt.Fprint(conn, "354 go on\r\n")
			case line == "QUIT":
				fmt.Fprint(conn, "221 bye\r\n")
				got <- all.String()
				return
			default:
				fmt.Fprint(conn, "250 ok\r\n")
			}
		}
	}()
	return listener.Addr().String(), got
}

func TestMail(t *testing.T) {
	address, got := mailServer(t)
	m := Mail{Server: address, From: mail.Address{Address: "robot@robot.test"}, To: mail.Address{Address: "ada@robot.test"}, Service: "robot.test"}
	err := m.Notify(t.Context(), Notice{Key: "disk", State: "raised", Text: "The disk is 81% full: größer\r\nBcc: eve@evil.test", Time: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	text := <-got
	for _, want := range []string{"MAIL FROM:<robot@robot.test>", "RCPT TO:<ada@robot.test>", "Subject: [robot.test] disk: raised", "81% full: gr=C3=B6=C3=9Fer"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if head, _, _ := strings.Cut(text, "\n\n"); strings.Contains(head, "Bcc") {
		t.Error("text of the notice became a header")
	}
	if err := (Mail{Server: "127.0.0.1:1"}).Notify(t.Context(), Notice{}); err == nil {
		t.Error("no error without a server")
	}
}

func TestWebhook(t *testing.T) {
	var got map[string]any
	status := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(body, &got)
		w.WriteHeader(status)
	}))
	defer server.Close()
	h, err := NewWebhook(server.URL+"/secret", "robot.test", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Notify(t.Context(), Notice{Key: "disk", State: "raised", Text: "full"}); err != nil || got["alarm"] != "disk" || got["service"] != "robot.test" || got["content"] == "" {
		t.Errorf("posted %v: %v", got, err)
	}
	status = http.StatusInternalServerError
	if err := h.Notify(t.Context(), Notice{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	server.Close()
	if err := h.Notify(t.Context(), Notice{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"", "http://hooks.example.org/", "http://10.0.0.1/", "ftp://127.0.0.1/", "https://"} {
		if _, err := NewWebhook(bad, "", nil); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}
