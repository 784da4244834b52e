package passkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"robot.wtf/internal/passkey"
	"robot.wtf/internal/testworld"
	"robot.wtf/internal/wiki"
)

const origin = "http://localhost:8080"

// An authenticator makes one passkey and signs with it, as a security key does.
type authenticator struct {
	t      *testing.T
	id     []byte
	key    *ecdsa.PrivateKey
	handle string // from the service, in base64url
	// What the browser and the device say; tests forge them.
	origin, host string
	flags        byte
	counter      uint32
}

const verified = 1 | 4 // user present and verified

func newAuthenticator(t *testing.T) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &authenticator{t: t, id: []byte(rand.Text()), key: key, origin: origin, host: "localhost", flags: verified}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// options are those parts of the service's options that an authenticator needs.
type options struct {
	Challenge string
	User      struct{ ID string }
}

func (a *authenticator) read(from any) (o options) {
	a.t.Helper()
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, &o)
	}
	if err != nil || len(o.Challenge) < 22 {
		a.t.Fatalf("options %s: %v", data, err)
	}
	return o
}

func (a *authenticator) clientData(kind, challenge string) []byte {
	data, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
	if err != nil {
		a.t.Fatal(err)
	}
	return data
}

// data is authenticator data (Web Authentication, 6.1).
func (a *authenticator) data(flags byte) []byte {
	hash := sha256.Sum256([]byte(a.host))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), a.counter)
}

func (a *authenticator) response(fields map[string]any) string {
	data, err := json.Marshal(map[string]any{"id": encode(a.id), "rawId": encode(a.id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": fields})
	if err != nil {
		a.t.Fatal(err)
	}
	return string(data)
}

// create answers to the options of BeginAdd, without attestation.
func (a *authenticator) create(from any) string {
	o := a.read(from)
	a.handle = o.User.ID
	point, err := a.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		a.t.Fatal(err)
	}
	data := append(a.data(a.flags|0x40), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(a.id))), a.id...)
	data = append(data, 0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32) // COSE: EC2, ES256, P-256
	data = append(append(append(data, point[1:33]...), 0x22, 0x58, 32), point[33:]...)
	object := append([]byte("\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58"), byte(len(data)))
	return a.response(map[string]any{"clientDataJSON": encode(a.clientData("webauthn.create", o.Challenge)), "attestationObject": encode(append(object, data...))})
}

// get answers to the options of BeginSignIn.
func (a *authenticator) get(from any) string {
	client, data := a.clientData("webauthn.get", a.read(from).Challenge), a.data(a.flags)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		a.t.Fatal(err)
	}
	return a.response(map[string]any{"clientDataJSON": encode(client), "authenticatorData": encode(data), "signature": encode(signature), "userHandle": a.handle})
}

// A world is a service with passkeys.
type world struct {
	*testworld.World
	passkeys *passkey.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: testworld.New(t, testworld.Options{Platform: origin, Single: "ada"})}
	w.passkeys = w.at(origin)
	return w
}

func (w *world) at(origin string) *passkey.Service {
	w.T.Helper()
	s, err := passkey.New(passkey.Options{Store: w.Store, Origin: origin, Name: "Test", Now: w.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.T.Fatal(err)
	}
	return s
}

func browser(name string) wiki.Caller {
	return wiki.Caller{User: testworld.Person(name), Session: "s"}
}

// add adds a passkey of a person's.
func (w *world) add(t *testing.T, name string) *authenticator {
	t.Helper()
	a := newAuthenticator(t)
	if err := w.tryAdd(name, a); err != nil {
		t.Fatal(err)
	}
	return a
}

func (w *world) tryAdd(name string, a *authenticator) error {
	options, token, err := w.passkeys.BeginAdd(a.t.Context(), browser(name))
	if err != nil {
		return err
	}
	return w.passkeys.Add(a.t.Context(), browser(name), token, a.create(options), "Firefox")
}

func (w *world) signIn(a *authenticator) (wiki.User, error) {
	options, token, err := w.passkeys.BeginSignIn()
	if err != nil {
		return wiki.User{}, err
	}
	return w.passkeys.SignIn(a.t.Context(), token, a.get(options))
}

func TestPasskeySignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if offered, err := w.passkeys.Offered(t.Context()); err != nil || offered {
		t.Errorf("offered without passkeys: %t, %v", offered, err)
	}
	ada, bob := w.add(t, "ada"), w.add(t, "bob")
	for a, name := range map[*authenticator]string{ada: "ada", bob: "bob"} {
		who, err := w.signIn(a)
		if err != nil || who.DID != testworld.Person(name).DID {
			t.Errorf("%s: signed in %q, %v", name, who.DID, err)
		}
	}
	list, err := w.passkeys.List(t.Context(), browser("ada"))
	if err != nil || len(list) != 1 || list[0].Name != "Firefox" || list[0].Host != "localhost" || list[0].Used.IsZero() {
		t.Fatalf("passkeys of ada: %+v, %v", list, err)
	}
	if err := w.passkeys.Remove(t.Context(), browser("bob"), list[0].ID); !errors.Is(err, wiki.ErrNotFound) {
		t.Errorf("bob removed ada's passkey: %v", err)
	}
	if err := w.passkeys.Remove(t.Context(), browser("ada"), list[0].ID); err != nil {
		t.Error(err)
	}
	if who, err := w.signIn(ada); err == nil {
		t.Errorf("a removed passkey signed %s in", who.DID)
	}
}

// An attacker has other answers than the one to a challenge of theirs: recorded ones,
// those for another site, those of another device, those without the person.
func TestForgedPasskeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada, bob := w.add(t, "ada"), w.add(t, "bob")
	refused := func(what string, change func(a *authenticator)) {
		t.Helper()
		forged := *ada
		change(&forged)
		if who, err := w.signIn(&forged); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("%s: signed in %q, %v", what, who.DID, err)
		}
	}
	refused("another site", func(a *authenticator) { a.origin = "https://evil.example" })
	refused("another port", func(a *authenticator) { a.origin = "http://localhost:8081" })
	refused("another host's passkey", func(a *authenticator) { a.host = "evil.example" })
	refused("no person", func(a *authenticator) { a.flags = 1 })
	refused("another key", func(a *authenticator) { a.key = bob.key })
	refused("another id", func(a *authenticator) { a.id = []byte(rand.Text()) })
	refused("another person's handle", func(a *authenticator) { a.handle = bob.handle })
	refused("no handle", func(a *authenticator) { a.handle = "" })

	ada.counter = 5
	if _, err := w.signIn(ada); err != nil {
		t.Error(err)
	}
	refused("a copy with an older counter", func(a *authenticator) { a.counter = 4 })

	for what, change := range map[string]func(a *authenticator){
		"another site": func(a *authenticator) { a.origin = "https://evil.example" },
		"another host": func(a *authenticator) { a.host = "evil.example" },
		"no person":    func(a *authenticator) { a.flags = 1 },
	} {
		a := newAuthenticator(t)
		change(a)
		if err := w.tryAdd("ada", a); !errors.Is(err, wiki.ErrInvalid) {
			t.Errorf("added a passkey (%s): %v", what, err)
		}
	}
	taken := newAuthenticator(t)
	taken.id = bob.id
	if err := w.tryAdd("ada", taken); !errors.Is(err, wiki.ErrExists) {
		t.Errorf("added a passkey with the id of another's: %v", err)
	}
}

// A ceremony succeeds once, in time, for the person who began it and at the service that
// began it.
func TestCeremonies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	ada := w.add(t, "ada")

	options, token, err := w.passkeys.BeginSignIn()
	if err != nil {
		t.Fatal(err)
	}
	answer := ada.get(options)
	for i, wantErr := range []error{nil, wiki.ErrGone} {
		if _, err := w.passkeys.SignIn(ctx, token, answer); !errors.Is(err, wantErr) {
			t.Errorf("use %d: %v", i+1, err)
		}
	}
	options, token, err = w.passkeys.BeginSignIn()
	if err != nil {
		t.Fatal(err)
	}
	answer = ada.get(options)
	if _, err := w.at(origin).SignIn(ctx, token, answer); !errors.Is(err, wiki.ErrGone) {
		t.Errorf("another process's token: %v", err)
	}
	if _, err := w.passkeys.SignIn(ctx, token+"AA", answer); !errors.Is(err, wiki.ErrGone) {
		t.Errorf("a changed token: %v", err)
	}
	if err := w.passkeys.Add(ctx, browser("ada"), token, answer, ""); !errors.Is(err, wiki.ErrGone) {
		t.Errorf("a token for another purpose: %v", err)
	}
	w.Clock.Add(passkey.Lifetime)
	if _, err := w.passkeys.SignIn(ctx, token, answer); !errors.Is(err, wiki.ErrGone) {
		t.Errorf("late: %v", err)
	}
	options, token, err = w.passkeys.BeginAdd(ctx, browser("bob"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.passkeys.Add(ctx, browser("ada"), token, newAuthenticator(t).create(options), ""); !errors.Is(err, wiki.ErrGone) {
		t.Errorf("a ceremony of bob's: %v", err)
	}
	for _, caller := range []wiki.Caller{{}, {User: testworld.Person("ada"), Grant: "token"}} {
		if _, _, err := w.passkeys.BeginAdd(ctx, caller); !errors.Is(err, wiki.ErrDenied) {
			t.Errorf("%+v began to add a passkey: %v", caller, err)
		}
	}
}

// A passkey works only at the host where it was added.
func TestPasskeyOfAnotherHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ada := w.add(t, "ada")
	w.passkeys = w.at("https://wiki.example.org")
	ada.origin, ada.host = "https://wiki.example.org", "wiki.example.org"
	if who, err := w.signIn(ada); !errors.Is(err, wiki.ErrDenied) {
		t.Errorf("signed in %q, %v", who.DID, err)
	}
	if offered, err := w.passkeys.Offered(t.Context()); err != nil || offered {
		t.Errorf("offered: %t, %v", offered, err)
	}
}

func TestPasskeysOfAPersonAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 20 {
		w.add(t, "ada")
	}
	if err := w.tryAdd("ada", newAuthenticator(t)); !errors.Is(err, wiki.ErrQuota) {
		t.Errorf("the 21st: %v", err)
	}
	if list, err := w.passkeys.List(t.Context(), browser("ada")); err != nil || len(list) != 20 {
		t.Errorf("%d passkeys, %v", len(list), err)
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	for origin, want := range map[string]bool{
		"http://localhost:8080": true, "http://wiki.localhost": true, "https://wiki.example.org": true, "https://nas.tail1234.ts.net:8443": true,
		"http://nas.local:8080": false, "http://127.0.0.1:8080": false, "http://192.168.1.5": false, "https://192.168.1.5": false, "": false,
	} {
		if passkey.Allowed(origin) != want {
			t.Errorf("Allowed(%q) = %t", origin, !want)
		}
	}
}
