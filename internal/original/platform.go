package original

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
)

// readPlatform reads robot.db.
func (r *reader) readPlatform(ctx context.Context) (err error) {
	db, err := r.open(ctx, "robot.db")
	if err != nil {
		return err
	}
	defer db.Close()
	for _, read := range []func(context.Context, *sql.DB) error{r.readPeople, r.readHandles, r.readACLs, r.readRows, r.readFormerAgents} {
		if err := read(ctx, db); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) readPeople(ctx context.Context, db *sql.DB) error {
	columns, err := columnsOf(ctx, db, "users")
	if err != nil {
		return err
	}
	return eachRow(ctx, db, func(rows *sql.Rows) error {
		var p Person
		var created string
		if err := rows.Scan(&p.DID, &p.Handle, &p.Name, &p.Username, &created); err != nil {
			return err
		}
		if !didPattern.MatchString(p.DID) {
			r.leave("%q is no DID: that person isn't moved.", p.DID)
			return nil
		}
		p.Handle, p.Created = handleOf(p.Handle), parseTime(created)
		r.addKnown(p.Handle, p.DID)
		r.c.People = append(r.c.People, p)
		return nil
	}, `SELECT did, coalesce(handle, ''), coalesce(display_name, ''), coalesce(`+orNull(columns, "username")+`, ''), coalesce(created_at, '') FROM users ORDER BY did`)
}

// readHandles reads what sign-ins tell of handles that their people may have given up.
func (r *reader) readHandles(ctx context.Context, db *sql.DB) error {
	for _, table := range []string{"oauth_sessions", "oauth_auth_requests"} {
		columns, err := columnsOf(ctx, db, table)
		if err != nil {
			return err
		}
		if !slices.Contains(columns, "handle") || !slices.Contains(columns, "did") {
			continue
		}
		err = eachRow(ctx, db, func(rows *sql.Rows) error {
			var did, handle string
			err := rows.Scan(&did, &handle)
			r.addKnown(handleOf(handle), did)
			return err
		}, `SELECT did, handle FROM `+table+` WHERE did IS NOT NULL AND handle IS NOT NULL`)
		if err != nil {
			return err
		}
	}
	return nil
}

// readACLs reads the members of the schema before each wiki had its own list.
func (r *reader) readACLs(ctx context.Context, db *sql.DB) error {
	r.acls = map[string][]Member{}
	if columns, err := columnsOf(ctx, db, "acls"); err != nil || len(columns) == 0 {
		return err
	}
	return eachRow(ctx, db, func(rows *sql.Rows) error {
		var slug, role string
		var m Member
		if err := rows.Scan(&slug, &m.DID, &role); err != nil {
			return err
		}
		switch {
		case !didPattern.MatchString(m.DID):
			m.Handle, m.DID, m.Problem = m.DID, "", "it is no DID"
		case role == "editor" || role == "owner":
			m.Editor = true
		case role != "viewer":
			m.Problem = "the role " + role + " is unknown"
		}
		r.acls[slug] = append(r.acls[slug], m)
		return nil
	}, `SELECT wiki_slug, grantee_did, role FROM acls ORDER BY wiki_slug, grantee_did`)
}

// readRows reads the wikis' rows.
func (r *reader) readRows(ctx context.Context, db *sql.DB) error {
	return eachRow(ctx, db, func(rows *sql.Rows) error {
		var w Wiki
		var created string
		if err := rows.Scan(&w.Slug, &w.Owner, &w.Title, &w.Token, &w.Public, &created); err != nil {
			return err
		}
		w.Created, w.TextFirst = parseTime(created), true // unless its preferences say otherwise
		switch {
		case !slugPattern.MatchString(w.Slug):
			w.Problem = "its name is no slug"
		case !didPattern.MatchString(w.Owner):
			w.Owner, w.Problem = "", "its owner has no DID"
		}
		if !isTokenHash(w.Token) {
			w.Token = ""
		}
		r.c.Wikis = append(r.c.Wikis, w)
		return nil
	}, `SELECT slug, owner_did, coalesce(display_name, ''), coalesce(mcp_token_hash, ''), coalesce(is_public, 0) <> 0, coalesce(created_at, '') FROM wikis ORDER BY slug`)
}

var bcryptPattern = regexp.MustCompile(`^\$2[aby]\$(0[4-9]|1[0-2])\$[./A-Za-z0-9]{53}$`)

// isTokenHash reports whether a hash is one that a secret can be compared with at a
// bearable cost.
func isTokenHash(hash string) bool { return isSHA256(hash) || bcryptPattern.MatchString(hash) }

func isSHA256(hash string) bool {
	sum, err := hex.DecodeString(hash)
	return err == nil && len(sum) == sha256.Size && strings.ToLower(hash) == hash
}

// readFormerAgents reads the agents that robot.db has.
func (r *reader) readFormerAgents(ctx context.Context, db *sql.DB) error {
	if columns, err := columnsOf(ctx, db, "mcp_oauth_clients"); err != nil || len(columns) == 0 {
		return err
	}
	return eachRow(ctx, db, func(rows *sql.Rows) error {
		var c Client
		var redirects string
		if err := rows.Scan(&c.ID, &c.Name, &redirects, &c.Hash); err != nil {
			return err
		}
		if json.Unmarshal([]byte(redirects), &c.Redirects) != nil {
			c.Redirects = strings.Fields(redirects)
		}
		c.Auth = "none"
		if c.Hash != "" {
			c.Auth = "client_secret_post"
		}
		if c.Hash != "" && !isSHA256(c.Hash) {
			r.leave("The agent %q can't be moved: its secret has an unknown hash. It will register again at its next connection.", c.ID)
			return nil
		}
		r.c.Clients = append(r.c.Clients, c)
		return nil
	}, `SELECT client_id, coalesce(client_name, ''), redirect_uris, coalesce(client_secret_hash, '') FROM mcp_oauth_clients ORDER BY client_id`)
}

// readAgents reads mcp_oauth.db.
func (r *reader) readAgents(ctx context.Context) error {
	db, err := r.open(ctx, "mcp_oauth.db")
	if errors.Is(err, errMissing) {
		return nil
	}
	if err != nil {
		r.leave("The registrations of agents can't be read: %v. Agents will register again at their next connection.", err)
		return nil
	}
	defer db.Close()
	if columns, err := columnsOf(ctx, db, "oauth_clients"); err != nil || len(columns) == 0 {
		return err
	}
	return eachRow(ctx, db, func(rows *sql.Rows) error {
		var id, text string
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		var j struct {
			Secret    string   `json:"client_secret"`
			Name      string   `json:"client_name"`
			Auth      string   `json:"token_endpoint_auth_method"`
			Redirects []string `json:"redirect_uris"`
		}
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			r.leave("The registration of the agent %q can't be read.", id)
			return nil
		}
		r.c.Clients = slices.DeleteFunc(r.c.Clients, func(c Client) bool { return c.ID == id })
		r.c.Clients = append(r.c.Clients, Client{ID: id, Name: j.Name, Redirects: j.Redirects, Auth: j.Auth, Secret: j.Secret})
		return nil
	}, `SELECT client_id, client_json FROM oauth_clients ORDER BY client_id`)
}
