package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"robot.wtf/internal/session"
	"robot.wtf/internal/store"
)

// registration is the client metadata of a request (RFC 7591, section 2) and
// of its response, limited to the members we use.
type registration struct {
	ID          string   `json:"client_id,omitempty"`
	Issued      int64    `json:"client_id_issued_at,omitempty"` // seconds
	Secret      string   `json:"client_secret,omitempty"`
	SecretEnds  *int64   `json:"client_secret_expires_at,omitempty"` // 0 (never) if there is a secret, else omitted
	Name        string   `json:"client_name,omitempty"`
	Redirects   []string `json:"redirect_uris"`
	Auth        string   `json:"token_endpoint_auth_method,omitempty"`
	Grants      []string `json:"grant_types,omitempty"`
	Responses   []string `json:"response_types,omitempty"`
	Scope       string   `json:"scope,omitempty"`
	Application string   `json:"application_type,omitempty"` // not enforced: clients mix them up
}

// register handles dynamic client registration.
func (s *Service) register(w http.ResponseWriter, r *http.Request, slug string) error {
	if s.o.Take != nil {
		if err := s.o.Take(r.RemoteAddr, ""); err != nil {
			s.recordRequest(r, slug, http.StatusTooManyRequests, session.TooFast, "", r.UserAgent())
			return err
		}
	}
	var in registration
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return newError("invalid_client_metadata", "The body must be a JSON object of at most "+strconv.Itoa(maxForm>>10)+" KB (RFC 7591).")
	}
	c, err := s.clientFromRegistration(in)
	if err != nil {
		return err
	}
	c.Share = s.networkShare(r)
	secret := ""
	if c.Auth != "none" {
		secret = rand.Text() + rand.Text()
		hash := sha256.Sum256([]byte(secret))
		c.Secret = hash[:]
	}
	if err := s.o.Store.AddClient(r.Context(), c); err != nil {
		return err
	}
	out := registration{
		ID: c.ID, Issued: s.o.Now().Unix(), Secret: secret, Name: c.Name, Redirects: c.Redirects, Auth: c.Auth,
		Grants: grantTypes, Responses: []string{"code"}, Scope: session.Scopes, Application: in.Application,
	}
	if secret != "" {
		out.SecretEnds = new(int64)
	}
	s.recordRequest(r, slug, http.StatusCreated, "", "", c.Name)
	writeJSON(w, r, http.StatusCreated, out)
	return nil
}

// clientFromRegistration validates client metadata. It drops redirect URIs of
// apps that we don't know if another one is left: some clients register those of
// all their editions.
func (s *Service) clientFromRegistration(in registration) (*store.Client, error) {
	c := &store.Client{ID: rand.Text(), Name: cleanName(in.Name), Auth: in.Auth}
	if c.Auth == "" {
		c.Auth = "none" // RFC 7591, section 3.2.1: the server may replace the default
	}
	switch {
	case !slices.Contains(authMethods, c.Auth):
		return nil, newError("invalid_client_metadata", "token_endpoint_auth_method must be none, client_secret_post or client_secret_basic.")
	case len(in.Grants) > 0 && !slices.Contains(in.Grants, "authorization_code"):
		return nil, newError("invalid_client_metadata", "grant_types must include authorization_code.")
	case len(in.Responses) > 0 && !slices.Contains(in.Responses, "code"):
		return nil, newError("invalid_client_metadata", "response_types must include code.")
	case len(in.Redirects) == 0 || len(in.Redirects) > maxRedirects:
		return nil, newError("invalid_redirect_uri", "redirect_uris must have 1 to "+strconv.Itoa(maxRedirects)+" entries.")
	case len(in.Application) > 20:
		return nil, newError("invalid_client_metadata", "application_type must be web or native.")
	}
	for i, redirect := range in.Redirects {
		switch wrong := s.checkRedirect(redirect); {
		case wrong == "":
			c.Redirects = append(c.Redirects, redirect)
		case wrong != unknownApp || i == len(in.Redirects)-1 && len(c.Redirects) == 0:
			return nil, newError("invalid_redirect_uri", "redirect_uris["+strconv.Itoa(i)+"] "+wrong+".")
		}
	}
	return c, nil
}
