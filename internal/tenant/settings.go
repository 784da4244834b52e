package tenant

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"robot.wtf/internal/wiki"
)

// Settings of a site that its owner may change.
type Settings struct {
	Title       string // up to 80 characters
	Description string // up to 300
	Public      bool
	Home        string // page name, or a path of the wiki that begins with /-/
	AsHandle    bool   // its host answers as the owner's ATProto handle, private or not
}

// SettingsOf are the settings that a site has.
func SettingsOf(site wiki.Site) Settings {
	return Settings{Title: site.Title, Description: site.Description, Public: site.Public, Home: site.Home, AsHandle: site.AsHandle}
}

// Configure changes the settings; a Problem names the field that is wrong.
func (s *Service) Configure(ctx context.Context, a wiki.Access, set Settings) error {
	if err := a.Allow(wiki.Configure); err != nil {
		return err
	}
	site := a.Site()
	var err error
	if site.Title, err = oneLine("title", "A title", set.Title, 80); err != nil {
		return err
	}
	if site.Description, err = oneLine("description", "A description", set.Description, 300); err != nil {
		return err
	}
	if site.Home, err = homePage(set.Home); err != nil {
		return err
	}
	site.Public, site.AsHandle = set.Public, set.AsHandle
	if err := s.store.UpdateSite(ctx, actor(a), site); err != nil {
		return fmt.Errorf("tenant: configure: %w", err)
	}
	return nil
}

// HandleDID is the DID that a wiki's host answers for as a handle
// (atproto.com/specs/handle); ErrNotFound where the owner has not switched that
// on, or there is no such wiki.
func (s *Service) HandleDID(ctx context.Context, slug string) (string, error) {
	row, err := s.store.Site(ctx, slug)
	switch {
	case err != nil:
		return "", fmt.Errorf("tenant: handle: %w", err)
	case !row.AsHandle || !row.PurgeAt.IsZero() || !row.Suspended.IsZero():
		return "", wiki.ErrNotFound
	}
	return row.OwnerDID, nil
}

// actor is who the audit log names.
func actor(a wiki.Access) string {
	if a.Caller().Operator {
		return "operator"
	}
	return a.Caller().User.DID
}

// oneLine tidies a text that stands in one line, and refuses what cannot.
func oneLine(field, what, text string, max int) (string, error) {
	if !utf8.ValidString(text) {
		return "", wiki.Problemf(wiki.ErrInvalid, field, "%s must be valid UTF-8.", what)
	}
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > max {
		return "", wiki.Problemf(wiki.ErrInvalid, field, "%s may have up to %d characters; this one has %d.", what, max, utf8.RuneCountInString(text))
	}
	for _, r := range text {
		if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Bidi_Control, r) {
			return "", wiki.Problemf(wiki.ErrInvalid, field, "%s cannot hold control characters.", what)
		}
	}
	return text, nil
}

// homePage reads what / shall show: a page, which need not exist yet, or one of
// the wiki's own lists.
func homePage(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", nil
	}
	if !strings.HasPrefix(text, "/") {
		name, err := wiki.ParsePageName(text)
		if err != nil {
			return "", wiki.Problemf(wiki.ErrInvalid, "home", "%s", err)
		}
		return string(name), nil
	}
	rest, ok := strings.CutPrefix(text, "/-/")
	if !ok || rest == "" || len(text) > wiki.MaxNameBytes || strings.Contains(rest, "..") || strings.ContainsFunc(rest, odd) {
		return "", wiki.Problemf(wiki.ErrInvalid, "home", "The home page is the name of a page, or one of the wiki's lists such as /-/index or /-/changelog.")
	}
	return text, nil
}

// odd are characters that none of the wiki's own addresses has.
func odd(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r))
}
