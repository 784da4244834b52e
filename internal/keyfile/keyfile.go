// Package keyfile keeps the service's keys on disk: private keys as PEM (PKCS #8)
// and secrets as bytes, in files that their owner alone may read.
//
// A key is made when it is asked for and there is none. A file is there as a
// whole or not at all: a crash while it is written leaves what was before.
package keyfile

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"robot.wtf/internal/durable"
)

// Open reads the private key of a file, or makes it with generate.
func Open[K any](file string, generate func() (K, error)) (K, error) {
	key, err := Read[K](file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	return Make(file, generate)
}

// Read reads the private key of a file; fs.ErrNotExist when there is none. A
// key of another kind than K is an error.
func Read[K any](file string) (K, error) {
	var none K
	text, err := os.ReadFile(file)
	if err != nil {
		return none, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return none, fmt.Errorf("%s holds no PEM block", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return none, fmt.Errorf("%s: %w", file, err)
	}
	key, ok := parsed.(K)
	if !ok {
		return none, fmt.Errorf("%s holds a %T, not a %T", file, parsed, none)
	}
	return key, nil
}

// Make writes a new private key in the place of what is there.
func Make[K any](file string, generate func() (K, error)) (K, error) {
	key, err := generate()
	if err != nil {
		return key, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return key, err
	}
	return key, write(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Secret reads a secret of size random bytes, or makes it.
func Secret(file string, size int) ([]byte, error) {
	secret, err := os.ReadFile(file)
	switch {
	case err == nil && len(secret) >= size:
		return secret, nil
	case err == nil:
		return nil, fmt.Errorf("%s is not a key: it has %d bytes", file, len(secret))
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	secret = make([]byte, size)
	rand.Read(secret) // never fails (crypto/rand)
	return secret, write(file, secret)
}

// write creates or replaces the file, and creates its directory if there is none.
func write(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(file, data)
}
