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

// storeKeys stores the files in keys/. If there are recipients, the files are
// encrypted for them (age-encryption.org/v1).
func (b *backupRun) storeKeys(recipients []age.Recipient) ([]storedKey, error) {
	dir := filepath.Join(b.dataDir, "keys")
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var keys []storedKey
	for _, e := range list {
		if !e.Type().IsRegular() || e.Name()[0] == '.' {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("keys: %w", err)
		}
		k := storedKey{Name: e.Name(), Sum: sha256Hex(text), Sealed: len(recipients) > 0}
		if k.ID, err = b.storeKey(k, text, recipients); err != nil {
			return nil, fmt.Errorf("key %s: %w", e.Name(), err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// storeKey stores one key and returns the id of its object.
func (b *backupRun) storeKey(k storedKey, text []byte, recipients []age.Recipient) (string, error) {
	if !k.Sealed {
		return b.staging.putObject(text)
	}
	var encrypted bytes.Buffer
	w, err := age.Encrypt(&encrypted, recipients...)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(text); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return b.staging.putObject(encrypted.Bytes())
}

// readKey returns a key in plain text. It fails with errKeyEncrypted if none of
// the identities decrypts it.
func (r *Repository) readKey(k storedKey, identities []age.Identity) ([]byte, error) {
	text, err := r.readObject(k.ID)
	if err != nil {
		return nil, err
	}
	if k.Sealed {
		if len(identities) == 0 {
			return nil, errKeyEncrypted
		}
		plain, err := age.Decrypt(bytes.NewReader(text), identities...)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errKeyEncrypted, err)
		}
		if text, err = io.ReadAll(plain); err != nil {
			return nil, &corruptError{k.ID, err}
		}
	}
	if sha256Hex(text) != k.Sum {
		return nil, &corruptError{id: k.ID}
	}
	return text, nil
}

var errKeyEncrypted = errors.New("the key is encrypted: pass the file with the age identity that decrypts it (--identity)")
