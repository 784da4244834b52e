package content

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"robot.wtf/internal/wiki"
)

// wikiByAuthors makes a wiki whose commit messages name the commits' authors.
func wikiByAuthors(t *testing.T) *Wiki {
	t.Helper()
	clock := newClock()
	w := newWiki(t, clock.Now)
	robot := func(person wiki.Caller, agent string) wiki.Caller {
		return wiki.Caller{User: person.User, Agent: agent, Client: "token", Grant: "g"}
	}
	for i, by := range []wiki.Caller{ada, robot(ada, "Claude Code"), bob, robot(bob, "Claude Code"), robot(ada, "Cursor"), robot(bob, "ada")} {
		name := strings.TrimSpace(by.Agent + " " + by.User.Username)
		if _, err := w.Commit(t.Context(), Request{Author: by, Message: name, Limits: wiki.DefaultLimits,
			Edits: []Edit{{Path: "A.md", Data: []byte(fmt.Sprint(i)), Base: BaseAny}}}); err != nil {
			t.Fatal(err)
		}
	}
	forged := must(t, w, robot(ada, "Forged"), Edit{Path: "A.md", Data: []byte("forged"), Base: BaseAny})
	if _, err := w.db.Exec("UPDATE commits SET imported = TRUE, message = 'imported' WHERE seq = $1", forged.Commit.Seq); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestFilterByAuthor filters by person, by agent in any case, and by both. Imported
// commits never match.
func TestFilterByAuthor(t *testing.T) {
	w := wikiByAuthors(t)
	yes, no := true, false
	for _, c := range []struct {
		f    LogFilter
		want string
	}{
		{LogFilter{}, "imported, ada bob, Cursor ada, Claude Code bob, bob, Claude Code ada, ada"},
		{LogFilter{Agents: &yes}, "ada bob, Cursor ada, Claude Code bob, Claude Code ada"},
		{LogFilter{Agents: &no}, "imported, bob, ada"},
		{LogFilter{Author: "bob"}, "ada bob, Claude Code bob, bob"},
		{LogFilter{Author: "BOB", Agents: &no}, "bob"},
		{LogFilter{Author: "ada"}, "ada bob, Cursor ada, Claude Code ada, ada"},
		{LogFilter{Author: "claude code"}, "Claude Code bob, Claude Code ada"},
		{LogFilter{Author: "Claude Code", Limit: 1}, "Claude Code bob"},
		{LogFilter{Author: "Claude Code for bob"}, "Claude Code bob"},
		{LogFilter{Author: "cursor for Ada"}, "Cursor ada"},
		{LogFilter{Author: "Cursor for bob"}, ""},
		{LogFilter{Author: "Cursor for "}, ""},
		{LogFilter{Author: "Nobody for ada"}, ""},
		{LogFilter{Author: "Forged"}, ""},
		{LogFilter{Author: "'; DROP TABLE commits; --"}, ""},
		{LogFilter{Author: "?"}, ""},
	} {
		commits, err := w.Log(t.Context(), c.f)
		if err != nil {
			t.Errorf("%+v: %v", c.f, err)
		}
		revisions, err := w.HistoryBy(t.Context(), "A.md", c.f)
		if err != nil {
			t.Errorf("%+v: %v", c.f, err)
		}
		var inLog, inHistory []string
		for _, x := range commits {
			inLog = append(inLog, x.Message)
		}
		for _, x := range revisions {
			inHistory = append(inHistory, x.Message)
		}
		if got := strings.Join(inLog, ", "); got != c.want {
			t.Errorf("log %+v:\n got %s\nwant %s", c.f, got, c.want)
		}
		if got := strings.Join(inHistory, ", "); got != c.want {
			t.Errorf("history %+v:\n got %s\nwant %s", c.f, got, c.want)
		}
	}
	got, err := w.Authors(t.Context())
	if diff := cmp.Diff(Authors{People: []string{"ada", "bob"}, Agents: []string{"Claude Code", "Cursor", "ada"}}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}
