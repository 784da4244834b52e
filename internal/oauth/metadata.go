package oauth

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

const openIDPath = "/.well-known/openid-configuration"

// serverMetadata describes the authorization server (RFC 8414, section 2). The
// last two are what OpenID's readers insist on; there are no ID tokens.
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

// describeServer answers on wiki hosts too, with the endpoints there: clients of
// MCP's revision 2025-03-26 look nowhere else and name no resource, so that the
// host has to.
func (s *Service) describeServer(w http.ResponseWriter, r *http.Request, slug string) error {
	m := serverMetadata{
		Issuer:    s.issuer,
		Authorize: s.issuer + AuthorizePath, Token: s.issuer + tokenPath, Register: s.issuer + registerPath,
		Revoke: s.issuer + revokePath, Keys: s.issuer + jwksPath,
		Scopes:    append(strings.Fields(session.Scopes), "offline_access"),
		Responses: []string{"code"}, Modes: []string{"query"}, Grants: grantTypes,
		Auth: authMethods, RevokeAuth: authMethods, Challenges: []string{"S256"},
		IssuerInResponse: true, ClientDocuments: true, Documentation: s.o.WikiOrigin("help") + "/",
	}
	if slug != "" {
		host := s.o.WikiOrigin(slug)
		m.Authorize, m.Token, m.Register = host+"/authorize", host+"/token", host+"/register"
	}
	if r.URL.Path == openIDPath {
		m.Subjects, m.IDTokenAlgorithms = []string{"public"}, []string{"RS256"}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	s.note(r, slug, http.StatusOK, "", "", r.UserAgent())
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
	text, err := json.Marshal(resourceMetadata{
		Resource: s.o.Session.Resource(slug), Servers: []string{s.issuer}, Scopes: strings.Fields(session.Scopes),
		Bearer: []string{"header"}, Name: slug + "." + s.host, Documentation: s.o.WikiOrigin("help") + "/",
	})
	if err != nil {
		return err
	}
	s.note(r, slug, http.StatusOK, "", "", r.UserAgent())
	writeDocument(w, r, text)
	return nil
}

func (s *Service) showKeys(w http.ResponseWriter, r *http.Request, _ string) error {
	text, err := s.o.Session.JWKS()
	if err == nil {
		writeDocument(w, r, text)
	}
	return err
}

// sendToAuthorize leads from where a client guessed to the page that asks. The
// host of a wiki says which wiki is meant where the client does not.
func (s *Service) sendToAuthorize(w http.ResponseWriter, r *http.Request, slug string) error {
	query := r.URL.RawQuery
	if slug != "" && !r.URL.Query().Has("resource") {
		query += "&" + url.Values{"resource": {s.o.Session.Resource(slug)}}.Encode()
	}
	w.Header().Set("Location", s.issuer+AuthorizePath+"?"+strings.TrimPrefix(query, "&"))
	w.WriteHeader(http.StatusFound)
	return nil
}

// slugOf is the wiki that a resource is (RFC 8707): its identifier, as clients
// spell it too, which add or drop a slash, the path, or the port, or write the
// host in capitals. "" for what is no wiki of this service.
func (s *Service) slugOf(resource string) string {
	u, err := url.Parse(resource)
	if err != nil || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || len(resource) > 200 {
		return ""
	}
	if p := strings.TrimSuffix(u.EscapedPath(), "/"); p != "" && p != "/mcp" {
		return ""
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	slug, ok := strings.CutSuffix(host, "."+s.host)
	if !ok || wiki.CheckHost(slug) != nil || u.Scheme+"://"+host != s.o.WikiOrigin(slug) {
		return ""
	}
	return slug
}

// slugOfAll is the one wiki that a request names; "" when it names none.
func (s *Service) slugOfAll(resources []string) (string, error) {
	slug := ""
	for _, resource := range resources {
		one := s.slugOf(resource)
		if one == "" || slug != "" && one != slug {
			return "", fault("invalid_target", "The resource is the address of one wiki, such as "+s.o.Session.Resource("ada")+".")
		}
		slug = one
	}
	return slug, nil
}
