package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"robot.wtf/internal/config"
	"robot.wtf/internal/durable"
	"robot.wtf/internal/service"
	"robot.wtf/internal/wiki"
)

// A devFile is DIR/dev.json: what scripts need to use the service.
type devFile struct {
	URL    string      `json:"url"`
	People []devPerson `json:"people"`
	Wikis  []devWiki   `json:"wikis"`

	more bool // there are other wikis
}

type devPerson struct {
	Username string `json:"username"`
	Handle   string `json:"handle"`
	DID      string `json:"did"`
}

type devWiki struct {
	Slug       string    `json:"slug"`
	URL        string    `json:"url"`
	Visibility string    `json:"visibility"` // public or private
	Tokens     devTokens `json:"tokens"`
}

// devTokens are secrets by role.
type devTokens struct {
	Owner  string `json:"owner,omitempty"`
	Editor string `json:"editor,omitempty"`
	Viewer string `json:"viewer,omitempty"`
}

// forRole returns the field for a role's token.
func (t *devTokens) forRole(role wiki.Role) *string {
	switch role {
	case wiki.Owner:
		return &t.Owner
	case wiki.Editor:
		return &t.Editor
	}
	return &t.Viewer
}

type roleToken struct{ role, secret string }

func (t devTokens) list() []roleToken {
	var list []roleToken
	for role := wiki.Owner; role >= wiki.Viewer; role-- {
		if secret := *t.forRole(role); secret != "" {
			list = append(list, roleToken{role.String(), secret})
		}
	}
	return list
}

// writeDevFile collects a service's addresses, people and working tokens, and writes
// them to dir unless it is temporary. Tokens from earlier runs are kept if they
// still work. limit bounds the wikis, because making tokens takes time; 0 means all.
func writeDevFile(ctx context.Context, s *service.Service, origins config.Origins, dir string, temporary bool, limit int) (devFile, error) {
	file := filepath.Join(dir, "dev.json")
	before, err := readDevFile(file)
	if err != nil {
		return devFile{}, err
	}
	facts := devFile{URL: origins.Platform()}
	for _, u := range people() {
		facts.People = append(facts.People, devPerson{u.Username, u.Handle, u.DID})
	}
	var owned []wiki.Access
	if owned, facts.more, err = ownedWikis(ctx, s, limit); err != nil {
		return devFile{}, err
	}
	for _, a := range owned {
		w, err := describeWiki(ctx, s, a, origins, before)
		if err != nil {
			return devFile{}, err
		}
		facts.Wikis = append(facts.Wikis, w)
	}
	if temporary {
		return facts, nil
	}
	text, err := json.MarshalIndent(facts, "", "  ")
	if err != nil {
		return devFile{}, err
	}
	return facts, durable.WriteFile(file, append(text, '\n'))
}

// ownedWikis returns the owners' access to at most limit wikis of the people, 0 for all:
// first those with the name of their owner. It reports whether there are others.
func ownedWikis(ctx context.Context, s *service.Service, limit int) (list []wiki.Access, more bool, err error) {
	type owned struct {
		slug  string
		owner wiki.User
	}
	var named, others []owned
	for _, u := range people() {
		owner, err := s.Store.User(ctx, u.DID)
		if err != nil {
			return nil, false, err
		}
		slugs, err := s.Store.SitesOf(ctx, u.DID)
		if err != nil {
			return nil, false, err
		}
		for _, slug := range slugs {
			if slug == u.Username {
				named = append(named, owned{slug, owner})
			} else {
				others = append(others, owned{slug, owner})
			}
		}
	}
	for _, o := range append(named, others...) {
		a, err := s.Tenant.Resolve(ctx, o.slug, wiki.Caller{User: o.owner})
		switch {
		case errors.Is(err, wiki.ErrNotFound) || errors.Is(err, wiki.ErrSuspended) || err == nil && a.Role() != wiki.Owner:
			continue
		case err != nil:
			return nil, false, err
		case limit > 0 && len(list) == limit:
			return list, true, nil
		}
		list = append(list, a)
	}
	return list, false, nil
}

// refuseDevData returns an error for a data directory of robot dev.
func refuseDevData(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "dev.json")); err == nil {
		return fmt.Errorf("--data: %s was created by robot dev, where nobody needs a password: choose another directory", dir)
	}
	return nil
}

func readDevFile(file string) (devFile, error) {
	var d devFile
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	if json.Unmarshal(text, &d) != nil {
		return devFile{}, nil // damaged: write a new one
	}
	return d, nil
}

// describeWiki describes one wiki, with a token for each role that has a member.
func describeWiki(ctx context.Context, s *service.Service, owner wiki.Access, origins config.Origins, before devFile) (devWiki, error) {
	site := owner.Site()
	d := devWiki{Slug: site.Slug, URL: origins.Wiki(site.Slug), Visibility: "private"}
	if site.Public {
		d.Visibility = "public"
	}
	var known devTokens
	for _, w := range before.Wikis {
		if w.Slug == site.Slug {
			known = w.Tokens
		}
	}
	members, err := s.Tenant.Members(ctx, owner)
	if err != nil {
		return d, err
	}
	for _, m := range members {
		place := d.Tokens.forRole(m.Role)
		if *place != "" {
			continue
		}
		if *place, err = devToken(ctx, s, site.Slug, m, *known.forRole(m.Role)); err != nil {
			return d, err
		}
	}
	return d, nil
}

// devToken returns a member's token: the known one if it works, or else a new one.
func devToken(ctx context.Context, s *service.Service, slug string, m wiki.Member, known string) (string, error) {
	readOnly := m.Role < wiki.Editor
	if known != "" {
		t, err := s.Store.Token(ctx, known)
		if err == nil && t.Slug == slug && t.DID == m.User.DID && t.Mode() == wiki.ModeOf(readOnly, false) {
			return known, nil
		}
		if err != nil && !errors.Is(err, wiki.ErrNotFound) {
			return "", err
		}
	}
	a, err := s.Tenant.Resolve(ctx, slug, wiki.Caller{User: m.User})
	if err != nil {
		return "", err
	}
	secret, _, err := s.Session.NewToken(ctx, a, "Dev script", wiki.ModeOf(readOnly, false))
	if err != nil {
		return "", fmt.Errorf("create token of %s for %s: %w", m.User.Username, slug, err)
	}
	return secret, nil
}
