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

	"robot.wtf/internal/budget"
	"robot.wtf/internal/durable"
	"robot.wtf/internal/keyfile"
)

// Token types separate session tokens from access tokens, which the same key
// signs (RFC 8725, section 3.11; RFC 9068, section 2.1).
const (
	tokenType  = "robot-session+jwt"
	accessType = "at+jwt"
)

// claims are those of a session token. The audience is one host, without
// port.
type claims struct {
	Subject  string `json:"sub"` // DID
	Session  string `json:"sid"`
	Audience string `json:"aud"`
	Issued   int64  `json:"iat"` // seconds
	Expires  int64  `json:"exp"`
}

func (c claims) issued() time.Time  { return time.Unix(c.Issued, 0) }
func (c claims) expires() time.Time { return time.Unix(c.Expires, 0) }

// keys signs and verifies tokens with RS256.
type keys struct {
	private *rsa.PrivateKey
	id      string // JWK thumbprint (RFC 7638)
	skipped error  // why the former key couldn't be read
	// byID holds the keys that verify tokens: ours and the former one, so
	// that a rotation ends no session.
	byID                map[string]*rsa.PublicKey
	*tokenCodec[claims]                           // for session tokens
	access              *tokenCodec[accessClaims] // for access tokens
}

// tokenClaims are claims about a user.
type tokenClaims interface {
	claims | accessClaims
	user() string // DID
}

func (c claims) user() string       { return c.Subject }
func (c accessClaims) user() string { return c.Subject }

// Bounds on the cached claims of one type: of all users and of one.
const (
	maxVerified     = 10_000
	maxUserVerified = 1_000
)

// A tokenCodec signs and verifies tokens of one type.
type tokenCodec[C tokenClaims] struct {
	kind   jose.ContentType
	byID   map[string]*rsa.PublicKey // shared with keys
	signer jose.Signer
	// verified caches the claims of tokens with a valid signature, by the
	// token's hash, with a share for each user. Expiry, audience and session
	// are checked each time.
	verified *budget.Cache[[sha256.Size]byte, C]
}

// openKeys reads the signing key from a directory or creates it. A former key that
// can't be read is left out: the sessions that it signed end.
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
		k.skipped = err
		return k, nil
	}
	id, err := keyID(former)
	if err != nil {
		return nil, err
	}
	k.byID[id] = &former.PublicKey
	return k, nil
}

func generateKey() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) }

// Files in the key directory.
const (
	signingFile = "signing.pem"
	formerFile  = "signing-former.pem"
)

// rotateFiles creates a new signing key and keeps the current one as the
// former.
func rotateFiles(dir string) error {
	file := filepath.Join(dir, signingFile)
	if err := durable.Rename(file, filepath.Join(dir, formerFile)); err != nil {
		return err
	}
	_, err := keyfile.Create(file, generateKey) // if this fails, openKeys creates it
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
	k := &keys{private: private, id: id, byID: map[string]*rsa.PublicKey{id: &private.PublicKey}}
	if k.tokenCodec, err = newTokenCodec[claims](k, tokenType); err != nil {
		return nil, err
	}
	k.access, err = newTokenCodec[accessClaims](k, accessType)
	return k, err
}

func newTokenCodec[C tokenClaims](k *keys, kind jose.ContentType) (*tokenCodec[C], error) {
	options := (&jose.SignerOptions{}).WithType(kind).WithHeader("kid", k.id)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: k.private}, options)
	if err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	verified := budget.NewCache(maxVerified, maxUserVerified,
		func(_ [sha256.Size]byte, c C) string { return c.user() },
		func([sha256.Size]byte, C) int64 { return 1 })
	return &tokenCodec[C]{kind: kind, byID: k.byID, signer: signer, verified: verified}, nil
}

// jwks returns the public keys as a JWK set (RFC 7517, section 5).
func (k *keys) jwks() ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, id := range slices.Sorted(maps.Keys(k.byID)) {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.byID[id], KeyID: id, Algorithm: string(jose.RS256), Use: "sig"})
	}
	return json.Marshal(set)
}

func (m *tokenCodec[C]) sign(c C) (string, error) {
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

var errInvalidToken = errors.New("not a token of this service")

// verify checks what never changes about a token: algorithm, key, type and
// signature.
func (m *tokenCodec[C]) verify(token string) (C, error) {
	var c C
	if len(token) > 2048 {
		return c, errInvalidToken
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
	key := m.byID[header.KeyID]
	if key == nil || header.ExtraHeaders[jose.HeaderType] != string(m.kind) {
		return c, errInvalidToken
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
