package keyfile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func generate() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func TestOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "keys", "k.pem")
	if _, err := Read[*ecdsa.PrivateKey](file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
	made, err := Open(file, generate)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(file, func() (*ecdsa.PrivateKey, error) { return nil, errors.New("made twice") })
	if err != nil || !again.Equal(made) {
		t.Errorf("another key at the second start: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if other, err := Make(file, generate); err != nil || other.Equal(made) {
		t.Errorf("not a new key: %v", err)
	}
	if _, err := Read[*rsa.PrivateKey](file); err == nil {
		t.Error("a key of another kind was taken")
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files: %v", len(left), err)
	}
}

// What cannot be read is never taken for a first start: the key that is there
// would be lost.
func TestDamaged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "k.pem")
	for _, text := range []string{"", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(file, generate); err == nil {
			t.Errorf("%q was taken for a key, or replaced", text)
		}
		if have, err := os.ReadFile(file); err != nil || string(have) != text {
			t.Errorf("%q became %q: %v", text, have, err)
		}
	}
	if _, err := Secret(file, 32); err != nil { // the last text is long enough to be one
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Secret(file, 32); err == nil {
		t.Error("5 bytes were taken for a secret of 32")
	}
}

func TestSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys", "names.key")
	made, err := Secret(file, 32)
	if err != nil || len(made) != 32 {
		t.Fatalf("%d bytes: %v", len(made), err)
	}
	if again, err := Secret(file, 32); err != nil || !bytes.Equal(again, made) {
		t.Errorf("another secret at the second start: %v", err)
	}
	other, err := Secret(file+"2", 32)
	if err != nil || bytes.Equal(other, made) {
		t.Errorf("two secrets are the same: %v", err)
	}
}
