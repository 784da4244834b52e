package atproto

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/wiki"
)

func pngOf(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewRGBA(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// shows gives ada's profile an avatar, or none for "".
func (w *world) shows(cid string, blob []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accounts[adaDID] = account{handle: "ada.test", pds: "https://pds.test", name: "Ada", avatar: cid}
	w.blobs[cid] = blob
	w.asked = nil
}

// fetched counts the avatar requests since shows.
func (w *world) fetched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, asked := range w.asked {
		if strings.Contains(asked, "getBlob") {
			n++
		}
	}
	return n
}

// An avatar is fetched when it is new, scaled down, and follows the profile.
func TestPicture(t *testing.T) {
	w := newWorld(t)
	signIn := func() wiki.User {
		t.Helper()
		user, err := w.browser().signIn("ada.test")
		if err != nil {
			t.Fatal(err)
		}
		return user
	}
	if user := signIn(); user.Picture != "" {
		t.Errorf("a picture out of nowhere: %q", user.Picture)
	}
	w.shows("one", pngOf(t, 400, 200))
	one := signIn()
	avatar, err := w.db.Avatar(t.Context(), one.Picture)
	if err != nil {
		t.Fatal(err)
	}
	config, kind, err := image.DecodeConfig(bytes.NewReader(avatar.Data))
	if err != nil || kind != "png" || config.Width != avatarSize || config.Height != avatarSize/2 || avatar.MIME != "image/png" {
		t.Errorf("%s %v, %v", kind, config, err)
	}
	if again := signIn(); again.Picture != one.Picture || w.fetched() != 1 {
		t.Errorf("fetched %d times, %q", w.fetched(), again.Picture)
	}
	w.shows("two", pngOf(t, 10, 10))
	two := signIn()
	if two.Picture == one.Picture || two.Picture == "" {
		t.Errorf("the picture was changed: %q", two.Picture)
	}
	if _, err := w.db.Avatar(t.Context(), one.Picture); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("the former one is kept: %v", err)
	}
	w.handlers["pds.test/xrpc/com.atproto.repo.getRecord"] = func(rw http.ResponseWriter, r *http.Request) { http.Error(rw, "no", 500) }
	if user := signIn(); user.Picture != two.Picture {
		t.Errorf("a profile that cannot be read cost a picture: %q", user.Picture)
	}
	delete(w.handlers, "pds.test/xrpc/com.atproto.repo.getRecord")
	w.shows("", nil)
	if user := signIn(); user.Picture != "" {
		t.Errorf("the picture was taken out: %q", user.Picture)
	}
}

// Invalid images and failing servers don't prevent a sign-in, and the
// previous avatar stays.
func TestHostilePictures(t *testing.T) {
	w := newWorld(t)
	w.shows("good", pngOf(t, 10, 10))
	user, err := w.browser().signIn("ada.test")
	if err != nil || user.Picture == "" {
		t.Fatalf("%v, %v", user, err)
	}
	bomb := pngOf(t, 1, 1)
	copy(bomb[16:24], []byte{0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50}) // 50,000 by 50,000
	blobs := map[string][]byte{
		"svg": []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), "html": []byte("<!doctype html><script>alert(1)</script>"),
		"empty": {}, "cut": pngOf(t, 50, 50)[:60], "bomb": bomb, "text": []byte("x"), "missing": nil,
		strings.Repeat("long", 100): pngOf(t, 10, 10),
	}
	for cid, blob := range blobs {
		w.shows(cid, blob)
		if got, err := w.browser().signIn("ada.test"); err != nil || got.Picture != user.Picture {
			t.Errorf("%.10s: %q, %v", cid, got.Picture, err)
		}
	}
	w.service.cleanupTimeout = 500 * time.Millisecond
	stop := make(chan struct{})
	defer close(stop)
	const where = "pds.test/xrpc/com.atproto.sync.getBlob"
	for name, answer := range map[string]http.HandlerFunc{
		"endless": func(rw http.ResponseWriter, r *http.Request) { endless(rw) },
		"sends inside": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "https://127.0.0.1/", http.StatusFound)
		},
		"sends to http": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://pds.test/", http.StatusFound)
		},
		"fails": func(rw http.ResponseWriter, r *http.Request) { http.Error(rw, "no", 500) },
		"hangs": func(rw http.ResponseWriter, r *http.Request) { <-stop },
	} {
		w.shows(name, nil)
		w.handlers[where] = answer
		if got, err := w.browser().signIn("ada.test"); err != nil || got.Picture != user.Picture {
			t.Errorf("%s: %q, %v", name, got.Picture, err)
		}
	}
	if n := w.fetched(); n != 1 {
		t.Errorf("asked %d times for one picture", n)
	}
}
