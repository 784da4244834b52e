package main

import (
	"archive/zip"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"robot.wtf/internal/gitremote"
	"robot.wtf/internal/service"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// An exportedWiki is what account.json of an account export says about a wiki.
type exportedWiki struct {
	Slug        string `json:"slug"`
	Role        string `json:"role"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Home        string `json:"home"`
	Wikilinks   string `json:"wikilinks"`
	Lang        string `json:"lang"`
	Agents      string `json:"agents"`
	Accent      string `json:"accent"`
	Footer      string `json:"footer"`

	Members []exportedMember `json:"members"`
}

// An exportedMember is a member of a wiki in an account export.
type exportedMember struct {
	Username string `json:"username"`
	Handle   string `json:"handle"`
	Role     string `json:"role"`
}

// name returns the member's name at home: their username, or what their handle begins
// with.
func (m exportedMember) name() string {
	host, _, _ := strings.Cut(m.Handle, ".")
	return cmp.Or(m.Username, host)
}

// maxAccountFile bounds account.json.
const maxAccountFile = 16 << 20

// readAccountExport returns the wiki that an account export's person owns: the one with
// a name, or else the first. Its slug is "" if the file is something else, or the person
// owns none.
func readAccountExport(file, name string) (exportedWiki, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return exportedWiki{}, nil // the import then explains
	}
	defer z.Close()
	in, err := z.Open("account.json")
	if errors.Is(err, fs.ErrNotExist) {
		return exportedWiki{}, nil
	}
	if err != nil {
		return exportedWiki{}, err
	}
	defer in.Close()
	var account struct {
		Wikis []exportedWiki `json:"wikis"`
	}
	if err := json.NewDecoder(io.LimitReader(in, maxAccountFile)).Decode(&account); err != nil {
		return exportedWiki{}, fmt.Errorf("account.json: %w", err)
	}
	var own exportedWiki
	for _, w := range account.Wikis {
		if w.Role == wiki.Owner.String() && wiki.CheckSlug(w.Slug) == nil && (own.Slug == "" || w.Slug == name) {
			own = w
		}
	}
	return own, nil
}

// importHome imports a source into the empty wiki. Its owner vouches for it. An
// account export also brings the wiki's settings, but for its visibility, and its members.
func importHome(ctx context.Context, s *service.Service, a wiki.Access, from string) (err error) {
	args := url.Values{"name": {filepath.Base(from)}, "vouch": {"true"}, "clashes": {"mine"}}
	if gitremote.IsAddress(from) {
		args.Set("address", from)
		return importAs(ctx, s, a, args, strings.NewReader(""), os.Stdout)
	}
	exported, err := readAccountExport(from, a.Site().Slug)
	if err != nil {
		return err
	}
	source, err := openSource(ctx, from, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := importAs(ctx, s, a, args, onlyReader{source}, os.Stdout); err != nil || exported.Slug == "" {
		return err
	}
	if a, err = s.Tenant.Resolve(ctx, a.Site().Slug, a.Caller()); err != nil { // the import can have chosen settings
		return err
	}
	set := tenant.SettingsOf(a.Site())
	set.Description, set.Home, set.Wikilinks, set.Lang = exported.Description, exported.Home, wiki.LinkOrder(exported.Wikilinks), exported.Lang
	set.Agents, set.Accent, set.Footer = wiki.Mode(exported.Agents), exported.Accent, exported.Footer
	if set.Title == "" {
		set.Title = exported.Title
	}
	if err := userError(s.Tenant.Configure(ctx, a, set)); err != nil {
		return err
	}
	addMembers(ctx, s, a, exported.Members, os.Stdout)
	return nil
}

// addMembers gives the members of an exported wiki local identities with the names and
// roles they had. Failures are printed, because the wiki has its pages by then.
func addMembers(ctx context.Context, s *service.Service, a wiki.Access, members []exportedMember, out io.Writer) {
	added := []string{}
	for _, m := range members {
		role, err := wiki.ParseRole(m.Role)
		if err == nil {
			_, err = s.Tenant.AddLocalMember(ctx, a, m.name(), role)
		}
		if err != nil {
			fmt.Fprintf(out, "%s wasn't added as a member: %v\n", wiki.VisibleName(cmp.Or(m.name(), m.Handle)), userError(err))
			continue
		}
		added = append(added, m.name()+" ("+role.String()+")")
	}
	if len(added) > 0 {
		fmt.Fprintf(out, "members: %s. Give them sign-in links: Settings, Members, or robot home login NAME\n", strings.Join(added, ", "))
	}
}
