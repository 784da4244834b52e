package oauth

import (
	"net/url"
	"strings"
	"testing"
)

// Attack: client ids whose documents would be fetched from this service, whose pages
// users write, from an address instead of a name, or from a name that only looks like
// another.
func TestClientIDsThatAreDocuments(t *testing.T) {
	s := &Service{name: "robot.test", isDomain: noDomain}
	for id, want := range map[string]bool{
		"https://client.example/client.json":                 true,
		"https://client.example/a/b":                         true,
		"http://client.example/client.json":                  false,
		"https://client.example":                             false,
		"https://client.example/":                            false,
		"https://client.example:8443/client.json":            false,
		"https://u@client.example/client.json":               false,
		"https://client.example/client.json?a":               false,
		"https://client.example/client.json?":                false,
		"https://client.example/client.json#a":               false,
		"https://client.example/a/../client.json":            false,
		"https://client.example/a/%2e%2e/b":                  false,
		"https:///client.json":                               false,
		"https://Client.example/client.json":                 false,
		"https://client.example./client.json":                false,
		"https://localhost/client.json":                      false,
		"https://192.0.2.1/client.json":                      false,
		"https://robot.test/client.json":                     false,
		"https://ada.robot.test/-/attachment/a":              false,
		"https://notrobot.test/client.json":                  true,
		"https://client.example/" + strings.Repeat("a", 500): false,
	} {
		if got := s.isDocument(id); got != want {
			t.Errorf("%.60s: %v, want %v", id, got, want)
		}
	}
}

// A state that is sent back in a URL is bounded. A longer one is dropped, so that the
// redirect with the error is short.
func TestLongState(t *testing.T) {
	s := &Service{isDomain: noDomain}
	q := &request{State: strings.Repeat("s", maxState+1), HasState: true}
	err := s.readRequest(q, url.Values{})
	if err == nil || err.Code != "invalid_request" || !strings.Contains(err.Error(), "state") || q.State != "" || q.HasState {
		t.Errorf("%v, state of %d bytes", err, len(q.State))
	}
}

func noDomain(string) bool { return false }
