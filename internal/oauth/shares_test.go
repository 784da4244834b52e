package oauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Attack: one network registers clients and starts requests until the sweep deletes
// those of others as well. It displaces only its own, with any address of its /48
// network, while the client and the request of somebody else survive. No address is
// stored.
func TestUnusedClientsAreShared(t *testing.T) {
	w := newWorld(t, nil)
	register := func(from string) string {
		r := request("POST", platform+"/auth/oauth/register", "application/json", `{"redirect_uris":["https://a.example/cb"]}`)
		r.RemoteAddr = from
		return w.do(r).str("client_id")
	}
	begin := func(from, client string) string {
		r := request("GET", platform+"/auth/oauth/authorize?"+query(client, "https://a.example/cb", "bob").Encode(), "", "")
		r.RemoteAddr = from
		to, err := url.Parse(w.do(r).header.Get("Location"))
		if err != nil || to.Query().Get("request") == "" {
			t.Fatalf("no request begun: %s", to)
		}
		return to.Query().Get("request")
	}
	ada := register("203.0.113.1:1000")
	pending := begin("203.0.113.1:1000", ada)
	bob := register("[2001:db8:b0b::1]:1000")
	w.Clock.Add(time.Second)
	flooders := []string{"198.51.100.7:1", "[2001:db8:e:1::1]:1", "[2001:db8:e:ffff::2]:1"}
	var flood []string
	for i := range 30 {
		flood = append(flood, register(flooders[i%3]))
		begin(flooders[i%3], flood[i])
		w.Clock.Add(time.Second)
	}
	if err := w.Store.SweepOAuth(t.Context(), w.Clock.Now().Add(-time.Hour), 8); err != nil {
		t.Fatal(err)
	}
	for name, client := range map[string]string{"ada": ada, "bob": bob} {
		if _, err := w.Store.Client(t.Context(), client); err != nil {
			t.Errorf("the flood displaced %s's client: %v", name, err)
		}
	}
	if _, err := w.Store.Request(t.Context(), pending); err != nil {
		t.Errorf("the flood displaced ada's request: %v", err)
	}
	left := map[bool]int{} // by: from the IPv6 network
	for i, client := range flood {
		if _, err := w.Store.Client(t.Context(), client); err == nil {
			left[i%3 > 0]++
		}
	}
	if left[true] != 3 || left[false] != 3 {
		t.Errorf("%d clients of the IPv6 network and %d of the IPv4 address are left, want 3 each", left[true], left[false])
	}
}

// Documents count against the domain that serves them.
func TestUnusedDocumentsAreShared(t *testing.T) {
	w := newWorld(t, &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		document(r.URL.String(), `"redirect_uris":["https://a.example/cb"],"client_name":"Doc"`)(rec, r)
		return rec.Result(), nil
	})})
	fetch := func(host string) string {
		id := "https://" + host + "/client.json"
		r := request("GET", platform+"/auth/oauth/authorize?"+query(id, "https://a.example/cb", "bob").Encode(), "", "")
		if a := w.do(r); !strings.Contains(a.header.Get("Location"), "request=") {
			t.Fatalf("%s: %d %s", id, a.status, a.text)
		}
		return id
	}
	honest := fetch("honest.example")
	for i := range 20 {
		w.Clock.Add(time.Second)
		fetch(fmt.Sprintf("n%d.flood.example", i))
	}
	if err := w.Store.SweepOAuth(t.Context(), w.Clock.Now().Add(-time.Hour), 5); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Store.Client(t.Context(), honest); err != nil {
		t.Errorf("a domain with many hosts displaced another's client: %v", err)
	}
}
