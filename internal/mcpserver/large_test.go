package mcpserver

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Attack: large requests to one wiki from many connections, so that every processor
// parses JSON. A wiki's large requests are parsed one at a time, whichever part of the
// service parses them; small ones don't wait.
func TestLargeRequestsTakeTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	large := strings.Repeat("some words ", 4<<10)
	release, err := w.Pages.AcquireLarge(t.Context(), w.Access("ada", "ada"), len(large))
	if err != nil {
		t.Fatal(err)
	}
	c := &client{access: w.Access("ada", "ada")}
	body := callBody(1, "create_page", "path", "Large", "content", large)
	answers := func(within time.Duration, pass func(rec *httptest.ResponseRecorder, ctx context.Context)) bool {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		rec := httptest.NewRecorder()
		pass(rec, ctx)
		return rec.Body.Len() > 0
	}
	post := func(text string) func(*httptest.ResponseRecorder, context.Context) {
		return func(rec *httptest.ResponseRecorder, ctx context.Context) {
			r := httptest.NewRequest("POST", "http://ada.robot.localhost/mcp", strings.NewReader(text)).WithContext(ctx)
			r.Header.Set("Authorization", "Bearer "+w.Tokens["ada/owner"])
			w.handler.ServeHTTP(rec, r)
		}
	}
	if answers(100*time.Millisecond, post(`{"large":"`+large)) {
		t.Error("the service parses a large request outside of its wiki's turn")
	}
	if answers(100*time.Millisecond, func(rec *httptest.ResponseRecorder, ctx context.Context) {
		w.door.passOn(rec, httptest.NewRequest("POST", "/mcp", nil).WithContext(ctx), c, "ada", []byte(body), []message{{}}, false)
	}) {
		t.Error("the SDK parses a large request outside of its wiki's turn")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := w.door.parseArguments(ctx, c, w.door.tools["create_page"], []byte(`{"path":"Large","content":"`+large+`"}`)); err == nil {
		t.Error("large arguments are parsed outside of their wiki's turn")
	}
	if !answers(time.Minute, post(`{"small":`)) {
		t.Error("a small request waits")
	}
	w.ok("bob/owner", "create_page", "path", "Large", "content", large)
	release()
	w.ok("ada/owner", "create_page", "path", "Large", "content", large)
}

// The SDK's turn ends before it executes a request, which takes turns of its own.
func TestLargeRequestsThroughTheSDK(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	large := strings.Repeat("some words ", 4<<10)
	batch := "[" + callBody(1, "create_page", "path", "One", "content", large) + "," + callBody(2, "create_page", "path", "Two", "content", large) + "]"
	ended := make(chan answered, 1)
	go func() {
		ended <- w.post(posted{token: "ada/owner", slug: "ada", body: batch, headers: []string{"MCP-Protocol-Version", "2025-03-26"}})
	}()
	select {
	case a := <-ended:
		if a.StatusCode != 200 || strings.Count(a.text, `"id"`) != 2 || w.source("ada", "Two") == "" {
			t.Errorf("%s %.300s", a.Status, a.text)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a large batch waits for itself")
	}
	release, err := w.Pages.AcquireLarge(t.Context(), w.Access("ada", "ada"), len(large))
	if err != nil {
		t.Fatal(err)
	}
	release()
}
