package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"robot.wtf/internal/pages"
)

const hitsShown = 20

// searchPage shows what was found.
type searchPage struct {
	Frame
	pages.Results
	Match pages.Mode // what was asked to be compared
	More  string     // address of the next hits
}

func (h *Handler) showSearch(v *visit) error {
	text := v.query("q")
	if text == "" {
		text = v.query("query") // An Otter Wiki's
	}
	offset, _ := strconv.Atoi(v.query("offset"))
	offset = min(max(offset, 0), 10_000)
	mode, err := pages.ParseMode(v.query("mode"))
	if err != nil {
		return err
	}
	p := &searchPage{Frame: h.frame(v, "Search"), Match: mode}
	p.Query, p.NoIndex = text, true
	if text != "" {
		if p.Results, err = h.o.Pages.Search(v.ctx(), v.a, pages.Query{Text: text, Limit: hitsShown, Offset: offset, Mode: mode}); err != nil {
			return err
		}
		p.Title = text + " - search"
		if next := offset + hitsShown; next < p.Total {
			more := url.Values{"q": {text}, "offset": {strconv.Itoa(next)}}
			if mode != pages.Hybrid {
				more.Set("mode", string(mode))
			}
			p.More = "/-/search?" + more.Encode()
		}
	}
	return h.render(v, http.StatusOK, "search", p)
}

// redirectSearch makes one shareable address of An Otter Wiki's forms.
func (h *Handler) redirectSearch(v *visit) error {
	text := v.param("query")
	if v.r.Method == http.MethodPost {
		v.r.Body = http.MaxBytesReader(v.w, v.r.Body, 64<<10)
		if err := parseForm(v.r); err != nil {
			return err
		}
		if text = v.r.PostForm.Get("query"); text == "" {
			text = v.r.PostForm.Get("q")
		}
	}
	return h.redirect(v, "/-/search?q="+url.QueryEscape(text))
}

// suggestion is a page name that may be meant.
type suggestion struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// suggest lists page names as they are typed: /-/suggest?q=wea gives
// {"pages":[{"name","title","url"}]}, at most 10.
func (h *Handler) suggest(v *visit) error {
	names, err := h.o.Pages.Complete(v.ctx(), v.a, v.query("q"), 10)
	if err != nil {
		return err
	}
	list := make([]suggestion, 0, len(names))
	for _, n := range names {
		list = append(list, suggestion{string(n), n.Title(), n.URL()})
	}
	body, err := json.Marshal(map[string]any{"pages": list})
	if err != nil {
		return err
	}
	h.write(v, http.StatusOK, "application/json", body)
	return nil
}
