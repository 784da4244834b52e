package web

import (
	"net/http"
	"net/url"
	"testing"
)

// The language of a wiki is that of its pages, unless one says another.
func TestLanguageSetting(t *testing.T) {
	t.Parallel()
	w := newTestWiki(t)
	w.put("ada", "Plain", "Words.\n")
	w.put("ada", "French", "---\nlang: FR\n---\nDes mots.\n")
	w.put("ada", "Hebrew", "---\nlang: he\n---\nWords in a page of Hebrew.\n")
	ada, reader := w.as("ada"), w.anonymous()
	reader.get(on("ada", "/Plain")).has(`<article class="prose">`)
	set := func(lang string) *answer {
		return ada.post(on("ada", "/-/settings"), url.Values{"title": {""}, "description": {""}, "visibility": {"public"}, "home": {""}, "lang": {lang}})
	}
	set("pt-BR").want(http.StatusSeeOther)
	ada.get(on("ada", "/-/settings")).has(`name="lang" value="pt-br"`)
	reader.get(on("ada", "/Plain")).has(`<article class="prose" lang="pt-br">`)
	reader.get(on("ada", "/French")).has(`<article class="prose" lang="fr">`)
	reader.get(on("ada", "/Hebrew")).has(`<article class="prose" lang="he" dir="rtl">`)
	set(`"><i>`).want(http.StatusUnprocessableEntity).has("isn&#39;t the code of a language").lacks("<i>")
	// A form without the field, as of an older page, keeps the language.
	ada.post(on("ada", "/-/settings"), url.Values{"title": {""}, "description": {""}, "visibility": {"public"}, "home": {""}}).want(http.StatusSeeOther)
	reader.get(on("ada", "/Plain")).has(`lang="pt-br"`)
	set("").want(http.StatusSeeOther)
	reader.get(on("ada", "/Plain")).has(`<article class="prose">`)
}
