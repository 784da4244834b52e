package replica

import (
	"fmt"
	"os"
	"path/filepath"
)

// addOdd adds the wikis that a move has to notice.
func (d *Disk) addOdd() error {
	for _, w := range []Wiki{
		{Slug: Shared, Owner: "ada", Commits: 6, Public: true, Members: oddMembers(), Drafts: map[string]string{"Notes": "A draft."}, Preferences: map[string]string{"HOME_PAGE": "Notes_1", "WIKILINK_STYLE": "LINK_TITLE"}},
		{Slug: Second, Owner: "ada", Commits: 3, Preferences: map[string]string{"READ_ACCESS": "REGISTERED", "WRITE_ACCESS": "REGISTERED"}},
		{Slug: Reserved, Owner: "rob", Commits: 2},
		{Slug: Clashing, Owner: "clara", Commits: 2, Files: map[string]string{"home.md": "# Another home\n", "Draft#1.md": "x\n", "Notes_1": "A file with the name of a page.\n"}},
		{Slug: Crowded, Owner: "crow", Commits: 2, Files: manyPages(), Members: manyMembers()},
	} {
		if err := d.Add(w); err != nil {
			return fmt.Errorf("wiki %s: %w", w.Slug, err)
		}
	}
	for _, rename := range []struct{ name, handle string }{{"dee", "dee-now.example"}, {"eve", "eve.example"}} {
		if err := d.AddUser(rename.name, rename.handle); err != nil {
			return err
		}
	}
	delete(d.Handles, "dee.example")           // dee's former handle is free
	delete(d.Handles, "fay.example")           // fay's doesn't resolve any more
	d.Handles["eve.example"] = DID("impostor") // somebody else has eve's
	return d.addLinks()
}

// oddMembers has a member of each kind.
func oddMembers() []Member {
	return []Member{
		{Name: "ben", Approved: true, Read: true, Write: true},
		{Name: "cleo", Approved: true, Read: true},
		{Name: "gus", Admin: true, Approved: true},
		{Name: "dee", Approved: true, Read: true, Write: true},
		{Name: "eve", Approved: true, Read: true, Write: true},
		{Name: "fay", Approved: true, Read: true, Write: true},
		{Name: "hal", Read: true, Write: true}, // waits to be approved
		{Handle: `"><script>alert(1)</script>`, Admin: true, Approved: true, Write: true},
		{Handle: "../../etc/passwd", Approved: true, Write: true},
		{Handle: "new\nline.example", Approved: true, Write: true},
	}
}

func manyPages() map[string]string {
	files := map[string]string{}
	for n := range 505 {
		files[fmt.Sprintf("Page_%d.md", n)] = fmt.Sprintf("# Page %d\n", n)
	}
	return files
}

func manyMembers() (list []Member) {
	for n := range 5 {
		list = append(list, Member{Name: fmt.Sprintf("guest-%d", n), Approved: true, Read: true, Write: n == 0})
	}
	return list
}

// addLinks adds wikis with symbolic links to a directory beside the disk, and one
// whose slug leads out of it.
func (d *Disk) addLinks() error {
	for handle, name := range map[string]string{"ben.example": "ben", "cleo.example": "cleo", "gus.example": "gus", "hal.example": "hal"} {
		d.Handles[handle] = DID(name)
	}
	for n := range 5 {
		d.Handles[fmt.Sprintf("guest-%d.example", n)] = DID(fmt.Sprintf("guest-%d", n))
	}
	outside := filepath.Join(filepath.Dir(d.Dir), Target)
	if err := runGit("", nil, "init", "-q", "-b", "main", filepath.Join(outside, "repo")); err != nil {
		return err
	}
	if err := d.writeHistory(filepath.Join(outside, "repo"), Wiki{Slug: "secret", Owner: "secret", Commits: 1}, 0); err != nil {
		return err
	}
	if err := d.Add(Wiki{Slug: Inside, Owner: "ivy", Commits: 2}); err != nil {
		return err
	}
	objects := filepath.Join(d.Repository(Inside), ".git", "objects")
	if d.schema == Early {
		objects = filepath.Join(d.Repository(Inside), "objects")
	}
	for _, slug := range []string{Linked, Hostile} {
		if err := d.AddUser("lin", ""); err != nil {
			return err
		}
		if err := d.addRow(Wiki{Slug: slug, Owner: "lin"}); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(objects); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(outside, "repo", ".git", "objects"), objects); err != nil {
		return err
	}
	return os.Symlink(outside, filepath.Join(d.Dir, "wikis", Linked))
}

// addClients adds a registered agent.
func (d *Disk) addClients(redirect string) error {
	if d.schema == Early {
		_, err := d.platform.Exec(`INSERT INTO mcp_oauth_clients VALUES ($1, 'Claude', $2, NULL, '2026-02-03T04:05:06+00:00')`, d.Client, `["`+redirect+`"]`)
		return err
	}
	db, err := d.database(filepath.Join(d.Dir, "mcp_oauth.db"), oauthSchema)
	if err != nil {
		return err
	}
	_, err = db.Exec(`
		INSERT INTO oauth_clients VALUES ($1, $2, 1770000000.5), ('hostile', '{"client_id":"hostile","redirect_uris":["javascript:alert(1)"]}', 1770000000);
		INSERT INTO oauth_tokens VALUES ('old-access-token', $1, '[]', 99999999999, 'access', NULL, NULL)`,
		d.Client, `{"client_id":"`+d.Client+`","client_secret":"a secret","redirect_uris":["`+redirect+`"],"token_endpoint_auth_method":"client_secret_post","client_name":"Claude","grant_types":["authorization_code","refresh_token"]}`)
	return err
}
