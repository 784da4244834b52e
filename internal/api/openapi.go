package api

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// An operation describes a route beyond the route table. Lists are
// space-separated.
type operation struct {
	summary string
	query   string // query parameters
	body    any    // a value of the request body's type, or nil
	needs   string // required members of the body
	answer  any    // a value of the response body's type
}

// operations has one entry per route, by method and pattern.
var operations = map[string]operation{
	"GET /pages":                              {"List pages, also by front matter: where=status = draft and due < 2026-12-05", "prefix tag category updated_since where show sort", nil, "", pageList{}},
	"GET /pages/{page}":                       {"Read a page, now or at a revision", "revision", nil, "", pageAnswer{}},
	"PUT /pages/{page}":                       {"Write a page's exact text, or create it from a template", "", saveBody{}, "", saveAnswer{}},
	"PATCH /pages/{page}":                     {"Replace one passage of a page", "", patchBody{}, "old_string new_string", saveAnswer{}},
	"DELETE /pages/{page}":                    {"Delete a page", "", deleteBody{}, "", saveAnswer{}},
	"POST /pages/{page}/rename":               {"Rename a page and update links to it", "", renameBody{}, "new_path", saveAnswer{}},
	"GET /pages/{page}/history":               {"List a page's revisions, newest first", "limit before author by", nil, "", historyAnswer{}},
	"GET /pages/{page}/diff":                  {"Compare two revisions of a page", "from to", nil, "", diffAnswer{}},
	"GET /pages/{page}/attachments":           {"List the files beside a page", "", nil, "", attachmentList{}},
	"POST /pages/{page}/attachments":          {"Upload a file, in base64", "", uploadBody{}, "filename content", uploadAnswer{}},
	"GET /pages/{page}/attachments/{file}":    {"Read a file, in base64", "revision", nil, "", attachmentContent{}},
	"DELETE /pages/{page}/attachments/{file}": {"Delete a file", "", deleteFileBody{}, "", deleteFileAnswer{}},
	"POST /commits":                           {"Change several pages in one commit, all or none", "", commitBody{}, "edits", commitAnswer{}},
	"POST /revert":                            {"Undo a commit, or everything that an agent or person did in a session", "", revertBody{}, "", revertAnswer{}},
	"GET /changelog":                          {"List the wiki's changes, newest first", "limit before author by prefix", nil, "", changelogAnswer{}},
	"GET /search":                             {"Search the wiki; mode is hybrid (default), keyword or semantic", "q mode tag path author limit offset", nil, "", searchAnswer{}},
	"GET /semantic-search":                    {"Search the wiki by meaning, as the predecessor of this API did", "q n max_chunks_per_page", nil, "", formerSearchAnswer{}},
	"GET /links":                              {"List all links between pages", "", nil, "", graphAnswer{}},
	"GET /links/{page}":                       {"List the links from and to a page", "", nil, "", linksAnswer{}},

	"GET /me":                              {"Show your account", "", nil, "", managedUser{}},
	"DELETE /me":                           {"Delete your account: closed at once, purged after seven days", "", confirmation{}, "confirm", managedUser{}},
	"GET /wikis":                           {"List your wikis and those you are a member of", "", nil, "", wikiList{}},
	"POST /wikis":                          {"Create your wiki", "", wikiBody{}, "slug", managedWiki{}},
	"GET /wikis/{slug}":                    {"A wiki's settings and how full it is", "", nil, "", managedWiki{}},
	"PATCH /wikis/{slug}":                  {"Change the settings named in the body", "", settingsBody{}, "", managedWiki{}},
	"DELETE /wikis/{slug}":                 {"Delete your wiki: closed at once, purged after seven days", "", confirmation{}, "confirm", wikiList{}},
	"POST /wikis/{slug}/restore":           {"Restore a wiki that is awaiting deletion", "", nil, "", managedWiki{}},
	"POST /wikis/{slug}/erase":             {"Erase a text, or a commit's content, from the wiki's whole history", "", eraseBody{}, "", eraseAnswer{}},
	"GET /wikis/{slug}/imports":            {"List a wiki's newest imports, and who vouches for their text", "", nil, "", importList{}},
	"PATCH /wikis/{slug}/imports/{commit}": {"Vouch for the text of an import, or take that back", "", vouchBody{}, "vouch", importList{}},
	"GET /wikis/{slug}/members":            {"A wiki's people, the owner first", "", nil, "", memberList{}},
	"POST /wikis/{slug}/members":           {"Add a member by handle or DID, as viewer or editor", "", memberBody{}, "handle role", memberList{}},
	"PATCH /wikis/{slug}/members/{did}":    {"Change a member's role", "", roleBody{}, "role", memberList{}},
	"DELETE /wikis/{slug}/members/{did}":   {"Remove a member, or leave", "", nil, "", deletion{}},
	"PUT /wikis/{slug}/offer":              {"Offer your wiki to a member, who becomes its owner by accepting it", "", offerBody{}, "did", offer{}},
	"DELETE /wikis/{slug}/offer":           {"Withdraw your offer of a wiki, or decline one to you", "", nil, "", offer{}},
	"POST /wikis/{slug}/accept":            {"Accept a wiki that is offered to you, and own it", "", nil, "", managedWiki{}},
	"GET /wikis/{slug}/tokens":             {"List your own tokens for a wiki", "", nil, "", tokenList{}},
	"POST /wikis/{slug}/tokens":            {"Create a token for a wiki; its secret is shown once", "", tokenBody{}, "name", managedToken{}},
	"DELETE /wikis/{slug}/tokens/{id}":     {"Revoke a token", "", nil, "", deletion{}},
	"GET /wikis/{slug}/agents":             {"List the agents connected to a wiki: your own; owners see everyone's", "", nil, "", agentList{}},
	"DELETE /wikis/{slug}/agents/{id}":     {"Disconnect an agent immediately", "", nil, "", deletion{}},
	"GET /agents":                          {"List the agents you have connected, in all wikis", "", nil, "", agentList{}},
	"DELETE /agents/{id}":                  {"Disconnect one of your agents immediately", "", nil, "", deletion{}},
	"GET /tokens":                          {"List your personal tokens", "", nil, "", tokenList{}},
	"DELETE /tokens/{id}":                  {"Revoke a personal token", "", nil, "", deletion{}},
	"GET /sessions":                        {"List your sessions", "", nil, "", sessionList{}},
	"DELETE /sessions":                     {"Sign out everywhere", "", nil, "", deletion{}},
	"DELETE /sessions/{id}":                {"End one session, on every host", "", nil, "", deletion{}},
}

// parameter returns the schema of a query parameter.
func parameter(name string) object {
	switch name {
	case "limit", "before", "offset":
		return object{"type": "integer", "minimum": 0}
	case "by":
		return object{"type": "string", "enum": []string{"people", "agents"}}
	}
	return object{"type": "string"}
}

// conditions are the request headers of a change (docs/api.md).
var conditions = map[string]string{
	"If-Match":        "The page's ETag: fails with 412 if the page has changed",
	"If-None-Match":   "* to create, and nothing else",
	"Idempotency-Key": "Makes a retry safe for 24 hours",
}

type object = map[string]any

// document returns the OpenAPI 3.1 document of both APIs, generated from their
// routes.
func (h *Handler) document() object {
	paths, types := object{}, schemas{}
	for _, r := range Routes {
		// {page} may contain slashes, which OpenAPI can't express.
		types.describe(paths, prefix+r.Pattern, r.Method, r.Pattern, "wiki", object{"servers": []object{{"url": h.o.WikiOrigin("{slug}"), "variables": object{"slug": object{"default": "ada"}}}}})
	}
	for _, r := range ManageRoutes {
		types.describe(paths, "/api"+r.Pattern, r.Method, r.Pattern, "personal", object{})
	}
	bearer := func(text string) object {
		return object{"type": "http", "scheme": "bearer", "description": text}
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "robot.wtf", "version": "1",
			"description": "A wiki's API, under /api/v1 on its own host, and the management API, under /api on the platform's host.",
		},
		"paths": paths,
		"components": object{
			"securitySchemes": object{
				"wiki":     bearer("A token of this wiki, rwtf_…. Public wikis can be read without one."),
				"personal": bearer("A personal token, rwtp_…, from the account page."),
			},
			"schemas": types,
		},
	}
}

func (s schemas) describe(paths object, address, method, pattern, security string, path object) {
	op := operations[method+" "+pattern]
	access := []object{{security: []string{}}}
	if security == "wiki" && method == "GET" {
		access = append(access, object{}) // public wikis
	}
	described := object{
		"summary":  op.summary,
		"security": access,
		"responses": object{
			"2XX":     object{"description": "Done", "content": object{"application/json": object{"schema": s.schemaOf(reflect.TypeOf(op.answer), false)}}},
			"default": object{"description": "Problem details (RFC 9457)", "content": object{"application/problem+json": object{"schema": s.schemaOf(reflect.TypeFor[problem](), false)}}},
		},
	}
	if parameters := parametersOf(op, pattern, security == "wiki" && method != "GET"); len(parameters) > 0 {
		described["parameters"] = parameters
	}
	if op.body != nil {
		body := object{"schema": s.schemaOf(reflect.TypeOf(op.body), true)}
		needs := strings.Fields(op.needs)
		if len(needs) > 0 {
			body["schema"] = object{"allOf": []any{body["schema"]}, "required": needs}
		}
		described["requestBody"] = object{"required": len(needs) > 0, "content": object{"application/json": body}}
	}
	item, ok := paths[address].(object)
	if !ok {
		item = path
		paths[address] = item
	}
	item[strings.ToLower(method)] = described
}

func parametersOf(op operation, pattern string, changes bool) []object {
	var list []object
	for part := range strings.SplitSeq(pattern, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			list = append(list, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	for _, name := range strings.Fields(op.query) {
		p := object{"name": name, "in": "query", "schema": parameter(name)}
		if name == "q" {
			p["required"] = true
		}
		list = append(list, p)
	}
	if pattern == "/pages/{page}" && !changes {
		list = append(list, object{"name": "If-None-Match", "in": "header", "description": "The page's ETag: answered with 304 if the text is the same", "schema": object{"type": "string"}})
	}
	if changes {
		for _, name := range slices.Sorted(maps.Keys(conditions)) {
			list = append(list, object{"name": name, "in": "header", "description": conditions[name], "schema": object{"type": "string"}})
		}
	}
	return list
}
