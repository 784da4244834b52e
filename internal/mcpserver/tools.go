package mcpserver

import (
	"context"
	"encoding/json"
	"strings"

	"robot.wtf/internal/wiki"
)

// A tool is one entry of the list. Models pay for each word of its
// description with each request: a test limits the total.
type tool struct {
	name, title string
	description string // of its result; never of how the model should behave
	params      []param
	hidden      []param // accepted but undocumented parameters
	action      wiki.Action
	destructive bool
	idempotent  bool
	long        bool   // its results can be long; see metaResultSize
	client      string // prefix of the ids of the clients it is for; "" for all
	serve       func(*Handler, context.Context, *client, arguments) (*reply, error)
}

// A param is a parameter: its name, with "!" if required, its kind (see
// kinds), and a description if those two don't suffice.
type param struct{ name, kind, about string }

// tools, in the order of the list.
var tools = []tool{
	{
		name: "wiki_overview", title: "Overview", action: wiki.Read, idempotent: true,
		description: "What this wiki is: your rights, page count, top of the tree, outline of Home, tags, last 5 changes.",
		serve:       (*Handler).overview,
	},
	{
		name: "search", title: "Search", action: wiki.Read, idempotent: true,
		description: "Pages for some words, best first: path:line, section, revision, a line of text. Words match in other forms too.",
		params: []param{
			{"query!", "string", `Words, "a phrase", a OR b, -not, begin*, author:x`},
			{"mode", "enum " + strings.Join(searchModes, " "), ""},
			{"path_prefix", "string " + folderParam, ""},
			{"tag", "string", ""},
			{"limit", "integer", "10"},
			{"cursor", "string", ""},
		},
		serve: (*Handler).search,
	},
	{
		name: "grep", title: "Find lines", action: wiki.Read, idempotent: true,
		description: "Lines that have a text, as path:line: text.",
		params: []param{
			{"pattern!", "string", ""},
			{"regex", "boolean", "RE2"},
			{"case", "boolean", "Match case"},
			{"path_prefix", "string " + folderParam, ""},
			{"context", "integer", "Lines around"},
			{"limit", "integer", "20"},
			{"cursor", "string", ""},
		},
		serve: (*Handler).grep,
	},
	{
		name: "read_page", title: "Read a page", action: wiki.Read, idempotent: true,
		description: "Markdown source; the first line names the revision. A page over max_tokens comes as outline and lead, unless section, lines or view say what to show. A cut answer names the call that goes on.",
		params: []param{
			{"path!", "string " + sectionParam, ""},
			{"view", "enum auto outline full", ""},
			{"section", "string", `"Heading" or "A > B"`},
			{"lines", "lines", `"40-120"`},
			{"at", "string", "Revision, commit or date"},
			{"max_tokens", "integer", "2500"},
		},
		hidden: formerBudget,
		long:   true,
		serve:  (*Handler).readPage,
	},
	{
		name: "read_pages", title: "Read pages", action: wiki.Read, idempotent: true,
		description: "Sources of several pages or sections within max_tokens.",
		params: []param{
			{"items!", "strings " + sectionParam, `"path" or "path#Heading", up to 20`},
			{"max_tokens", "integer", "6000"},
		},
		hidden: formerBudget,
		long:   true,
		serve:  (*Handler).readPages,
	},
	{
		name: "list_pages", title: "List pages", action: wiki.Read, idempotent: true,
		description: "Pages with date, size and tags, by their front matter too, as “::: pages where: …” shows in a page; with depth, the tree of folders instead.",
		params: []param{
			{"path_prefix", "string " + folderParam, ""},
			{"depth", "integer", ""},
			{"tag", "string", ""},
			{"updated_since", "string", "Date"},
			{"where", "string", "status = draft and (due < 2026-12-05 or owner exists or not tags contains x)"},
			{"show", "strings", "Front matter keys"},
			{"sort", "string", "name, updated, size or a key; -due: descending"},
			{"limit", "integer", "100"},
			{"cursor", "string", ""},
		},
		serve: (*Handler).listPages,
	},
	{
		name: "links", title: "Links", action: wiki.Read, idempotent: true,
		description: "Pages that link to a page (in), its links (out), or what the wiki's links and pages show.",
		params: []param{
			{"path", "string " + pageParam, "For in, out, neighborhood, broken"},
			{"kind", "enum " + strings.Join(linkKinds, " "), ""},
			{"limit", "integer", "50"},
		},
		hidden: []param{{"cursor", "string", ""}},
		serve:  (*Handler).links,
	},
	{
		name: "changes", title: "Changes", action: wiki.Read, idempotent: true,
		description: "Revisions of a page, a folder/ or the wiki, newest first: time, commit, person and agent, message. With diff, what differs.",
		params: []param{
			{"path", "string " + pageParam, ""},
			{"since", "string", "Date; last: others' changes since you last asked"},
			{"author", "string", "Person or agent"},
			{"diff", "string", `"a..b" of a page, or a commit`},
			{"limit", "integer", "20"},
			{"cursor", "string", ""},
		},
		long:  true,
		serve: (*Handler).changes,
	},
	{
		name: "read_attachment", title: "Read a file", action: wiki.Read, idempotent: true,
		description: "The files of a page, or one of them: text, image or its address.",
		params: []param{
			{"path!", "string " + pageParam, "Page"},
			{"name", "string", "File"},
		},
		serve: (*Handler).readAttachment,
	},
	{
		name: "create_page", title: "Create a page", action: wiki.Propose,
		description: "Makes a page; fails if there is one. Returns its revision and pages with similar names.",
		params: []param{
			{"path!", "string " + pageParam, "Folder/Name"},
			{"content", "text", "Markdown; [[Page]] links"},
			{"template", "string " + pageParam, "Page below Templates/; content fills {{content}} or comes last"},
			{"message", "text", ""},
		},
		serve: (*Handler).createPage,
	},
	{
		name: "edit_page", title: "Edit a page", action: wiki.Propose, idempotent: true,
		description: "Changes parts of a page, or several pages: all edits or none, one commit. Returns the new revisions and what changed. Changes by others since the revision are merged, or shown where they meet.",
		params: []param{
			{"path", "string " + pageParam, ""},
			{"revision", "string", "As a read gave it; needed by move, delete, merge (of the page that goes), replace_section, all, and set_meta of a key that is there"},
			{"edits!", "edits", ""},
			{"message", "text", ""},
			{"dry_run", "boolean", ""},
		},
		hidden: singleEditParams,
		serve:  (*Handler).editPage,
	},
	{
		name: "replace_page", title: "Replace a page", action: wiki.Propose, destructive: true, idempotent: true,
		description: "Writes the whole text of a page. Returns what edit_page returns.",
		params: []param{
			{"path!", "string " + pageParam, ""},
			{"revision!", "string", "Of a full read"},
			{"content!", "text", ""},
			{"message", "text", ""},
		},
		serve: (*Handler).replacePage,
	},
	{
		name: "move_page", title: "Move a page", action: wiki.Edit, idempotent: true,
		description: "Moves a page or folder with everything below it, in one commit; links follow, the old path leads to the new. Returns pages whose links were rewritten.",
		params: []param{
			{"path!", "string " + pageParam, ""},
			{"new_path!", "string " + pageParam, ""},
			{"revision", "string", "Unless it is a folder"},
			{"message", "text", ""},
		},
		serve: (*Handler).movePage,
	},
	{
		name: "delete_page", title: "Delete a page", action: wiki.Edit, destructive: true, idempotent: true,
		description: "Deletes a page, or one file of it. Can be reverted.",
		params: []param{
			{"path!", "string " + pageParam, ""},
			{"revision!", "string", ""},
			{"name", "string", "File"},
			{"message", "text", ""},
		},
		serve: (*Handler).deletePage,
	},
	{
		name: "revert", title: "Revert", action: wiki.Edit, idempotent: true,
		description: "Gives a page an old revision again (path, to), or undoes a commit, or its whole session, in a new one and keeps later changes. Returns what changed.",
		params: []param{
			{"path", "string " + pageParam, ""},
			{"to", "string", "Revision"},
			{"undo", "string", "Commit"},
			{"session", "string", "Commit of it"},
			{"message", "text", ""},
			{"dry_run", "boolean", ""},
		},
		serve: (*Handler).revert,
	},
	{
		name: "write_attachment", title: "Write a file", action: wiki.Edit, idempotent: true,
		description: "Stores a file beside a page and returns its address. Without base64, a one-time address to upload to.",
		params: []param{
			{"path!", "string " + pageParam, "Page"},
			{"name!", "string", ""},
			{"base64", "string", "Up to 256 KiB"},
			{"message", "text", ""},
		},
		serve: (*Handler).writeAttachment,
	},
	{
		// ChatGPT's connectors require tools named search and fetch.
		name: "fetch", title: "Fetch a page", action: wiki.Read, idempotent: true, client: "https://chatgpt.com/",
		description: "Source of a page that search found.",
		params:      []param{{"id!", "string " + sectionParam, "Its path"}},
		serve: func(h *Handler, ctx context.Context, c *client, a arguments) (*reply, error) {
			return h.readPage(ctx, c, arguments{"path": a["id"], "view": {value: "full"}})
		},
	},
}

// formerBudget is the former name of max_tokens. It counts characters.
var formerBudget = []param{{"max_chars", "integer", ""}}

// editParams are the members of an edit.
var editParams = append([]param{
	{"path", "string " + pageParam, "Another page"},
	{"revision", "string", ""},
	{"to", "string " + sectionParam, "move, merge: path; move_section: Page or Page#Heading; nothing stays behind"},
}, singleEditParams...)

// singleEditParams are the members of an edit of the call's page.
var singleEditParams = []param{
	{"op!", "enum replace replace_section append prepend insert_after set_meta create move delete merge move_section", ""},
	{"old", "text", "replace: text that is there exactly once; insert_after: so, and the new lines go below its line"},
	{"section", "string", "Heading or A > B; where to work"},
	{"text", "text", "New text; set_meta: YAML, as key: value or a.b: [x, y]; no value removes the key"},
	{"all", "boolean", "replace: every occurrence; replace_section: drop subsections"},
}

// members describes what an array of objects has.
func (p param) members() wiki.Own {
	if p.kind != "edits" {
		return ""
	}
	return wiki.Own(": [{" + strings.Join(namesOf(editParams), ", ") + "}]")
}

// paramNames returns the documented parameters.
func (t *tool) paramNames() []string { return namesOf(t.params) }

func namesOf(params []param) []string {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = strings.TrimSuffix(p.name, "!")
	}
	return names
}

// findParam returns the parameter of a name, or nil.
func findParam(name string, known ...[]param) *param {
	for _, params := range known {
		for i := range params {
			if strings.TrimSuffix(params[i].name, "!") == name {
				return &params[i]
			}
		}
	}
	return nil
}

// schema returns the tool's input schema (JSON Schema 2020-12).
func (t *tool) schema() json.RawMessage { return json.RawMessage(objectSchema(t.params)) }

func objectSchema(params []param) string {
	var b strings.Builder
	var required []string
	b.WriteString(`{"type":"object","properties":{`)
	for i, p := range params {
		name, must := strings.CutSuffix(p.name, "!")
		if must {
			required = append(required, name)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(jsonString(name) + ":" + p.schema())
	}
	b.WriteByte('}')
	if len(required) > 0 {
		list, _ := json.Marshal(required)
		b.WriteString(`,"required":` + string(list))
	}
	b.WriteByte('}')
	return b.String()
}

func (p param) schema() string {
	about := ""
	if p.about != "" {
		about = `,"description":` + jsonString(p.about)
	}
	kind, words, _ := strings.Cut(p.kind, " ")
	switch kind {
	case "edits":
		return `{"type":"array","items":` + objectSchema(editParams) + about + `}`
	case "enum": // with a type: some providers reject the whole list without one
		list, _ := json.Marshal(strings.Fields(words))
		return `{"type":"string","enum":` + string(list) + about + `}`
	case "strings":
		return `{"type":"array","items":{"type":"string"}` + about + `}`
	case "text", "lines":
		kind = "string"
	}
	return `{"type":` + jsonString(kind) + about + `}`
}

func jsonString(text string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text)
	return strings.TrimSuffix(b.String(), "\n")
}

// execute runs a tool for a counted call. Requests reach tools in no other way.
func (h *Handler) execute(ctx context.Context, c *client, t *tool, raw json.RawMessage) *reply {
	if c.calls(t).Add(-1) < 0 {
		h.o.Log.ErrorContext(ctx, "refused a tool call that wasn't counted", "tool", t.name)
		return h.render(ctx, c, &reply{head: say(internalErrorText), failed: true})
	}
	return h.call(ctx, c, t, raw)
}

// parseArguments parses and checks a call's arguments, large ones in their wiki's turn.
func (h *Handler) parseArguments(ctx context.Context, c *client, t *tool, raw json.RawMessage) (arguments, error) {
	release, err := h.o.Pages.AcquireLarge(ctx, c.access, len(raw))
	if err != nil {
		return nil, err
	}
	defer release()
	a, err := t.parse(raw)
	if err == nil {
		err = h.resolvePaths(ctx, c, a, t.params)
	}
	return a, err
}

// call runs a tool. The model gets errors as the tool's result (MCP
// 2025-11-25, tools, "Error handling").
func (h *Handler) call(ctx context.Context, c *client, t *tool, raw json.RawMessage) *reply {
	a, err := h.parseArguments(ctx, c, t, raw)
	if err != nil {
		return h.render(ctx, c, h.errorReply(ctx, c, t, arguments{}, err))
	}
	r, err := t.serve(h, ctx, c, a)
	if err != nil {
		r = h.errorReply(ctx, c, t, a, err)
	}
	return h.render(ctx, c, r)
}
