package atproto

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/go-jose/go-jose/v4"

	"robot.wtf/internal/durable"
	"robot.wtf/internal/keyfile"
)

// Files in the key directory.
const (
	signingFile = "atproto.pem"
	nextFile    = "atproto-next.pem"   // published, not signing yet
	formerFile  = "atproto-former.pem" // published for sign-ins that began with it
)

// publishBeforeUse is how long a key is in the JWKS before it signs: other
// servers cache that document for ten minutes.
const publishBeforeUse = 10 * time.Minute

// A key authenticates the service to other servers (private_key_jwt, ES256).
type key struct {
	id      string // JWK thumbprint (RFC 7638), unless the key came from another service
	private *atcrypto.PrivateKeyP256
	public  *ecdsa.PublicKey
}

// keys holds the signing key and the keys that are published with it: the
// next one, which signs once others had time to fetch it, and the former
// one, until the sign-ins that began with it have ended.
type keys struct {
	dir  string
	keep time.Duration // lifetime of the former key: that of a sign-in
	now  func() time.Time

	mu            sync.Mutex
	signing       *key
	next, former  *key      // nil if there is none
	nextSigns     time.Time // when next starts to sign
	formerRetires time.Time
	skipped       error // why keys that don't sign couldn't be read
}

// openKeys reads the client's keys from a directory or creates the first. It
// treats them as published from now on.
func openKeys(dir string, keep time.Duration, now func() time.Time) (*keys, error) {
	k := &keys{dir: dir, keep: keep, now: now, nextSigns: now().Add(publishBeforeUse), formerRetires: now().Add(keep)}
	if err := finishRotation(dir); err != nil {
		return nil, err
	}
	private, err := keyfile.Open(filepath.Join(dir, signingFile), generateKey)
	if err != nil {
		return nil, err
	}
	if k.signing, err = newNamedKey(private, filepath.Join(dir, signingFile)); err != nil {
		return nil, err
	}
	// Signing in works without the other keys.
	var next, former error
	k.next, next = readKey(filepath.Join(dir, nextFile))
	k.former, former = readKey(filepath.Join(dir, formerFile))
	k.skipped = errors.Join(next, former)
	return k, nil
}

// finishRotation completes a rotation that a crash interrupted between the
// two renames of promoteNextKey.
func finishRotation(dir string) error {
	_, err := os.Stat(filepath.Join(dir, signingFile))
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = durable.Rename(filepath.Join(dir, nextFile), filepath.Join(dir, signingFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// RotateKey creates the client's next key, which signs after it has been
// published for publishBeforeUse. It returns false if a next key already
// exists.
func (s *Service) RotateKey() (bool, error) {
	k := s.keys
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.advanceRotation(); err != nil {
		return false, err
	}
	made, err := RotateKey(k.dir)
	if err != nil || !made {
		return false, err
	}
	if k.next, err = readKey(filepath.Join(k.dir, nextFile)); err != nil {
		return false, fmt.Errorf("atproto: rotate key: %w", err)
	}
	k.nextSigns = k.now().Add(publishBeforeUse)
	return true, nil
}

// RotateKey creates the client's next key in a directory that no service is
// using. It returns false if a next key already exists.
func RotateKey(dir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dir, signingFile)); err != nil {
		return false, fmt.Errorf("atproto: rotate key: %w", err)
	}
	file := filepath.Join(dir, nextFile)
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if _, err := keyfile.Create(file, generateKey); err != nil {
		return false, fmt.Errorf("atproto: rotate key: %w", err)
	}
	return true, nil
}

// AdoptKey makes the key of a service that this one replaces the client's key, with
// the id that other servers know it by: they cache the client's description, so that a
// new key wouldn't work at once. text is the private key as a JWK (RFC 7517). It
// returns false if the client has that key already.
func (s *Service) AdoptKey(text []byte) (bool, error) {
	k := s.keys
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.advanceRotation(); err != nil {
		return false, err
	}
	adopted, err := AdoptKey(k.dir, text)
	if err != nil || !adopted {
		return false, err
	}
	was := k.signing
	if k.signing, err = readKey(filepath.Join(k.dir, signingFile)); err != nil {
		return false, fmt.Errorf("atproto: adopt key: %w", err)
	}
	k.former, k.formerRetires = was, k.now().Add(k.keep)
	return true, nil
}

// maxKeyID limits the id of a key, in bytes.
const maxKeyID = 100

// AdoptKey is Service.AdoptKey in a directory that no service is using.
func AdoptKey(dir string, text []byte) (bool, error) {
	var j jose.JSONWebKey
	if err := json.Unmarshal(text, &j); err != nil {
		return false, fmt.Errorf("atproto: adopt key: %w", err)
	}
	private, ok := j.Key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() || j.KeyID == "" || len(j.KeyID) > maxKeyID || strings.ContainsFunc(j.KeyID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false, errors.New("atproto: adopt key: want a private P-256 key with an id")
	}
	file := filepath.Join(dir, signingFile)
	if now, err := readKey(file); err != nil {
		return false, fmt.Errorf("atproto: adopt key: %w", err)
	} else if now != nil && now.id == j.KeyID && now.public.Equal(&private.PublicKey) {
		return false, nil
	}
	err := durable.Rename(file, filepath.Join(dir, formerFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = keyfile.Adopt(file, private, j.KeyID)
	}
	if err != nil {
		return false, fmt.Errorf("atproto: adopt key: %w", err)
	}
	return true, nil
}

// advanceRotation promotes and retires keys that are due. If it fails, the
// keys stay as they are, which is safe, and the next call tries again.
func (k *keys) advanceRotation() error {
	now := k.now()
	if k.next != nil && !now.Before(k.nextSigns) {
		if err := k.promoteNextKey(); err != nil {
			return fmt.Errorf("atproto: rotate key: %w", err)
		}
		k.former, k.signing, k.next, k.formerRetires = k.signing, k.next, nil, now.Add(k.keep)
	}
	if k.former != nil && !now.Before(k.formerRetires) {
		if err := os.Remove(filepath.Join(k.dir, formerFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("atproto: retire key: %w", err)
		}
		k.former = nil
	}
	return nil
}

func (k *keys) promoteNextKey() error {
	err := durable.Rename(filepath.Join(k.dir, signingFile), filepath.Join(k.dir, formerFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // already done by a call that failed later
		return err
	}
	return durable.Rename(filepath.Join(k.dir, nextFile), filepath.Join(k.dir, signingFile))
}

// signingKey returns the key that signs now.
func (k *keys) signingKey() (*key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.advanceRotation()
	return k.signing, err
}

// publishedKeys returns all published keys, the signing key first.
func (k *keys) publishedKeys() ([]*key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.advanceRotation()
	list := []*key{k.signing}
	for _, other := range []*key{k.next, k.former} {
		if other != nil {
			list = append(list, other)
		}
	}
	return list, err
}

// jwks returns the JWK set (RFC 7517) of the public keys.
func (k *keys) jwks() ([]byte, error) {
	list, err := k.publishedKeys()
	var set jose.JSONWebKeySet
	for _, k := range list {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.public, KeyID: k.id, Algorithm: string(jose.ES256), Use: "sig"})
	}
	text, failed := json.Marshal(set)
	return text, errors.Join(err, failed)
}

func generateKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// readKey returns nil if the file doesn't exist.
func readKey(file string) (*key, error) {
	private, err := keyfile.Read[*ecdsa.PrivateKey](file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newNamedKey(private, file)
}

// newNamedKey is newKey for a key in a file, which can have the id that the key is
// known by.
func newNamedKey(private *ecdsa.PrivateKey, file string) (*key, error) {
	k, err := newKey(private)
	if err != nil {
		return nil, err
	}
	name, err := keyfile.Name(file)
	if name != "" {
		k.id = name
	}
	return k, err
}

func newKey(private *ecdsa.PrivateKey) (*key, error) {
	if private.Curve != elliptic.P256() {
		return nil, errors.New("the client's key is not a P-256 key")
	}
	scalar, err := private.Bytes()
	if err != nil {
		return nil, err
	}
	signing, err := atcrypto.ParsePrivateBytesP256(scalar)
	if err != nil {
		return nil, err
	}
	sum, err := (&jose.JSONWebKey{Key: &private.PublicKey}).Thumbprint(crypto.SHA256)
	return &key{id: base64.RawURLEncoding.EncodeToString(sum), private: signing, public: &private.PublicKey}, err
}

// clientMetadata returns the document that describes this client to other
// servers (atproto.com/specs/oauth, "Client ID Metadata Document").
func clientMetadata(config *oauth.ClientConfig, o Options) ([]byte, error) {
	m := config.ClientMetadata()
	name, home, logo := cmp.Or(o.Name, "robot.wtf"), o.Platform+"/", o.Platform+"/favicon.ico"
	jwks := strings.TrimSuffix(config.CallbackURL, callbackName) + jwksName
	m.ClientName, m.ClientURI, m.JWKSURI, m.LogoURI = &name, &home, &jwks, &logo
	if !o.Home {
		terms, privacy := o.Platform+"/terms", o.Platform+"/privacy"
		m.TosURI, m.PolicyURI = &terms, &privacy
	}
	if err := m.Validate(config.ClientID); err != nil {
		return nil, err
	}
	return json.Marshal(m)
}
