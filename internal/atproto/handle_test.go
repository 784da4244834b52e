package atproto

import (
	"strings"
	"testing"
)

// typedForms are 62 forms in which people enter their account, with the account, or a
// part of the answer that says what to enter instead.
var typedForms = []struct{ typed, want, says string }{
	{"ada.example.org", "ada.example.org", ""},
	{"@ada.example.org", "ada.example.org", ""},
	{"Ada.Example.ORG", "ada.example.org", ""},
	{" ada.example.org ", "ada.example.org", ""},
	{"ada.example.org.", "ada.example.org", ""},
	{"ada.example.org/", "ada.example.org", ""},
	{"ada", "ada.bsky.social", ""},
	{"@Ada", "ada.bsky.social", ""},
	{"@ ada.example.org", "ada.example.org", ""},
	{"@@ada.example.org", "ada.example.org", ""},
	{"＠ada.example.org", "ada.example.org", ""},
	{"﹫ada.example.org", "ada.example.org", ""},
	{"ａｄａ．ｅｘａｍｐｌｅ．ｏｒｇ", "ada.example.org", ""},
	{"ada。example。org", "ada.example.org", ""},
	{"ada. example. org", "ada.example.org", ""},
	{"\u202aada.example.org\u202c", "ada.example.org", ""},
	{"ada.example.org\u200b", "ada.example.org", ""},
	{"\u00a0@ada.example.org\u00a0", "ada.example.org", ""},
	{"%40ada.example.org", "ada.example.org", ""},
	{`"ada.example.org"`, "ada.example.org", ""},
	{"“@ada.example.org”", "ada.example.org", ""},
	{"'ada.example.org'", "ada.example.org", ""},
	{"`ada.example.org`", "ada.example.org", ""},
	{"«ada.example.org»", "ada.example.org", ""},
	{"(ada.example.org)", "ada.example.org", ""},
	{"[@ada.example.org]", "ada.example.org", ""},
	{"<https://bsky.app/profile/ada.example.org>", "ada.example.org", ""},
	{"[Ada](https://bsky.app/profile/ada.example.org)", "ada.example.org", ""},
	{"ada.example.org,", "ada.example.org", ""},
	{"Ada Lovelace (@ada.example.org)", "ada.example.org", ""},
	{"Bluesky: @ada.example.org", "ada.example.org", ""},
	{adaDID, adaDID, ""},
	{"DID:PLC:" + strings.ToUpper(adaDID[8:]), adaDID, ""},
	{"@" + adaDID, adaDID, ""},
	{adaDID + "#atproto", adaDID, ""},
	{"did:web:example.org", "did:web:example.org", ""},
	{"at://ada.example.org", "ada.example.org", ""},
	{"AT://" + adaDID + "/app.bsky.feed.post/3k", adaDID, ""},
	{"at://@ada.example.org", "ada.example.org", ""},
	{"acct:ada.example.org", "ada.example.org", ""},
	{"acct:@ada.example.org", "ada.example.org", ""},
	{"@ada.example.org@bsky.brid.gy", "ada.example.org", ""},
	{"https://ada.example.org", "ada.example.org", ""},
	{"HTTPS://Ada.Example.org/", "ada.example.org", ""},
	{"https://bsky.app/profile/ada.example.org", "ada.example.org", ""},
	{"bsky.app/profile/ada.example.org?ref=x", "ada.example.org", ""},
	{"https://bsky.app/profile/" + adaDID + "/post/3k", adaDID, ""},
	{"https://deer.social/profile/ada.example.org/followers", "ada.example.org", ""},
	{"https://tangled.org/@ada.example.org", "ada.example.org", ""},
	{"tangled.sh/ada.example.org/repo", "ada.example.org", ""},
	{"https://whtwnd.com/ada.example.org/3k", "ada.example.org", ""},
	{"https://pdsls.dev/at://ada.example.org", "ada.example.org", ""},
	{"https://plc.directory/" + adaDID, adaDID, ""},
	{"über.example.org", "xn--ber-goa.example.org", ""},
	{"", "", "Enter your handle"},
	{"@", "", "is not a handle"},
	{"ada@example.org", "", "looks like an email address"},
	{"@ada@mastodon.social", "", "looks like a fediverse address"},
	{"https://mastodon.social/@ada", "", "isn't the address of a profile"},
	{"Ada Lovelace", "", "is not a handle"},
	{"ada_l.bsky.social", "", "is not a handle"},
	{"did:key:z6MkhaXg", "", "Supported DIDs begin with"},
}

func TestTypedForms(t *testing.T) {
	if len(typedForms) != 62 {
		t.Errorf("%d forms", len(typedForms))
	}
	for _, form := range typedForms {
		got, err := ParseIdentifier(form.typed)
		if got != form.want || (err == nil) != (form.want != "") {
			t.Errorf("%q: %q, %v; want %q", form.typed, got, err, form.want)
		} else if err != nil && !strings.Contains(problemText(t, err), form.says) {
			t.Errorf("%q: %v, want %q", form.typed, err, form.says)
		}
	}
}
