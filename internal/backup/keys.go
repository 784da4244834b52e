package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
)

// keys stores the files of keys/, encrypted for the recipients if there are any
// (age-encryption.org/v1).
func (b *backupRun) keys(recipients []age.Recipient) ([]key, error) {
	dir := filepath.Join(b.data, "keys")
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var keys []key
	for _, e := range list {
		if !e.Type().IsRegular() || e.Name()[0] == '.' {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		k := key{Name: e.Name(), Sum: sum(text), Sealed: len(recipients) > 0}
		if k.ID, err = b.sealed(k, text, recipients); err != nil {
			return nil, fmt.Errorf("key %s: %w", e.Name(), err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

func (b *backupRun) sealed(k key, text []byte, recipients []age.Recipient) (string, error) {
	if !k.Sealed {
		return b.in.put(text)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipients...)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(text); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return b.in.put(sealed.Bytes())
}

// open reads a key; errSealed if it is encrypted and no identity opens it.
func (r *Repository) open(k key, identities []age.Identity) ([]byte, error) {
	text, err := r.get(k.ID)
	if err != nil {
		return nil, err
	}
	if k.Sealed {
		if len(identities) == 0 {
			return nil, errSealed
		}
		plain, err := age.Decrypt(bytes.NewReader(text), identities...)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errSealed, err)
		}
		if text, err = io.ReadAll(plain); err != nil {
			return nil, &damage{k.ID, err}
		}
	}
	if sum(text) != k.Sum {
		return nil, &damage{id: k.ID}
	}
	return text, nil
}

var errSealed = errors.New("it is encrypted: name a file with the identity that opens it (--identity)")
