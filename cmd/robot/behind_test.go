package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"robot.wtf/internal/config"
)

// The embedding backlog shows in search on every front end, in the wiki's settings
// and in the metrics.
func TestIndexingBacklogIsShown(t *testing.T) {
	t.Parallel()
	l := startSemantic(t)
	l.must(l.Watch())
	l.StopIndexing() // keep the backlog
	token, owner := l.token("ada", "owner"), l.signIn("ada", "ada")
	host := "ada." + config.DevHost
	if w := l.api("PUT", "ada", "/api/v1/pages/Late", token, `{"content":"late frost"}`); w.Code != http.StatusCreated {
		t.Fatalf("save: %d %s", w.Code, w.Body)
	}
	w := l.api("GET", "ada", "/api/v1/search?q=frost", token, "")
	var answer struct{ Waiting int }
	l.must(json.Unmarshal(w.Body.Bytes(), &answer))
	if answer.Waiting == 0 {
		t.Fatalf("no backlog: %s", w.Body)
	}
	metrics := httptest.NewRecorder()
	l.Metrics.Handler("").ServeHTTP(metrics, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for place, text := range map[string][2]string{
		"the page of search": {owner.get(host, "/-/search?q=frost").Body.String(), "Search by meaning is still indexing"},
		"settings":           {owner.get(host, "/-/settings").Body.String(), "Search by meaning is still indexing"},
		"the health page":    {owner.get(host, "/-/health").Body.String(), "Search is still indexing"},
		"agents":             {l.mcp("ada", token, "tools/call", map[string]any{"name": "search", "arguments": map[string]string{"query": "frost"}}).Body.String(), "not yet indexed for semantic search"},
		"metrics":            {metrics.Body.String(), "robot_unembedded_sections"},
	} {
		if !strings.Contains(text[0], text[1]) {
			t.Errorf("%s doesn't say %q: %s", place, text[1], text[0])
		}
	}
	if strings.Contains(metrics.Body.String(), "robot_unembedded_sections 0\n") {
		t.Error("the metrics count none")
	}
}
