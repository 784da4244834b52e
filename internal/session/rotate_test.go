package session

import (
	"os"
	"path/filepath"
	"testing"
)

func TestKeyRotation(t *testing.T) {
	dir := t.TempDir()
	var tokens []string
	var k *keys
	for range 3 {
		var err error
		if k, err = openKeys(dir); err != nil {
			t.Fatal(err)
		}
		token, err := k.sign(claims{Subject: "did:plc:ada"})
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
		if err := rotateFiles(dir); err != nil {
			t.Fatal(err)
		}
	}
	// The last rotation hasn't been loaded yet.
	for i, want := range []bool{false, true, true} {
		if _, err := k.verify(tokens[i]); (err == nil) != want {
			t.Errorf("token of key %d: %v", i, err)
		}
	}
	for _, name := range []string{signingFile, formerFile} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if err := rotateFiles(t.TempDir()); err == nil {
		t.Error("rotated without a key")
	}
}
