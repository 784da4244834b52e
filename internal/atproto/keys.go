package atproto

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/auth/oauth"
	"github.com/go-jose/go-jose/v4"
)

// keys authenticate the service to other servers (private_key_jwt, ES256).
type keys struct {
	signing *atcrypto.PrivateKeyP256
	id      string // JWK thumbprint (RFC 7638), so that a new key is never taken for an old one
	all     []*ecdsa.PublicKey
}

// openKeys reads the client's key of a directory, or makes it.
func openKeys(dir string) (*keys, error) {
	file := filepath.Join(dir, "atproto.pem")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = makeKey(dir, file)
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s holds no P-256 key", file)
	}
	scalar, err := private.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	signing, err := atcrypto.ParsePrivateBytesP256(scalar)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	id, err := thumbprint(&private.PublicKey)
	return &keys{signing: signing, id: id, all: []*ecdsa.PublicKey{&private.PublicKey}}, err
}

func thumbprint(key *ecdsa.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}

// makeKey writes a new key so that a crash leaves either none or a whole one.
func makeKey(dir, file string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	unfinished, err := os.CreateTemp(dir, "atproto-*.tmp") // 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(unfinished.Name())
	_, err = unfinished.Write(text)
	if err = errors.Join(err, unfinished.Sync(), unfinished.Close()); err != nil {
		return nil, err
	}
	return text, os.Rename(unfinished.Name(), file)
}

// public is the JWK set (RFC 7517) of the public halves.
func (k *keys) public() ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, key := range k.all {
		id, err := thumbprint(key)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(jose.ES256), Use: "sig"})
	}
	return json.Marshal(set)
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
