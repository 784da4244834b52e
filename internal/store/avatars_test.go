package store

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

// The total size of avatars is limited: the oldest are dropped, and their owners
// have none.
func TestAvatarsAreBounded(t *testing.T) {
	now := time.Now()
	db, err := Open(t.Context(), filepath.Join(t.TempDir(), "robot.db"), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	const room = 1000
	for i := range 8 {
		did := fmt.Sprintf("did:plc:%d", i)
		if err := db.SaveUser(t.Context(), wiki.User{DID: did, Handle: did[8:] + ".test"}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
		if err := db.setAvatar(t.Context(), did, Avatar{Source: "cid", MIME: "image/png", Data: bytes.Repeat([]byte{byte(i)}, 300)}, room); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 8 {
		u, err := db.User(t.Context(), fmt.Sprintf("did:plc:%d", i))
		if err != nil || (u.Picture != "") != (i >= 5) {
			t.Errorf("%d: %q, %v", i, u.Picture, err)
		}
		if u.Picture == "" {
			continue
		}
		avatar, err := db.Avatar(t.Context(), u.Picture)
		if err != nil || len(avatar.Data) != 300 || avatar.Data[0] != byte(i) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if err := db.DropAvatar(t.Context(), "did:plc:7"); err != nil {
		t.Fatal(err)
	}
	if u, err := db.User(t.Context(), "did:plc:7"); err != nil || u.Picture != "" {
		t.Errorf("%v, %v", u, err)
	}
	// An avatar is deleted with the account.
	six, err := db.User(t.Context(), "did:plc:6")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.ScheduleUserDeletion(t.Context(), six.DID, now); err != nil {
		t.Fatal(err)
	}
	if err := db.PurgeUser(t.Context(), six.DID, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Avatar(t.Context(), six.Picture); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("avatar of a deleted account: %v", err)
	}
}
