package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"robot.wtf/internal/sqlite"
)

// Attack: somebody with a leaked personal token made wiki tokens with it before their
// maker was recorded. They must not survive the revocation, whether it comes after the
// migration or came before it.
func TestTokensOfUnknownMakers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "robot.db")
	later := time.Now().Add(time.Hour).UnixMilli()
	oldPlatform(t, file, 12, `
		INSERT INTO users (did, handle, username, name, created) VALUES ('did:ada', 'ada.test', 'ada', '', 1), ('did:bob', 'bob.test', 'bob', '', 1), ('did:cleo', 'cleo.test', 'cleo', '', 1);
		INSERT INTO sites (slug, owner, created) VALUES ('ada', 'did:ada', 1), ('bob', 'did:bob', 1), ('cleo', 'did:cleo', 1);
		INSERT INTO personal_tokens (id, hash, did, name, read_only, created) VALUES
			('P1', 'p1', 'did:ada', '', FALSE, 10), ('P2', 'p2', 'did:ada', '', FALSE, 50), ('P3', 'p3', 'did:bob', '', TRUE, 10);
		INSERT INTO audit (time, actor, slug, action, detail) VALUES
			(10, 'did:ada', '', 'token.add', 'P1'), (50, 'did:ada', '', 'token.add', 'P2'), (10, 'did:bob', '', 'token.add', 'P3'),
			(10, 'did:cleo', '', 'token.add', 'P4'), (30, 'did:cleo', '', 'token.revoke', 'P4');
		INSERT INTO tokens (id, hash, slug, did, name, read_only, created) VALUES
			('older', '1', 'ada', 'did:ada', '', FALSE, 5), ('between', '2', 'ada', 'did:ada', '', FALSE, 20), ('after', '3', 'ada', 'did:ada', '', FALSE, 60),
			('reads', '4', 'bob', 'did:bob', '', FALSE, 20),
			('unrelated', '8', 'cleo', 'did:cleo', '', FALSE, 5), ('revoked', '5', 'cleo', 'did:cleo', '', FALSE, 20), ('newer', '6', 'cleo', 'did:cleo', '', FALSE, 40)`)
	oldPlatform(t, file, 13, `INSERT INTO tokens (id, hash, slug, did, name, read_only, created) VALUES ('recorded', '7', 'ada', 'did:ada', '', FALSE, `+fmt.Sprint(later)+`)`)
	db := open(t, file)
	want := func(when, slug, want string) {
		t.Helper()
		list, err := db.Tokens(t.Context(), slug, "")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, token := range list {
			name := token.ID
			if token.MakerUnknown {
				name += "?"
			}
			got = append(got, name)
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%s: wiki %s has the tokens %q, want %q", when, slug, got, want)
		}
	}
	want("migrated", "ada", "recorded after? between? older")
	want("migrated", "bob", "reads")
	want("migrated", "cleo", "newer unrelated")
	if events, err := db.Audit(t.Context(), "cleo", 10); err != nil || len(events) != 1 || events[0].Action != "token.revoke" || events[0].Detail != "revoked" {
		t.Errorf("audit log: %v, %v", events, err)
	}
	revoke := func(did, id string) {
		t.Helper()
		if err := db.RevokePersonalToken(t.Context(), did, id); err != nil {
			t.Fatal(err)
		}
	}
	revoke("did:bob", "P3")
	want("after P3 ended, which could only read", "bob", "reads")
	revoke("did:ada", "P2")
	want("after P2 ended", "ada", "recorded between? older")
	revoke("did:ada", "P1")
	want("after P1 ended", "ada", "recorded older")
}

// oldPlatform migrates a database to a former version and runs statements.
func oldPlatform(t *testing.T, file string, version int64, statements string) {
	t.Helper()
	conn, err := sqlite.Open(file, sqlite.Options{ForeignKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	steps, err := goose.NewProvider(goose.DialectSQLite3, conn, migrations.Files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steps.UpTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}
