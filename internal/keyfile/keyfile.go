// Package keyfile stores the service's keys on disk: private keys as PEM
// (PKCS #8) and secrets as raw bytes, in files that only their owner can read.
// Callers decide what keys are for and when they are rotated.
//
// A missing key is generated when it is first opened. A damaged key is an error;
// it is never replaced. Writes are atomic: after a crash, a file is either
// complete or unchanged.
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

// Open reads a private key from a file, or creates it with generate.
func Open[K any](file string, generate func() (K, error)) (K, error) {
	key, err := Read[K](file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	return Create(file, generate)
}

// Read reads a private key from a file. It fails with fs.ErrNotExist if there is
// no file, and if the key isn't of type K.
func Read[K any](file string) (K, error) {
	var none K
	text, err := os.ReadFile(file)
	if err != nil {
		return none, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return none, fmt.Errorf("keyfile: read %s: no PEM block", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return none, fmt.Errorf("keyfile: read %s: %w", file, err)
	}
	key, ok := parsed.(K)
	if !ok {
		return none, fmt.Errorf("keyfile: read %s: key is a %T, want a %T", file, parsed, none)
	}
	return key, nil
}

// Create generates a private key and writes it to a file, replacing any previous
// key.
func Create[K any](file string, generate func() (K, error)) (K, error) {
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

// nameHeader is the PEM header that holds a key's name.
const nameHeader = "Key-Id"

// Adopt writes a private key that was made elsewhere, with the name that it is known
// by, replacing any previous key. Read returns the key, Name the name.
func Adopt(file string, key any, name string) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return write(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Headers: map[string]string{nameHeader: name}, Bytes: der}))
}

// Name returns the name that a key was adopted with, or "".
func Name(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", fmt.Errorf("keyfile: read %s: no PEM block", file)
	}
	return block.Headers[nameHeader], nil
}

// Secret reads a secret of at least size bytes, or creates one of size random
// bytes.
func Secret(file string, size int) ([]byte, error) {
	secret, err := os.ReadFile(file)
	switch {
	case err == nil && len(secret) >= size:
		return secret, nil
	case err == nil:
		return nil, fmt.Errorf("keyfile: read %s: %d bytes, want at least %d", file, len(secret), size)
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
