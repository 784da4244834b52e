package atproto

import (
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
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/go-jose/go-jose/v4"

	"robot.wtf/internal/durable"
	"robot.wtf/internal/keyfile"
)

// The files of a key directory.
const (
	signingFile = "atproto.pem"
	nextFile    = "atproto-next.pem"   // published, and not signing yet
	formerFile  = "atproto-former.pem" // published for those who began with it
)

// published is how long a key is in the JWKS before it signs: other servers
// keep that document for ten minutes.
const published = 10 * time.Minute

// A key authenticates the service to other servers (private_key_jwt, ES256).
type key struct {
	id      string // JWK thumbprint (RFC 7638), so that a new key is never taken for an old one
	private *atcrypto.PrivateKeyP256
	public  *ecdsa.PublicKey
}

// keys are the key that signs, and those that are published besides: the next
// one, which takes its place once others have had time to read of it, and the
// former one, until the sign-ins that began with it have ended.
type keys struct {
	dir  string
	keep time.Duration // of the former key: as long as a sign-in may take
	now  func() time.Time

	mu            sync.Mutex
	signing       *key
	next, former  *key      // nil when there is none
	nextSigns     time.Time // from when next signs
	formerRetires time.Time
}

// openKeys reads the client's keys of a directory, or makes the first. What is
// published starts to be so now.
func openKeys(dir string, keep time.Duration, now func() time.Time) (*keys, error) {
	k := &keys{dir: dir, keep: keep, now: now, nextSigns: now().Add(published), formerRetires: now().Add(keep)}
	if err := finishRotation(dir); err != nil {
		return nil, err
	}
	private, err := keyfile.Open(filepath.Join(dir, signingFile), generateKey)
	if err != nil {
		return nil, err
	}
	if k.signing, err = newKey(private); err != nil {
		return nil, err
	}
	if k.next, err = readKey(filepath.Join(dir, nextFile)); err != nil {
		return nil, err
	}
	k.former, err = readKey(filepath.Join(dir, formerFile))
	return k, err
}

// finishRotation does what a crash between the two renames of rotate left.
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

// RotateKey makes the client's next key, which signs once it has been published
// for a while. It reports false when one is on its way already: that one stays.
func (s *Service) RotateKey() (bool, error) {
	k := s.keys
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.settle(); err != nil {
		return false, err
	}
	made, err := RotateKey(k.dir)
	if err != nil || !made {
		return false, err
	}
	if k.next, err = readKey(filepath.Join(k.dir, nextFile)); err != nil {
		return false, fmt.Errorf("atproto: rotate key: %w", err)
	}
	k.nextSigns = k.now().Add(published)
	return true, nil
}

// RotateKey makes the client's next key in a directory that no service is
// using. It reports false when one is on its way already: that one stays.
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

// settle moves on to what the time demands. What fails is tried again by the
// next call; meanwhile the keys stay as they are, which is right as well.
func (k *keys) settle() error {
	now := k.now()
	if k.next != nil && !now.Before(k.nextSigns) {
		if err := k.rotate(); err != nil {
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

func (k *keys) rotate() error {
	err := durable.Rename(filepath.Join(k.dir, signingFile), filepath.Join(k.dir, formerFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // done by a call that failed after it
		return err
	}
	return durable.Rename(filepath.Join(k.dir, nextFile), filepath.Join(k.dir, signingFile))
}

// current is the key that signs.
func (k *keys) current() (*key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.settle()
	return k.signing, err
}

// all are the published keys, the one that signs first.
func (k *keys) all() ([]*key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	err := k.settle()
	list := []*key{k.signing}
	for _, other := range []*key{k.next, k.former} {
		if other != nil {
			list = append(list, other)
		}
	}
	return list, err
}

// public is the JWK set (RFC 7517) of the public halves.
func (k *keys) public() ([]byte, error) {
	list, err := k.all()
	var set jose.JSONWebKeySet
	for _, one := range list {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: one.public, KeyID: one.id, Algorithm: string(jose.ES256), Use: "sig"})
	}
	text, failed := json.Marshal(set)
	return text, errors.Join(err, failed)
}

func generateKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// readKey gives nil where there is no such file.
func readKey(file string) (*key, error) {
	private, err := keyfile.Read[*ecdsa.PrivateKey](file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newKey(private)
}

func newKey(private *ecdsa.PrivateKey) (*key, error) {
	if private.Curve != elliptic.P256() {
		return nil, errors.New("the client's key is not of P-256")
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

// clientMetadata is what other servers read about this client
// (atproto.com/specs/oauth, "Client ID Metadata Document").
func clientMetadata(config *oauth.ClientConfig, platform string) ([]byte, error) {
	m := config.ClientMetadata()
	name, home, jwks := "robot.wtf", platform+"/", platform+JWKSPath
	m.ClientName, m.ClientURI, m.JWKSURI = &name, &home, &jwks
	if err := m.Validate(config.ClientID); err != nil {
		return nil, err
	}
	return json.Marshal(m)
}
