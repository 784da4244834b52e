package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/await"
	"robot.wtf/internal/shipping"
	"robot.wtf/internal/slow"
)

// A lossWorld is a service that ships, with a writer, on a machine that is lost again and
// again.
type lossWorld struct {
	*unit
	data, backups, token string
	client               *http.Client

	saves []acknowledged
}

// acknowledged is a save that the service has answered.
type acknowledged struct {
	page, number int
	at           time.Time
}

func newLossWorld(t *testing.T) *lossWorld {
	data, token, _ := seededData(t)
	w := &lossWorld{data: data, backups: filepath.Join(t.TempDir(), "backups"), token: token}
	var address string
	w.unit, address = newUnit(t, data, "--reads-per-minute", "1000000", "--writes-per-minute", "1000000", "--ship", "--backup", w.backups, "--no-check-certificate")
	w.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}}}
	return w
}

// ask sends a request to ada's wiki.
func (w *lossWorld) ask(method, path, body string) (string, error) {
	r, err := http.NewRequest(method, "http://ada.robot.localhost"+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := w.client.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s %.200s", method, path, answer.Status, text)
	}
	return string(text), err
}

const lossPages = 20

// save saves the next number to a page.
func (w *lossWorld) save(number int) error {
	page := rand.IntN(lossPages)
	path := fmt.Sprintf("/api/v1/pages/Loss%d", page)
	edit := struct {
		Content  string `json:"content"`
		Revision string `json:"revision,omitempty"`
	}{}
	if text, err := w.ask("GET", path, ""); err == nil {
		if err := json.Unmarshal([]byte(text), &edit); err != nil {
			return err
		}
	}
	edit.Content = fmt.Sprintf("%s\nnumber %d\n", strings.Repeat(fmt.Sprintf("text %d ", rand.Uint64()), rand.IntN(200)), number)
	body, err := json.Marshal(edit)
	if err != nil {
		return err
	}
	if _, err := w.ask("PUT", path, string(body)); err != nil {
		return err
	}
	w.saves = append(w.saves, acknowledged{page, number, time.Now()})
	return nil
}

// lose kills the service, deletes its data and restores it.
func (w *lossWorld) lose() time.Time {
	w.t.Helper()
	w.kill()
	at := time.Now()
	if err := os.RemoveAll(w.data); err != nil {
		w.t.Fatal(err)
	}
	w.robot("restore", w.backups, "--data", w.data)
	return at
}

func (w *lossWorld) robot(args ...string) string {
	w.t.Helper()
	out, err := exec.Command("robot", args...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "WARNING") {
		w.t.Fatalf("robot %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// check fails if a page is older than its last save before a time. It returns how many
// saves were made until then, and the time of the oldest one that is lost.
func (w *lossWorld) check(until time.Time) (checked int, lost time.Time) {
	w.t.Helper()
	want, has := map[int]int{}, map[int]int{}
	for _, s := range w.saves {
		if !s.at.After(until) {
			want[s.page] = s.number
			checked++
		}
		has[s.page] = -1
	}
	for page := range has {
		text, err := w.ask("GET", fmt.Sprintf("/api/v1/pages/Loss%d", page), "")
		if err != nil && !strings.Contains(err.Error(), "404") {
			w.t.Fatal(err)
		}
		var answer struct{ Content string }
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			w.t.Fatal(err)
		}
		got := has[page]
		lines := strings.Split(strings.TrimSpace(answer.Content), "\n")
		_, _ = fmt.Sscanf(lines[len(lines)-1], "number %d", &got)
		has[page] = got
		if number, saved := want[page]; saved && got < number {
			w.t.Errorf("page %d has number %d, and %d was acknowledged before %s", page, got, number, until)
		}
	}
	for _, s := range w.saves {
		if s.number > has[s.page] {
			return checked, s.at
		}
	}
	return checked, time.Time{}
}

// Everything that is shipped survives the loss of the machine: saves, new wikis'
// databases and what the operator did.
func TestLosingTheMachineLosesNothingShipped(t *testing.T) {
	t.Parallel()
	slow.Test(t)
	w := newLossWorld(t)
	w.start()
	w.robot("backup", w.backups, "--data", w.data)
	for number := range 20 {
		if err := w.save(number); err != nil {
			t.Fatal(err)
		}
	}
	w.robot("admin", "suspend", "dan", "--reason", "Spam.", "--data", w.data)
	w.awaitShipped()
	w.lose()
	w.start()
	if checked, _ := w.check(time.Now()); checked < 20 {
		t.Errorf("%d saves were checked", checked)
	}
	if out := w.robot("admin", "wikis", "--data", w.data); !strings.Contains(out, "suspended") {
		t.Errorf("the suspension is lost:\n%s", out)
	}
	w.awaitShipped()
	w.robot("verify", w.backups)
}

// awaitShipped waits until everything saved so far is shipped: two more objects than
// there were, or no object for longer than commits are gathered.
func (w *lossWorld) awaitShipped() {
	w.t.Helper()
	log := shipping.LogIn(w.backups)
	last, since := uint64(0), time.Now()
	await.Until(w.t, "shipping", time.Minute, func() bool {
		newest, err := log.Newest()
		if err != nil {
			w.t.Fatal(err)
		}
		if newest != last {
			last, since = newest, time.Now()
		}
		return newest > 0 && time.Since(since) > 12*time.Second
	})
}

// Whenever the machine is lost, acknowledged saves of more than ten seconds before are
// not.
func TestLosingTheMachineAtRandom(t *testing.T) {
	t.Parallel()
	slow.Test(t)
	rounds := 4
	if os.Getenv("ROBOT_LONG") != "" {
		rounds = 50
	}
	w := newLossWorld(t)
	w.start()
	w.robot("backup", w.backups, "--data", w.data)
	number, checked, worst := 0, 0, time.Duration(0)
	for round := range rounds {
		end := time.Now().Add(time.Duration(rand.IntN(14_000)) * time.Millisecond)
		backup := time.Now().Add(time.Duration(rand.IntN(14_000)) * time.Millisecond)
		for time.Now().Before(end) {
			number++
			if err := w.save(number); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(backup) {
				w.robot("backup", w.backups, "--data", w.data)
				backup = end.Add(time.Hour)
			}
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		}
		at := w.lose()
		w.start()
		older, lost := w.check(at.Add(-10 * time.Second))
		checked += older
		if !lost.IsZero() {
			worst = max(worst, at.Sub(lost))
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		w.saves = nil // later saves are compared with later ones
	}
	t.Logf("measured: %d losses; %d acknowledged saves, %d of them older than 10 s; the oldest lost one was %s old", rounds, number, checked, worst)
}
