package atproto

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// kids returns the key ids in the JWKS.
func (w *world) kids() []string {
	w.t.Helper()
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(w.service.JWKS(), &set); err != nil {
		w.t.Fatal(err)
	}
	var kids []string
	for _, k := range set.Keys {
		kids = append(kids, k.Kid)
	}
	return kids
}

func (w *world) advanceClock(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// A new key is published for ten minutes before it signs. A sign-in ends
// with the key it began with, and the former key is removed once no sign-in
// can use it.
func TestKeyRotation(t *testing.T) {
	for name, rotate := range map[string]func(w *world, dir string) (bool, error){
		"before the service starts": func(w *world, dir string) (bool, error) {
			made, err := RotateKey(dir)
			if err == nil {
				w.service.keys, err = openKeys(dir, Lifetime, w.service.now)
			}
			return made, err
		},
		"while it runs": func(w *world, _ string) (bool, error) { return w.service.RotateKey() },
	} {
		t.Run(name, func(t *testing.T) { testKeyRotation(t, rotate) })
	}
}

func testKeyRotation(t *testing.T, rotate func(w *world, dir string) (bool, error)) {
	w := newWorld(t)
	old := w.kids()
	if len(old) != 1 {
		t.Fatalf("keys %v", old)
	}
	dir := filepath.Join(w.dir, "keys")
	for _, want := range []bool{true, false} { // the second call finds the next key of the first
		if made, err := rotate(w, dir); err != nil || made != want {
			t.Fatalf("rotate: %t, %v", made, err)
		}
	}
	both := w.kids()
	if len(both) != 2 || both[0] != old[0] {
		t.Fatalf("published %v", both)
	}
	signIn := func(want string) {
		t.Helper()
		if _, err := w.browser().signIn("ada.test"); err != nil {
			t.Fatal(err)
		}
		if w.signed != want {
			t.Errorf("signed with %s, want %s", w.signed, want)
		}
	}
	w.advanceClock(publishBeforeUse - time.Second)
	signIn(both[0])
	late := w.browser()
	to, err := late.begin("ada.test")
	if err != nil {
		t.Fatal(err)
	}
	query := w.approve(to)
	w.advanceClock(2 * time.Second)
	signIn(both[1])
	if got := w.kids(); !slices.Equal(got, []string{both[1], both[0]}) {
		t.Errorf("published %v", got)
	}
	if _, err := late.finish(query); err != nil || w.signed != both[0] {
		t.Errorf("begun with the former key: %v, signed with %s", err, w.signed)
	}
	w.advanceClock(Lifetime)
	if got := w.kids(); !slices.Equal(got, both[1:]) {
		t.Errorf("published %v", got)
	}
	signIn(both[1])
	files, err := filepath.Glob(filepath.Join(dir, "atproto*"))
	if err != nil || len(files) != 1 {
		t.Errorf("files %v, %v", files, err)
	}
}

// A crash between the renames of a rotation leaves a signing key, and never
// an unpublished one.
func TestRotationInterrupted(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.dir, "keys")
	if _, err := RotateKey(dir); err != nil {
		t.Fatal(err)
	}
	k, err := openKeys(dir, Lifetime, w.service.now)
	if err != nil {
		t.Fatal(err)
	}
	next, former := k.next.id, k.signing.id
	if err := os.Rename(filepath.Join(dir, signingFile), filepath.Join(dir, formerFile)); err != nil {
		t.Fatal(err)
	}
	w.advanceClock(publishBeforeUse)
	if one, err := k.signingKey(); err != nil || one.id != next { // in the same process
		t.Errorf("%v, %v", one, err)
	}
	if err := os.Rename(filepath.Join(dir, signingFile), filepath.Join(dir, nextFile)); err != nil {
		t.Fatal(err)
	}
	again, err := openKeys(dir, Lifetime, w.service.now) // after a restart
	if err != nil || again.signing.id != next || again.former == nil || again.former.id != former || again.next != nil {
		t.Errorf("%+v, %v", again, err)
	}
	if _, err := RotateKey(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing to rotate: %v", err)
	}
}

// The key of a service that this one replaces signs at once, under the id that other
// servers know, and keeps it when the service starts again. The former key stays
// published for sign-ins in progress.
func TestAdoptKey(t *testing.T) {
	w := newWorld(t)
	was, dir := w.kids(), filepath.Join(w.dir, "keys")
	private, err := generateKey()
	if err != nil {
		t.Fatal(err)
	}
	jwk := func(key any, id string) []byte {
		text, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: id, Algorithm: "ES256", Use: "sig"})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for what, text := range map[string][]byte{
		"a public key": jwk(&private.PublicKey, "id"), "no id": jwk(private, ""), "an id of two lines": jwk(private, "a\nb"), "no key": []byte("{}"), "nothing": nil,
	} {
		if adopted, err := w.service.AdoptKey(text); err == nil || adopted {
			t.Errorf("%s is adopted", what)
		}
	}
	text := jwk(private, "Q2xpZW50")
	for _, want := range []bool{true, false} {
		if adopted, err := w.service.AdoptKey(text); err != nil || adopted != want {
			t.Fatalf("adopted %t, %v", adopted, err)
		}
	}
	if kids := w.kids(); !slices.Equal(kids, []string{"Q2xpZW50", was[0]}) {
		t.Errorf("keys %q", kids)
	}
	signing, err := w.service.keys.signingKey()
	if err != nil || !signing.public.Equal(&private.PublicKey) {
		t.Errorf("another key signs: %v", err)
	}
	again, err := openKeys(dir, Lifetime, w.service.now)
	if err != nil || again.signing.id != "Q2xpZW50" || again.former == nil || again.former.id != was[0] {
		t.Errorf("after a restart: %+v, %v", again, err)
	}
	w.advanceClock(Lifetime)
	if kids := w.kids(); !slices.Equal(kids, []string{"Q2xpZW50"}) {
		t.Errorf("later: keys %q", kids)
	}
}
