package server

import (
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
)

// refusalPage is shown when no front end was called. It links no other
// resources, because the host might not be ours.
var refusalPage = template.Must(template.New("refusal").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<main>
<h1>{{.Title}}</h1>
<p>{{.Detail}}</p>
<p><a href="{{.Home}}">Start here</a></p>
</main>
</html>
`))

// refuse answers a request without calling a front end: programs get problem
// details (RFC 9457), people a page.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, detail string) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Del("Content-Encoding")
	header.Del("Content-Length")
	header.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	title := http.StatusText(status)
	if isAPI(r.URL.Path) || isMCP(r.URL.Path) {
		header.Set("Content-Type", "application/problem+json")
		header.Set("Access-Control-Allow-Origin", "*")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": title, "status": status, "detail": detail, "code": problemCode(status)})
		return
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	page := struct{ Title, Detail, Home string }{title, detail, "/"}
	if status == http.StatusNotFound || status == http.StatusMisdirectedRequest { // this host has no pages
		page.Home = s.opts.Home + "/"
	}
	_ = refusalPage.Execute(w, page)
}

func problemCode(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "bad_address"
	case http.StatusInternalServerError:
		return "internal"
	case http.StatusNotFound, http.StatusMisdirectedRequest:
		return "no_such_host"
	}
	return strconv.Itoa(status)
}

// shortenForMessage shortens client input for a message.
func shortenForMessage(text string) string {
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}
