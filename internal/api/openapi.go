package api

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// An operation says of a route what the table of routes does not. Lists are
// words.
type operation struct {
	summary string
	query   string // parameters of the address
	body    any    // a value of the type that the handler reads, or nil
	needs   string // members that a body must have
	answer  any    // a value of the type that the handler writes
}

// operations has an entry for each route, by method and pattern.
var operations = map[string]operation{
	"GET /pages":                              {"List pages", "prefix tag category updated_since", nil, "", pageList{}},
	"GET /pages/{page}":                       {"Read a page, as it is or was at a revision", "revision", nil, "", pageAnswer{}},
	"PUT /pages/{page}":                       {"Write a page's exact text", "", saveBody{}, "content", saveAnswer{}},
	"PATCH /pages/{page}":                     {"Replace one passage of a page", "", patchBody{}, "old_string new_string", saveAnswer{}},
	"DELETE /pages/{page}":                    {"Delete a page", "", deleteBody{}, "", saveAnswer{}},
	"POST /pages/{page}/rename":               {"Rename a page; links follow", "", renameBody{}, "new_path", saveAnswer{}},
	"GET /pages/{page}/history":               {"List a page's revisions, newest first", "limit before author by", nil, "", historyAnswer{}},
	"GET /pages/{page}/diff":                  {"Compare two revisions of a page", "from to", nil, "", diffAnswer{}},
	"GET /pages/{page}/attachments":           {"List the files beside a page", "", nil, "", attachmentList{}},
	"POST /pages/{page}/attachments":          {"Upload a file, in base64", "", uploadBody{}, "filename content", uploadAnswer{}},
	"GET /pages/{page}/attachments/{file}":    {"Read a file, in base64", "revision", nil, "", attachmentContent{}},
	"DELETE /pages/{page}/attachments/{file}": {"Delete a file", "", deleteFileBody{}, "", deleteFileAnswer{}},
	"GET /changelog":                          {"List the wiki's changes, newest first", "limit before author by prefix", nil, "", changelogAnswer{}},
	"GET /search":                             {"Search the wiki; mode is hybrid (of itself), keyword or semantic", "q mode tag path author limit offset", nil, "", searchAnswer{}},
	"GET /links":                              {"All links between pages", "", nil, "", graphAnswer{}},
	"GET /links/{page}":                       {"The links from and to a page", "", nil, "", linksAnswer{}},

	"GET /me":                            {"Who you are", "", nil, "", managedUser{}},
	"DELETE /me":                         {"Delete your account: closed at once, purged after seven days", "", confirmation{}, "confirm", managedUser{}},
	"GET /wikis":                         {"Your wikis, and those you are a member of", "", nil, "", wikiList{}},
	"POST /wikis":                        {"Make your wiki", "", wikiBody{}, "slug", managedWiki{}},
	"GET /wikis/{slug}":                  {"A wiki's settings and how full it is", "", nil, "", managedWiki{}},
	"PATCH /wikis/{slug}":                {"Change the settings that the body names", "", settingsBody{}, "", managedWiki{}},
	"DELETE /wikis/{slug}":               {"Delete your wiki: closed at once, purged after seven days", "", confirmation{}, "confirm", wikiList{}},
	"POST /wikis/{slug}/restore":         {"Restore a wiki that is being deleted", "", nil, "", managedWiki{}},
	"GET /wikis/{slug}/members":          {"A wiki's people, the owner first", "", nil, "", memberList{}},
	"POST /wikis/{slug}/members":         {"Add somebody by handle or DID, as viewer or editor", "", memberBody{}, "handle role", memberList{}},
	"PATCH /wikis/{slug}/members/{did}":  {"Give a member another role", "", roleBody{}, "role", memberList{}},
	"DELETE /wikis/{slug}/members/{did}": {"Remove a member, or leave", "", nil, "", deletion{}},
	"GET /wikis/{slug}/tokens":           {"Your own tokens for a wiki", "", nil, "", tokenList{}},
	"POST /wikis/{slug}/tokens":          {"Make a token for a wiki; its secret is told once", "", tokenBody{}, "name", managedToken{}},
	"DELETE /wikis/{slug}/tokens/{id}":   {"Revoke a token", "", nil, "", deletion{}},
	"GET /wikis/{slug}/agents":           {"The agents that are connected to a wiki: yours, and to its owner everybody's", "", nil, "", agentList{}},
	"DELETE /wikis/{slug}/agents/{id}":   {"Disconnect an agent, at once", "", nil, "", deletion{}},
	"GET /agents":                        {"The agents that you have connected, in all wikis", "", nil, "", agentList{}},
	"DELETE /agents/{id}":                {"Disconnect one of your agents, at once", "", nil, "", deletion{}},
	"GET /tokens":                        {"Your personal tokens", "", nil, "", tokenList{}},
	"DELETE /tokens/{id}":                {"Revoke a personal token", "", nil, "", deletion{}},
	"GET /sessions":                      {"Where you are signed in", "", nil, "", sessionList{}},
	"DELETE /sessions":                   {"Sign out everywhere", "", nil, "", deletion{}},
	"DELETE /sessions/{id}":              {"End one session, on every host", "", nil, "", deletion{}},
}

// parameter is the schema of a parameter of an address.
func parameter(name string) object {
	switch name {
	case "limit", "before", "offset":
		return object{"type": "integer", "minimum": 0}
	case "by":
		return object{"type": "string", "enum": []string{"people", "agents"}}
	}
	return object{"type": "string"}
}

// conditions are the headers of a change (docs/api.md).
var conditions = map[string]string{
	"If-Match":        "The page's ETag: fails with 412 when it has changed",
	"If-None-Match":   "* to create, and nothing else",
	"Idempotency-Key": "Makes a retry safe for 24 hours",
}

type object = map[string]any

// document is the OpenAPI 3.1 document of both APIs, made from their routes.
func (h *Handler) document() object {
	paths, types := object{}, schemas{}
	for _, r := range Routes {
		// {page} may contain slashes, which OpenAPI cannot say.
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
			"description": "The API of a wiki, below /api/v1 on its own host, and the management API, below /api on the platform's host.",
		},
		"paths": paths,
		"components": object{
			"securitySchemes": object{
				"wiki":     bearer("A token of this wiki, rwtf_…. A public wiki is read without one."),
				"personal": bearer("A personal token, rwtp_…, from the account's page."),
			},
			"schemas": types,
		},
	}
}

func (s schemas) describe(paths object, address, method, pattern, security string, path object) {
	op := operations[method+" "+pattern]
	access := []object{{security: []string{}}}
	if security == "wiki" && method == "GET" {
		access = append(access, object{}) // a public wiki
	}
	described := object{
		"summary":  op.summary,
		"security": access,
		"responses": object{
			"2XX":     object{"description": "Done", "content": object{"application/json": object{"schema": s.of(reflect.TypeOf(op.answer), false)}}},
			"default": object{"description": "Problem details (RFC 9457)", "content": object{"application/problem+json": object{"schema": s.of(reflect.TypeFor[problem](), false)}}},
		},
	}
	if parameters := parametersOf(op, pattern, security == "wiki" && method != "GET"); len(parameters) > 0 {
		described["parameters"] = parameters
	}
	if op.body != nil {
		body := object{"schema": s.of(reflect.TypeOf(op.body), true)}
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
	if changes {
		for _, name := range slices.Sorted(maps.Keys(conditions)) {
			list = append(list, object{"name": name, "in": "header", "description": conditions[name], "schema": object{"type": "string"}})
		}
	}
	return list
}
