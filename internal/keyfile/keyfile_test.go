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
		t.Errorf("missing file: %v", err)
	}
	made, err := Open(file, generate)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Open(file, func() (*ecdsa.PrivateKey, error) { return nil, errors.New("generated twice") })
	if err != nil || !again.Equal(made) {
		t.Errorf("second Open: different key or error: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file mode: %v, %v", info, err)
	}
	if other, err := Create(file, generate); err != nil || other.Equal(made) {
		t.Errorf("Create kept the old key or failed: %v", err)
	}
	if _, err := Read[*rsa.PrivateKey](file); err == nil {
		t.Error("read a key of another type")
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files left, want 1: %v", len(left), err)
	}
}

// A damaged file is never mistaken for a missing one: that would overwrite the
// existing key.
func TestDamagedKeyIsNotReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "k.pem")
	for _, text := range []string{"", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(file, generate); err == nil {
			t.Errorf("%q was accepted or replaced", text)
		}
		if have, err := os.ReadFile(file); err != nil || string(have) != text {
			t.Errorf("%q became %q: %v", text, have, err)
		}
	}
	if _, err := Secret(file, 32); err != nil { // the last text is long enough for a secret
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Secret(file, 32); err == nil {
		t.Error("accepted 5 bytes as a 32-byte secret")
	}
}

func TestSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys", "names.key")
	made, err := Secret(file, 32)
	if err != nil || len(made) != 32 {
		t.Fatalf("%d bytes: %v", len(made), err)
	}
	if again, err := Secret(file, 32); err != nil || !bytes.Equal(again, made) {
		t.Errorf("second Secret: different secret or error: %v", err)
	}
	other, err := Secret(file+"2", 32)
	if err != nil || bytes.Equal(other, made) {
		t.Errorf("two secrets are equal: %v", err)
	}
}
