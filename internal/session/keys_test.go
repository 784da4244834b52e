package session

import (
	"crypto/sha256"
	"encoding/binary"
	"testing"
)

// Attack: one person's sessions and grants make more tokens than are cached. Another's
// token isn't verified a second time.
func TestVerifiedTokensAreShared(t *testing.T) {
	private, err := generateKey()
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKeys(private)
	if err != nil {
		t.Fatal(err)
	}
	testFlood(t, "session tokens", k.tokenCodec, func(did, id string) claims { return claims{Subject: did, Session: id} })
	testFlood(t, "access tokens", k.access, func(did, id string) accessClaims { return accessClaims{Subject: did, Grant: id} })
}

// testFlood caches many claims of one user after a token of another.
func testFlood[C tokenClaims](t *testing.T, kind string, codec *tokenCodec[C], claim func(did, id string) C) {
	t.Helper()
	token, err := codec.sign(claim("did:plc:ada", "one"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := codec.verify(token); err != nil {
		t.Fatal(err)
	}
	var hash [sha256.Size]byte
	for i := range uint64(2 * maxVerified) {
		binary.BigEndian.PutUint64(hash[:], i)
		codec.verified.Set(hash, claim("did:plc:eve", "many"))
	}
	if n := codec.verified.EstimatedSize(); n != 1+maxUserVerified {
		t.Errorf("%s: %d are cached, want one and one user's share", kind, n)
	}
	if _, ok := codec.verified.GetIfPresent(sha256.Sum256([]byte(token))); !ok {
		t.Errorf("%s: another user's claims are gone", kind)
	}
}
