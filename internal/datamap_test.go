package internal_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var updateDataMap = flag.Bool("update-datamap", false, "write docs/data.md from the data map")

// A dataRow says what happens to the data of one table.
type dataRow struct {
	store   string // platform (robot.db), content (wiki.db) or search (index.db)
	table   string
	holds   string
	kind    kindOfData
	person  string // whose personal data it holds; "" for nobody's
	wiki    fate   // when a wiki has been purged
	account fate   // when an account has been purged, in other people's wikis
	export  string // what the account export contains of it
	removal string // what a takedown does
	erasure string // what an erasure from the history does
	imports string // what an import that replaces the seeds does
}

type kindOfData string

const (
	truth     kindOfData = "truth"      // lost if the table is lost
	upkept    kindOfData = "maintained" // follows from other tables, written in the same transaction
	rebuilt   kindOfData = "derived"    // can be deleted at any time; rebuilt from the content
	temporary kindOfData = "temporary"  // expires within the time given
)

type fate string

const (
	deleted    fate = "deleted"
	kept       fate = "kept"
	anonymized fate = "anonymized" // the row stays without the person
	expires    fate = "expires"    // the time of a temporary row is over before the purge
	untouched  fate = "-"          // has nothing of the wiki or the person
)

// dataMap has a row for each table of each database. All of them are in backups;
// a restored service rebuilds derived ones that are missing.
var dataMap = []dataRow{
	{"platform", "users", "people who signed in or were invited", truth, "DID, username, handle, last verified handle, name, account host", untouched, deleted, "all but the host and the last verified handle", "-", "-", "-"},
	{"platform", "sites", "wikis, their settings and limits", truth, "owner's DID", deleted, deleted, "settings", "-", "-", "-"},
	{"platform", "site_icons", "icons of wikis, re-encoded", truth, "", deleted, deleted, "-", "-", "-", "-"},
	{"platform", "members", "roles of members", truth, "members' DIDs", deleted, deleted, "own roles; members of own wikis", "-", "-", "-"},
	{"platform", "sessions", "sessions with the kind of browser (30 days without use)", truth, "DID", untouched, deleted, "all but the id", "-", "-", "-"},
	{"platform", "codes", "single sign-on codes (a minute)", temporary, "", expires, expires, "-", "-", "-", "-"},
	{"platform", "tokens", "wiki tokens: name, use, reading position, hash of the secret", truth, "DID", deleted, deleted, "all but the hash", "-", "-", "-"},
	{"platform", "secret_links", "unlisted links to a wiki's feed or to one page: page and use; the secret is made with a key", truth, "DID", deleted, deleted, "all but the id", "-", "-", "-"},
	{"platform", "watched", "pages that members watch", truth, "DID", deleted, deleted, "own ones", "-", "-", "-"},
	{"platform", "own_feeds", "what people chose to be notified of, and their feed; its secret is made with a key", truth, "DID", untouched, deleted, "all but the id", "-", "-", "-"},
	{"platform", "near_limits", "since when wikis are close to their limits, noted when the owner's feed is read", truth, "", deleted, deleted, "-", "-", "-", "-"},
	{"platform", "domains", "own domains of wikis, and since when they point here; kept for 30 days after they are disconnected, without their wiki if it is purged", truth, "", anonymized, anonymized, "-", "-", "-", "-"},
	{"platform", "webhooks", "addresses that owners have told about changes, and how the last delivery went; their secrets are made with a key", truth, "DID, address", deleted, deleted, "-", "-", "-", "-"},
	{"platform", "moved", "wikis that the operator moved here: a digest of their settings there, and notes for the owner", truth, "handles of people without access", deleted, deleted, "-", "-", "-", "-"},
	{"platform", "sizes", "how much wikis hold, for the operator's list; counted again when a wiki is changed or has no row", rebuilt, "", deleted, deleted, "-", "-", "-", "-"},
	{"platform", "personal_tokens", "personal tokens: name, use, hash of the secret", truth, "DID", untouched, deleted, "all but the hash", "-", "-", "-"},
	{"platform", "invitations", "invitations to sign up, with the hash of their code; unused ones until 30 days after they expire", truth, "DIDs of inviter and guest", untouched, deleted, "own ones, with the guest's handle", "-", "-", "-"},
	{"platform", "links", "one-time links of robot home, to sign in (ten minutes) and to join a wiki (14 days), with the hash of their code", temporary, "DID", deleted, deleted, "-", "-", "-", "-"},
	{"platform", "passkeys", "passkeys of robot home: public key, counter, host and the browser that added them", truth, "DID", untouched, deleted, "-", "-", "-", "-"},
	{"platform", "linked_accounts", "ATProto accounts that sign in people of robot home", truth, "DID, handle", untouched, deleted, "-", "-", "-", "-"},
	{"platform", "audit", "log of changes to wikis, members, tokens, invitations, settings and accounts", truth, "DIDs of actors, members and inviters", kept, kept, "-", "records it", "records it", "-"},
	{"platform", "signins", "sign-ins in progress (minutes)", temporary, "handle", untouched, expires, "-", "-", "-", "-"},
	{"platform", "former", "former usernames, reserved for their owners, and names that the operator reserved", truth, "name, keyed hash of its holder", kept, kept, "-", "-", "-", "-"},
	{"platform", "oauth_clients", "OAuth clients; unused ones with a keyed hash of the network that registered them, whose key is only in memory", truth, "", untouched, untouched, "-", "-", "-", "-"},
	{"platform", "oauth_requests", "authorization requests in progress (an hour), with the same hash", temporary, "", expires, expires, "-", "-", "-", "-"},
	{"platform", "oauth_grants", "agents that people connected, with reading positions", truth, "DID", deleted, deleted, "all but the id", "-", "-", "-"},
	{"platform", "oauth_codes", "authorization codes (minutes; while its grant lasts)", temporary, "DID", expires, expires, "-", "-", "-", "-"},
	{"platform", "oauth_refresh", "hashes of refresh tokens", truth, "", deleted, deleted, "-", "-", "-", "-"},
	{"platform", "faces", "avatars, re-encoded", truth, "DID, picture", untouched, deleted, "the picture", "-", "-", "-"},
	{"platform", "suspended_hosts", "account hosts that the operator suspended", truth, "", untouched, untouched, "-", "-", "-", "-"},
	{"platform", "alive", "one row, rewritten by the health check", temporary, "", untouched, untouched, "-", "-", "-", "-"},
	{"platform", "reports", "readers' reports to the operator", truth, "reporter's DID and words", kept, anonymized, "-", "-", "-", "-"},
	{"platform", "aside", "input that background work skips after a panic: ids only", upkept, "", deleted, deleted, "-", "-", "-", "-"},
	{"platform", "goose_db_version", "schema version", truth, "", untouched, untouched, "-", "-", "-", "-"},
	{"platform", "sqlite_sequence", "SQLite's counters", upkept, "", untouched, untouched, "-", "-", "-", "-"},

	{"content", "state", "progress of compression, moves and vouching", upkept, "", deleted, untouched, "-", "-", "updated", "updated"},
	{"content", "files", "the current tree", upkept, "", deleted, untouched, "own wikis: all files", "-", "rewritten", "replaced"},
	{"content", "trees", "ids of current folders", upkept, "", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "other_blobs", "versions of files that aren't with their commits: large ones, imported ones, several in a commit", truth, "what people wrote", deleted, untouched, "own wikis: all, as a bundle", "kept, never served", "adds rows", "replaced"},
	{"content", "commit_blobs", "which commit has a version of a file", upkept, "", deleted, untouched, "-", "-", "moves rows to other_blobs", "replaced"},
	{"content", "spans", "ids of commits, in groups", upkept, "", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "span_authors", "authors of commits, in groups", upkept, "usernames, DIDs", deleted, kept, "-", "-", "kept", "replaced"},
	{"content", "span_sessions", "sessions of commits, in groups", upkept, "", deleted, untouched, "-", "-", "kept", "replaced"},
	{"content", "commits", "every change, with its author, and small versions of files", truth, "username, DID, text", deleted, kept, "own wikis: all, as a bundle", "-", "rewritten", "replaced"},
	{"content", "changes", "files changed by each commit", truth, "", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "merges", "former names of pages that were merged into others", truth, "", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "takings", "text that pages took from others, so that its lines keep their authors", truth, "", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "outlinks", "links of current pages", upkept, "", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "aliases", "other names of pages, from their front matter", upkept, "", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "backlinks", "pages by the names in their links", upkept, "", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "drafts", "unsaved edits", truth, "DID, text", deleted, deleted, "all", "-", "rewritten", "kept, without their base"},
	{"content", "draft_files", "files kept with drafts of pages that don't exist yet (at most 50 MB and 300 files a person)", truth, "DID, file", deleted, deleted, "all", "-", "rewritten", "kept"},
	{"content", "proposed", "pages as agents propose them, until a person decides (60 days without a change; at most 5 MB a grant and 20 MB a wiki)", truth, "username, DID, text", deleted, kept, "-", "deletes rows", "drops rows", "kept, without their base"},
	{"content", "decided", "what became of proposals, for their agents (60 days)", truth, "DID and username of the person who decided", deleted, anonymized, "-", "-", "drops rows", "kept"},
	{"content", "requests", "results of requests that may be retried (a day)", temporary, "DID", deleted, deleted, "-", "-", "rewritten", "deleted"},
	{"content", "imports", "imports, and who vouches for their text", truth, "DID", deleted, anonymized, "own wikis: the newest", "-", "rewritten", "replaced"},
	{"content", "seen", "changes a person has reviewed", truth, "DID", deleted, deleted, "-", "-", "kept", "deleted"},
	{"content", "looked", "the change up to which a person has reviewed everything", truth, "DID", deleted, deleted, "-", "-", "kept", "deleted"},
	{"content", "withheld", "takedowns", truth, "", deleted, untouched, "-", "adds a row", "rewritten", "kept"},
	{"content", "packs", "imported history beside the first parents", truth, "imported authors", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "tags", "imported tags", truth, "", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "deltas", "which versions are stored as their difference from another version", truth, "", deleted, untouched, "-", "-", "rewritten", "replaced"},
	{"content", "replaced", "ids of commits and blobs that an import or an erasure replaced, with their successors", truth, "", deleted, untouched, "-", "-", "adds rows", "adds rows"},
	{"content", "goose_db_version", "schema version", truth, "", deleted, untouched, "-", "-", "-", "-"},
	{"content", "sqlite_sequence", "SQLite's counters", upkept, "", deleted, untouched, "-", "-", "-", "-"},
	{"content", "sqlite_stat1", "fixed statistics for the query planner", truth, "", deleted, untouched, "-", "-", "-", "-"},
	{"content", "sqlite_stat4", "fixed statistics for the query planner", truth, "", deleted, untouched, "-", "-", "-", "-"},

	{"search", "meta", "the last commit indexed", rebuilt, "", deleted, untouched, "-", "rebuilt", "rebuilt", "rebuilt"},
	{"search", "pages", "names and titles of pages", rebuilt, "", deleted, untouched, "-", "rebuilt without it", "rebuilt without it", "rebuilt"},
	{"search", "texts", "text of sections", rebuilt, "what people wrote", deleted, untouched, "-", "rebuilt without it", "rebuilt without it", "rebuilt"},
	{"search", "tags", "tags of pages", rebuilt, "", deleted, untouched, "-", "rebuilt without it", "rebuilt without it", "rebuilt"},
	{"search", "properties", "front matter of pages, as typed values by key", rebuilt, "what people wrote", deleted, untouched, "-", "rebuilt without it", "rebuilt without it", "rebuilt"},
	{"search", "authors", "who edited a page, for author: queries", rebuilt, "username", deleted, kept, "-", "rebuilt", "rebuilt", "rebuilt"},
	{"search", "files", "attachments of pages", rebuilt, "", deleted, untouched, "-", "rebuilt", "rebuilt without it", "rebuilt"},
	{"search", "chunks", "passages and their embeddings", rebuilt, "what people wrote", deleted, untouched, "-", "rebuilt without it", "rebuilt without it", "rebuilt"},
	{"search", "postings", "positions of words", rebuilt, "", deleted, untouched, "-", "rebuilt without it", "rebuilt without it", "rebuilt"},
}

const dataPage = "../docs/data.md"

// TestDataMap fails for a table without a row, a row without a table, and a
// stale docs/data.md.
func TestDataMap(t *testing.T) {
	w := newDataWorld(t)
	w.populate()
	for name, file := range map[string]string{"platform": w.platformFile(), "content": w.wikiFile("ada", "wiki.db"), "search": w.wikiFile("ada", "index.db")} {
		var rows []string
		for _, r := range dataMap {
			if r.store == name {
				rows = append(rows, r.table)
			}
		}
		tables := w.tables(file)
		for _, table := range tables {
			if !slices.Contains(rows, table) {
				t.Errorf("the data map has no row for table %s of %s", table, name)
			}
		}
		for _, row := range rows {
			if !slices.Contains(tables, row) {
				t.Errorf("the data map has a row for %s of %s, which has no such table", row, name)
			}
		}
	}
	want := dataPageText()
	if *updateDataMap {
		if err := os.WriteFile(dataPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(dataPage); err != nil || string(got) != want {
		t.Errorf("docs/data.md is stale (%v): run go test ./internal -run TestDataMap -update-datamap", err)
	}
}

// Rows are complete, and agree with themselves.
func TestDataMapRows(t *testing.T) {
	for _, r := range dataMap {
		name := r.store + "." + r.table
		if cmp.Or(r.holds, "") == "" || r.kind == "" || r.wiki == "" || r.account == "" || r.export == "" || r.removal == "" || r.erasure == "" || r.imports == "" {
			t.Errorf("%s: a field is empty", name)
		}
		if r.store == "search" && r.kind != rebuilt {
			t.Errorf("%s: an index is derived", name)
		}
		if r.store != "platform" && r.wiki != deleted {
			t.Errorf("%s outlives its wiki", name)
		}
		if (r.wiki == expires || r.account == expires) && r.kind != temporary {
			t.Errorf("%s expires but isn't temporary", name)
		}
	}
}

func dataPageText() string {
	var b strings.Builder
	b.WriteString(`# Where data is kept

One row for each table, generated from ` + "`internal/datamap_test.go`" + `, which also tests these statements. Change the map there and run
` + "`go test ./internal -run TestDataMap -update-datamap`" + `.

- **Kind**: *truth* is lost if the table is lost. *Maintained* follows from other tables and is written in the same transaction. *Derived* can be deleted at any time and is rebuilt. *Temporary* expires.
- **Wiki deleted**, **account deleted**: after the seven days in which the owner can change their mind. Deleting an account also deletes its wiki; the column is about everything else.
- **Backups** hold every table below, and the keys. Deleted data stays in backups for up to 35 days. A restored service rebuilds derived tables that are missing or behind.
- **Export** is what a person downloads from their account's page.
- **Erasure** removes a text or a revision from the whole history. Backups made before it hold the text until they expire.
- **Import** is one of a repository with its history, which replaces a wiki's initial pages. An import of files is a commit like any other.

Git exports (` + "`repo.git`" + `), rendered pages and everything in memory are derived as well. They go with their wiki, and no backup holds them.
`)
	for _, s := range [][2]string{
		{"platform", "The platform: `robot.db`"},
		{"content", "A wiki: `wikis/NAME/wiki.db`"},
		{"search", "A wiki's search index: `wikis/NAME/index.db`"},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| table | holds | kind | personal data | wiki deleted | account deleted | export | takedown | erasure | import |\n|---|---|---|---|---|---|---|---|---|---|\n", s[1])
		for _, r := range dataMap {
			if r.store == s[0] {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.table, r.holds, r.kind, cmp.Or(r.person, "-"), r.wiki, r.account, r.export, r.removal, r.erasure, r.imports)
			}
		}
	}
	return b.String()
}
