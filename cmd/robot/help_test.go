package main

import (
	"slices"
	"strings"
	"testing"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// The help wiki has the pages of this binary. Everyone can read it, nobody can edit it, and it has no broken links.
func TestHelp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openTest(t, dir).Service
	for range 2 { // the second run changes nothing
		if err := writeHelp(t.Context(), s, "robot.localhost"); err != nil {
			t.Fatal(err)
		}
	}
	a, err := s.Tenant.Resolve(t.Context(), wiki.HelpSlug, wiki.Caller{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Pages.List(t.Context(), a, pages.ListFilter{})
	if err != nil {
		t.Fatal(err)
	}
	head, err := s.Pages.Head(t.Context(), a)
	if err != nil || int(head) != len(list) {
		t.Errorf("%d commits for %d pages, %v", head, len(list), err)
	}
	var names []string
	for _, e := range list {
		names = append(names, string(e.Name))
		view, err := s.Pages.View(t.Context(), a, string(e.Name), "")
		if err != nil {
			t.Fatal(err)
		}
		if body := string(view.Body); strings.Contains(body, `class="red"`) {
			t.Errorf("%s has a red link:\n%s", e.Name, body)
		}
	}
	want := []string{"API", "Agents", "Attachments", "Conflicts", "Dialect", "Domain", "Export", "Git", "History", "Home", "Import", "Keys", "Limits", "Links", "Notifications", "Run_It_Yourself", "Search", "Writing"}
	if !slices.Equal(names, want) {
		t.Errorf("pages %v, want %v", names, want)
	}
	for _, did := range []string{"", "did:plc:adaadaadaadaadaadaadaada"} {
		a, err := s.Tenant.Resolve(t.Context(), wiki.HelpSlug, wiki.Caller{User: wiki.User{DID: did}})
		if err != nil || a.Can(wiki.Edit) || !a.Can(wiki.Read) {
			t.Errorf("%q: %v, %v", did, a.Role(), err)
		}
	}

	// Pages of a former version are deleted, changed ones updated.
	owner := wiki.Caller{User: wiki.User{DID: "did:web:robot.localhost", Username: wiki.HelpSlug}}
	if a, err = s.Tenant.Resolve(t.Context(), wiki.HelpSlug, owner); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pages.Save(t.Context(), a, pages.SaveRequest{Name: "Former", Text: []byte("x\n"), Precondition: pages.Precondition{Create: true}}); err != nil {
		t.Fatal(err)
	}
	home, err := s.Pages.Page(t.Context(), a, "Home", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Pages.Save(t.Context(), a, pages.SaveRequest{Name: "Home", Text: []byte("x\n"), Precondition: pages.Precondition{Base: home.File.Blob}}); err != nil {
		t.Fatal(err)
	}
	if err := writeHelp(t.Context(), s, "robot.example"); err != nil {
		t.Fatal(err)
	}
	again, err := s.Pages.Page(t.Context(), a, "Home", "")
	if err != nil || again.File.Blob != home.File.Blob {
		t.Errorf("Home is %q, %v", again.Source, err)
	}
	if _, err := s.Pages.Page(t.Context(), a, "Former", ""); err == nil {
		t.Error("the former page is still there")
	}
}

// Nobody can take the name of the help wiki.
func TestHelpIsReserved(t *testing.T) {
	t.Parallel()
	s := openTest(t, t.TempDir()).Service
	if _, err := s.Tenant.Create(t.Context(), wiki.User{DID: "did:plc:eve"}, wiki.HelpSlug); err == nil {
		t.Error("the help wiki was given to a user")
	}
}
