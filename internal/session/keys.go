package session

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/maypok86/otter/v2"

	"robot.wtf/internal/durable"
	"robot.wtf/internal/keyfile"
)

// The types keep session tokens and access tokens apart, which the same key
// signs (RFC 8725, section 3.11; RFC 9068, section 2.1).
const (
	tokenType  = "robot-session+jwt"
	accessType = "at+jwt"
)

// claims of a session token. The audience is one host, without port.
type claims struct {
	Subject  string `json:"sub"` // DID
	Session  string `json:"sid"`
	Audience string `json:"aud"`
	Issued   int64  `json:"iat"` // seconds
	Expires  int64  `json:"exp"`
}

func (c claims) issued() time.Time  { return time.Unix(c.Issued, 0) }
func (c claims) expires() time.Time { return time.Unix(c.Expires, 0) }

// keys sign and verify with RS256.
type keys struct {
	private *rsa.PrivateKey
	id      string // JWK thumbprint (RFC 7638)
	// known are the keys that tokens are verified with, by id: ours, and the
	// one before it, so that a rotation ends no session.
	known         map[string]*rsa.PublicKey
	*mint[claims]                     // of session tokens
	access        *mint[accessClaims] // of access tokens
}

// A mint makes and reads tokens of one type.
type mint[C any] struct {
	kind   jose.ContentType
	known  map[string]*rsa.PublicKey // that of keys
	signer jose.Signer
	// verified remembers the claims of tokens whose signature was right, by
	// the token's hash. Time, audience and session are looked at each time.
	verified *otter.Cache[[sha256.Size]byte, C]
}

// openKeys reads the signing key of a directory, or makes it.
func openKeys(dir string) (*keys, error) {
	private, err := keyfile.Open(filepath.Join(dir, signingFile), generateKey)
	if err != nil {
		return nil, err
	}
	k, err := newKeys(private)
	if err != nil {
		return nil, err
	}
	former, err := keyfile.Read[*rsa.PrivateKey](filepath.Join(dir, formerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, err
	}
	id, err := keyID(former)
	if err != nil {
		return nil, err
	}
	k.known[id] = &former.PublicKey
	return k, nil
}

func generateKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

// The files of a key directory.
const (
	signingFile = "signing.pem"
	formerFile  = "signing-former.pem"
)

// rotateFiles makes a new signing key, and keeps the one before as the former.
func rotateFiles(dir string) error {
	file := filepath.Join(dir, signingFile)
	if err := durable.Rename(file, filepath.Join(dir, formerFile)); err != nil {
		return err
	}
	_, err := keyfile.Create(file, generateKey) // if that fails, openKeys makes it
	return err
}

func keyID(private *rsa.PrivateKey) (string, error) {
	print, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(print), err
}

func newKeys(private *rsa.PrivateKey) (*keys, error) {
	id, err := keyID(private)
	if err != nil {
		return nil, err
	}
	k := &keys{private: private, id: id, known: map[string]*rsa.PublicKey{id: &private.PublicKey}}
	if k.mint, err = newMint[claims](k, tokenType); err != nil {
		return nil, err
	}
	k.access, err = newMint[accessClaims](k, accessType)
	return k, err
}

func newMint[C any](k *keys, kind jose.ContentType) (*mint[C], error) {
	options := (&jose.SignerOptions{}).WithType(kind).WithHeader("kid", k.id)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: k.private}, options)
	if err != nil {
		return nil, err
	}
	verified, err := otter.New(&otter.Options[[sha256.Size]byte, C]{MaximumSize: 10_000})
	return &mint[C]{kind: kind, known: k.known, signer: signer, verified: verified}, err
}

// set is the public keys as a JWK set (RFC 7517, section 5).
func (k *keys) set() ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, id := range slices.Sorted(maps.Keys(k.known)) {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.known[id], KeyID: id, Algorithm: string(jose.RS256), Use: "sig"})
	}
	return json.Marshal(set)
}

func (m *mint[C]) sign(c C) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed, err := m.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("session: sign: %w", err)
	}
	return signed.CompactSerialize()
}

var errForged = errors.New("not a token of ours")

// verify checks everything that stays true of a token: algorithm, key, type
// and signature.
func (m *mint[C]) verify(token string) (C, error) {
	var c C
	if len(token) > 2048 {
		return c, errForged
	}
	hash := sha256.Sum256([]byte(token))
	if c, ok := m.verified.GetIfPresent(hash); ok {
		return c, nil
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return c, err
	}
	header := signed.Signatures[0].Protected
	key := m.known[header.KeyID]
	if key == nil || header.ExtraHeaders[jose.HeaderType] != string(m.kind) {
		return c, errForged
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return c, err
	}
	m.verified.Set(hash, c)
	return c, nil
}
