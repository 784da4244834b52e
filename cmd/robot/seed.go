package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/service"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

//go:embed seed
var seedFiles embed.FS

// people can sign in to a development service: Ada owns a public wiki, Bob edits it
// and has a private wiki, Cleo is a viewer, and Dan has no access.
func people() []wiki.User {
	return []wiki.User{
		{DID: "did:plc:adaadaadaadaadaadaadaada", Username: "ada", Handle: "ada.test", Name: "Ada"},
		{DID: "did:plc:bobbobbobbobbobbobbobbob", Username: "bob", Handle: "bob.test", Name: "Bob"},
		{DID: "did:plc:cleocleocleocleocleocleo", Username: "cleo", Handle: "cleo.test", Name: "Cleo"},
		{DID: "did:plc:dandandandandandandandan", Username: "dan", Handle: "dan.test", Name: "Dan"},
	}
}

// seededOwners lists the handles of people whose wikis are seeded.
func seededOwners() (handles []string) {
	for _, w := range seedWikis() {
		for _, u := range people() {
			if u.Username == w.owner {
				handles = append(handles, u.Handle)
			}
		}
	}
	return handles
}

// seededPeople implements tenant.Directory for a development service.
type seededPeople struct{}

// Find takes a username, a handle or a DID.
func (seededPeople) Find(_ context.Context, _, name string) (wiki.User, error) {
	name = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@"))
	for _, u := range people() {
		if name == u.Username || name == u.Handle || name == u.DID {
			return wiki.User{DID: u.DID, Handle: u.Handle, Name: u.Name}, nil
		}
	}
	return wiki.User{}, wiki.Problemf(wiki.ErrNotFound, "handle", "There is no %q here. A development service only has the people you can sign in as.", name)
}

// Declared implements tenant.Directory.
func (p seededPeople) Declared(ctx context.Context, asker, did string) (string, error) {
	u, err := p.Find(ctx, asker, did)
	return u.Handle, err
}

// Publication finds none.
func (seededPeople) Publication(context.Context, string, string, string) (string, error) {
	return "", wiki.Problemf(wiki.ErrNotFound, "publication", "A development service can't read records.")
}

// A seedWiki is an example wiki of a development service.
type seedWiki struct {
	owner    string
	settings tenant.Settings
	members  map[string]wiki.Role // by username
	history  []step
}

// A step is one commit of a wiki's history.
type step struct {
	at    string // RFC 3339 without seconds and zone: "2026-03-14T16:40", UTC
	by    string // username
	agent string // that wrote for the person, or ""
	do    func(context.Context, *seeder, wiki.Access) error
}

// A seeder writes example wikis through package pages, as front ends do.
type seeder struct {
	*service.Service
	clock *clock
	shift time.Duration // subtracted from all times, in case the clock is behind them
	files string        // folder of the wiki's files in seedFiles
}

// seed creates missing people and wikis. Each step is one commit, so the number of a
// wiki's head says where to resume; complete wikis stay as they are.
func seed(ctx context.Context, s *service.Service, clock *clock, wikis []seedWiki) error {
	defer clock.set.Store(nil)
	users := map[string]wiki.User{}
	for _, u := range people() {
		users[u.Username] = u
		if _, err := s.Store.User(ctx, u.DID); err == nil {
			continue
		}
		if err := s.Store.SaveUser(ctx, u); err != nil {
			return err
		}
	}
	for _, w := range wikis {
		sd := &seeder{Service: s, clock: clock, files: "seed/" + w.owner + "/"}
		if err := sd.wiki(ctx, w, users); err != nil {
			return fmt.Errorf("seed %s: %w", w.owner, err)
		}
	}
	return nil
}

func (sd *seeder) wiki(ctx context.Context, w seedWiki, users map[string]wiki.User) error {
	owner := users[w.owner]
	a, err := sd.Tenant.Resolve(ctx, w.owner, wiki.Caller{User: owner})
	fresh := errors.Is(err, wiki.ErrNotFound)
	if err != nil && !fresh {
		return err
	}
	last, err := time.Parse(stepTime, w.history[len(w.history)-1].at)
	if err != nil {
		return err
	}
	if ahead := time.Until(last); ahead > 0 {
		sd.shift = ahead.Truncate(24*time.Hour) + 24*time.Hour
	}
	if fresh {
		if a, err = sd.create(ctx, w, users); err != nil {
			return err
		}
	}
	done, err := sd.Pages.Head(ctx, a)
	if err != nil {
		return err
	}
	for i := int(done); i < len(w.history); i++ {
		if err := sd.step(ctx, w.owner, users, w.history[i]); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, w.history[i].at, err)
		}
	}
	return nil
}

func (sd *seeder) create(ctx context.Context, w seedWiki, users map[string]wiki.User) (wiki.Access, error) {
	if err := sd.setClock(w.history[0].at); err != nil {
		return wiki.Access{}, err
	}
	owner := users[w.owner]
	if _, err := sd.Tenant.Create(ctx, owner, w.owner); err != nil {
		return wiki.Access{}, err
	}
	a, err := sd.Tenant.Resolve(ctx, w.owner, wiki.Caller{User: owner})
	if err != nil {
		return a, err
	}
	for name, role := range w.members {
		if err := sd.Tenant.SetMember(ctx, a, users[name].DID, role); err != nil {
			return a, err
		}
	}
	return a, sd.Tenant.Configure(ctx, a, w.settings)
}

const stepTime = "2006-01-02T15:04"

func (sd *seeder) setClock(text string) error {
	t, err := time.Parse(stepTime, text)
	if err != nil {
		return err
	}
	t = t.Add(-sd.shift)
	sd.clock.set.Store(&t)
	return nil
}

func (sd *seeder) step(ctx context.Context, slug string, users map[string]wiki.User, st step) error {
	if err := sd.setClock(st.at); err != nil {
		return err
	}
	caller := wiki.Caller{User: users[st.by]}
	if st.agent != "" {
		caller.Agent, caller.Client, caller.Grant, caller.Wiki = st.agent, "token", "seed", slug
	}
	a, err := sd.Tenant.Resolve(ctx, slug, caller)
	if err != nil {
		return err
	}
	return st.do(ctx, sd, a)
}

// start makes the first commit of every wiki.
func start(ctx context.Context, sd *seeder, a wiki.Access) error { return sd.Pages.Seed(ctx, a) }

// put creates or replaces a page with the file of the same name.
func put(page, message string) func(context.Context, *seeder, wiki.Access) error {
	return func(ctx context.Context, sd *seeder, a wiki.Access) error {
		text, err := seedFiles.ReadFile(sd.files + page + ".md")
		if err != nil {
			return err
		}
		return sd.save(ctx, a, page, text, message)
	}
}

// extend appends the file of the same name to a page.
func extend(page, message string) func(context.Context, *seeder, wiki.Access) error {
	return func(ctx context.Context, sd *seeder, a wiki.Access) error {
		more, err := seedFiles.ReadFile(sd.files + page + ".md")
		if err != nil {
			return err
		}
		now, err := sd.Pages.Page(ctx, a, page, "")
		if err != nil {
			return err
		}
		return sd.save(ctx, a, page, append(bytes.Clone(now.Source), more...), message)
	}
}

func (sd *seeder) save(ctx context.Context, a wiki.Access, page string, text []byte, message string) error {
	r := pages.SaveRequest{Name: page, Text: text, Write: pages.Write{Message: message}}
	now, err := sd.Pages.Page(ctx, a, page, "")
	switch {
	case errors.Is(err, wiki.ErrNotFound):
		r.Create = true
	case err != nil:
		return err
	default:
		r.Base = now.File.Blob
	}
	_, err = sd.Pages.Save(ctx, a, r)
	return err
}

// patch replaces one passage of a page.
func patch(page, old, with, message string) func(context.Context, *seeder, wiki.Access) error {
	return func(ctx context.Context, sd *seeder, a wiki.Access) error {
		now, err := sd.Pages.Page(ctx, a, page, "")
		if err != nil {
			return err
		}
		_, err = sd.Pages.Patch(ctx, a, pages.PatchRequest{
			Name: page, Old: old, New: with, Write: pages.Write{Message: message},
			Precondition: pages.Precondition{Base: now.File.Blob},
		})
		return err
	}
}

// rename moves a page and leaves a redirect.
func rename(page, to, message string) func(context.Context, *seeder, wiki.Access) error {
	return func(ctx context.Context, sd *seeder, a wiki.Access) error {
		now, err := sd.Pages.Page(ctx, a, page, "")
		if err != nil {
			return err
		}
		_, err = sd.Pages.Rename(ctx, a, pages.RenameRequest{
			Name: page, NewName: to, Write: pages.Write{Message: message},
			Precondition: pages.Precondition{Base: now.File.Blob},
		})
		return err
	}
}

// attach uploads a file as an attachment.
func attach(file, message string) func(context.Context, *seeder, wiki.Access) error {
	return func(ctx context.Context, sd *seeder, a wiki.Access) error {
		data, err := seedFiles.ReadFile(sd.files + file)
		if err != nil {
			return err
		}
		_, err = sd.Pages.Upload(ctx, a, pages.UploadRequest{
			Page: path.Dir(file), Name: path.Base(file), Data: bytes.NewReader(data), Write: pages.Write{Message: message},
		})
		return err
	}
}
