package mcpserver

import (
	"strings"
	"testing"

	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

// samples are arguments for each tool; a tool without an entry fails.
var samples = map[string]string{
	"wiki_overview":    `{}`,
	"search":           `{"query":"welcome"}`,
	"read_page":        `{"path":"Home"}`,
	"read_pages":       `{"items":["Home"]}`,
	"create_page":      `{"path":"Made","content":"x"}`,
	"grep":             `{"pattern":"welcome"}`,
	"list_pages":       `{}`,
	"links":            `{"kind":"hubs"}`,
	"changes":          `{}`,
	"read_attachment":  `{"path":"Home"}`,
	"replace_page":     `{"path":"Home","revision":"a1b2c3d4","content":"x"}`,
	"move_page":        `{"path":"Home","new_path":"Home2","revision":"a1b2c3d4"}`,
	"delete_page":      `{"path":"Home","revision":"a1b2c3d4"}`,
	"revert":           `{"undo":"a1b2c3d4"}`,
	"write_attachment": `{"path":"Home","name":"x.txt","base64":"eA=="}`,
	"edit_page":        `{"path":"Home","edits":[{"op":"append","text":"x"}]}`,
}

// TestEveryRoleOnEveryTool: non-members get 401 for a public, a private and
// a missing wiki alike, read-only members get 403 for tools that write, and
// nobody sees another wiki's text.
func TestEveryRoleOnEveryTool(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.Tenant.SetMember(w.T.Context(), w.Access("bob", "bob"), "did:plc:ada", wiki.Editor))
	for _, k := range []struct {
		key, name string
		reads     bool
	}{{"bob/editor", "ada", false}, {"bob/owner-reads", "bob", true}} {
		secret, _, err := w.Session.NewToken(w.T.Context(), w.Access("bob", k.name), "Claude", wiki.ModeOf(k.reads, false))
		w.must(err)
		w.Tokens[k.key] = secret
	}
	const canary = testworld.Canary
	w.save("bob", "bob", "Secret_"+canary, "# Welcome\n\n"+canary+" #"+canary+"\n")
	for i := range tools {
		name := tools[i].name
		if tools[i].client != "" {
			continue // see TestFetchIsForChatGPT
		}
		sample, ok := samples[name]
		if !ok {
			t.Errorf("%s has no sample", name)
			continue
		}
		for _, slug := range []string{"ada", "bob", "nobody"} {
			for _, token := range []string{"", "wrong", "ada/owner", "ada/editor", "ada/owner-reads", "ada/viewer", "ada/proposer", "bob/owner", "bob/editor", "bob/owner-reads", "bob/viewer"} {
				of, role, _ := strings.Cut(token, "/")
				want := 200
				switch {
				case of != slug:
					want = 401
				case role == "proposer" && tools[i].action == wiki.Edit:
					want = 403
				case tools[i].action != wiki.Read && (role == "owner-reads" || role == "viewer"):
					want = 403
				}
				a := w.post(posted{token: token, slug: slug, body: callBody(w.ids.Add(1), name, sample)})
				if a.StatusCode != want {
					t.Errorf("%s of %s with %q: %s, want %d\n%s", name, slug, token, a.Status, want, a.text)
				}
				if of != "bob" && strings.Contains(a.text, canary) {
					t.Errorf("%s of %s with %q shows a private page", name, slug, token)
				}
			}
		}
	}
}

// A token ends with the membership, from the next call on.
func TestTokenEndsWithMembership(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ok("ada/editor", "read_page", "path", "Home")
	w.must(w.Tenant.RemoveMember(w.T.Context(), w.Access("ada", "ada"), "did:plc:bob"))
	if a := w.post(posted{token: "ada/editor", slug: "ada", body: callBody(1, "read_page", "path", "Home")}); a.StatusCode != 401 {
		t.Errorf("%s %s", a.Status, a.text)
	}
}
