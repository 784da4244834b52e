package oauth_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A copy of the database reveals no token, code or client secret.
func TestNoSecretAtRest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.register(`{"client_name":"Confidential","redirect_uris":["` + redirect + `"],"token_endpoint_auth_method":"client_secret_post"}`)
	client, secret := a.str("client_id"), a.str("client_secret")
	b := w.browser("bob")
	to, err := b.authorize(query(client, redirect, "bob"))
	if err != nil {
		t.Fatal(err)
	}
	request := secretOf(to)
	code := w.code(client, "bob", "bob", true)
	form := codeForm(client, w.code(client, "bob", "bob", true))
	form.Set("client_secret", secret)
	tokens := w.token(form)
	secrets := map[string]string{
		"client's secret": secret, "request": request, "browser's cookie": b.cookie.Value, "code": code,
		"access token": tokens.str("access_token"), "refresh token": tokens.str("refresh_token"),
	}
	files, _ := filepath.Glob(filepath.Join(w.Dir, "robot.db*"))
	if len(files) < 2 { // the database and its write-ahead log
		t.Fatalf("the write-ahead log is missing: %v", files)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for name, secret := range secrets {
			if len(secret) < 20 {
				t.Errorf("the %s is too short: %q", name, secret)
			}
			if bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s holds the %s in plain text", filepath.Base(file), name)
			}
		}
	}
}
