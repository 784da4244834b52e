package oauth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

const openIDPath = "/.well-known/openid-configuration"

// serverMetadata describes the authorization server (RFC 8414, section 2).
// OpenID clients require the last two members; we issue no ID tokens.
type serverMetadata struct {
	Issuer            string   `json:"issuer"`
	Authorize         string   `json:"authorization_endpoint"`
	Token             string   `json:"token_endpoint"`
	Register          string   `json:"registration_endpoint"`
	Revoke            string   `json:"revocation_endpoint"`
	Keys              string   `json:"jwks_uri"`
	Scopes            []string `json:"scopes_supported"`
	Responses         []string `json:"response_types_supported"`
	Modes             []string `json:"response_modes_supported"`
	Grants            []string `json:"grant_types_supported"`
	Auth              []string `json:"token_endpoint_auth_methods_supported"`
	RevokeAuth        []string `json:"revocation_endpoint_auth_methods_supported"`
	Challenges        []string `json:"code_challenge_methods_supported"`
	IssuerInResponse  bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207
	ClientDocuments   bool     `json:"client_id_metadata_document_supported"`
	Documentation     string   `json:"service_documentation"`
	Subjects          []string `json:"subject_types_supported,omitempty"`
	IDTokenAlgorithms []string `json:"id_token_signing_alg_values_supported,omitempty"`
}

var (
	authMethods = []string{"none", "client_secret_post", "client_secret_basic"}
	grantTypes  = []string{"authorization_code", "refresh_token"}
)

// describeServer also serves wiki hosts, with endpoints on that host:
// clients of MCP 2025-03-26 look there and send no resource, so the host has
// to name the wiki.
func (s *Service) describeServer(w http.ResponseWriter, r *http.Request, slug string) error {
	m := serverMetadata{
		Issuer:    s.issuer,
		Authorize: s.issuer + s.Path(AuthorizePath), Token: s.issuer + s.Path(tokenPath), Register: s.issuer + s.Path(registerPath),
		Revoke: s.issuer + s.Path(revokePath), Keys: s.issuer + s.Path(jwksPath),
		Scopes:    append(strings.Fields(session.Scopes), "offline_access"),
		Responses: []string{"code"}, Modes: []string{"query"}, Grants: grantTypes,
		Auth: authMethods, RevokeAuth: authMethods, Challenges: []string{"S256"},
		IssuerInResponse: true, ClientDocuments: true, Documentation: s.helpAddress(),
	}
	if slug != "" && s.o.Single == "" {
		host := s.o.Session.Origin(r, slug)
		m.Authorize, m.Token, m.Register = host+"/authorize", host+"/token", host+"/register"
	}
	if r.URL.Path == openIDPath {
		m.Subjects, m.IDTokenAlgorithms = []string{"public"}, []string{"RS256"}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	s.recordRequest(r, slug, http.StatusOK, "", "", r.UserAgent())
	writeDocument(w, r, text)
	return nil
}

// resourceMetadata describes one wiki (RFC 9728, section 2).
type resourceMetadata struct {
	Resource      string   `json:"resource"`
	Servers       []string `json:"authorization_servers"`
	Scopes        []string `json:"scopes_supported"`
	Bearer        []string `json:"bearer_methods_supported"`
	Name          string   `json:"resource_name"`
	Documentation string   `json:"resource_documentation"`
}

func (s *Service) describeResource(w http.ResponseWriter, r *http.Request, slug string) error {
	at := s.o.Session.ResourceAt(r, slug)
	text, err := json.Marshal(resourceMetadata{
		Resource: s.o.Session.URL(at), Servers: []string{s.issuer}, Scopes: strings.Fields(session.Scopes),
		Bearer: []string{"header"}, Name: s.hostOf(at), Documentation: s.helpAddress(),
	})
	if err != nil {
		return err
	}
	s.recordRequest(r, slug, http.StatusOK, "", "", r.UserAgent())
	writeDocument(w, r, text)
	return nil
}

// hostOf returns a resource's host, with the port if any.
func (s *Service) hostOf(at session.Resource) string {
	_, host, _ := strings.Cut(strings.TrimSuffix(s.o.Session.URL(at), "/mcp"), "://")
	return host
}

// exampleResource is the URL of a resource in error messages.
func (s *Service) exampleResource() string { return s.o.Session.URL(session.Resource{Slug: "ada"}) }

func (s *Service) showKeys(w http.ResponseWriter, r *http.Request, _ string) error {
	text, err := s.o.Session.JWKS()
	if err == nil {
		writeDocument(w, r, text)
	}
	return err
}

// sendToAuthorize redirects a guessed path to the authorization endpoint. On
// a wiki's host it adds the resource if the client sent none.
func (s *Service) sendToAuthorize(w http.ResponseWriter, r *http.Request, slug string) error {
	query := r.URL.RawQuery
	if slug != "" && !r.URL.Query().Has("resource") {
		query += "&" + url.Values{"resource": {s.o.Session.URL(s.o.Session.ResourceAt(r, slug))}}.Encode()
	}
	w.Header().Set("Location", s.issuer+s.Path(AuthorizePath)+"?"+strings.TrimPrefix(query, "&"))
	w.WriteHeader(http.StatusFound)
	return nil
}

// parseResource returns the resource of an identifier (RFC 8707). It accepts what
// clients send: with or without a trailing slash, the path or the port, and in upper
// case. It returns the zero Resource if it isn't a wiki of this service.
func (s *Service) parseResource(text string) session.Resource {
	none := session.Resource{}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || len(text) > 300 {
		return none
	}
	if p := strings.TrimSuffix(u.EscapedPath(), "/"); p != "" && p != "/mcp" {
		return none
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	slug, ok := strings.CutSuffix(host, "."+s.host)
	at := session.Resource{Slug: slug}
	switch {
	case s.o.Single != "":
		at.Slug = s.o.Single
	case !ok:
		at = s.o.Session.DomainResource(context.Background(), strings.ToLower(u.Hostname()))
	}
	if wiki.CheckHost(at.Slug) != nil || u.Scheme+"://"+host+"/mcp" != s.o.Session.URL(at) {
		return none
	}
	return at
}

// parseResources returns the one resource that a request names, or the zero Resource
// if it names none. The two hosts of a wiki are different resources.
func (s *Service) parseResources(texts []string) (session.Resource, error) {
	at := session.Resource{Slug: s.o.Single} // of a request that names none
	for _, text := range texts {
		one := s.parseResource(text)
		if one.Slug == "" || at.Slug != "" && one != at {
			return session.Resource{}, newError("invalid_target", "The resource must be the address of one wiki, for example "+s.exampleResource()+".")
		}
		at = one
	}
	return at, nil
}
