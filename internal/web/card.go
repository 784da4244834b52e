package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image/color"
	"net/http"
	"strconv"
	"strings"

	"robot.wtf/internal/budget"
	"robot.wtf/internal/card"
	"robot.wtf/internal/wiki"
)

// Bounds of link cards. Drawing one takes about 20 ms of processor time.
const (
	cardBytes  = 16 << 20 // of all cards that are kept; a wiki's share is a quarter
	cardsDrawn = 2        // at a time, each for another wiki
)

// linkCards keeps the pictures that others show for links to pages of public wikis, and
// bounds the drawing of new ones.
type linkCards struct {
	cache *budget.Cache[cardKey, []byte]
	slots *budget.Slots
}

// A cardKey identifies a card by a hash of everything that is drawn on it.
type cardKey struct {
	slug string
	hash [32]byte
}

func newLinkCards() linkCards {
	return linkCards{
		cache: budget.NewCache(cardBytes, cardBytes/4,
			func(k cardKey, _ []byte) string { return k.slug },
			func(_ cardKey, picture []byte) int64 { return int64(len(picture) + 200) }),
		slots: budget.NewSlots(cardsDrawn, 1),
	}
}

// draw returns the card of a wiki's page, and its tag.
func (l linkCards) draw(ctx context.Context, slug string, c card.Card) (picture []byte, tag string, err error) {
	key := cardKey{slug, sha256.Sum256(fmt.Appendf(nil, "%q", c))}
	tag = `"` + hex.EncodeToString(key.hash[:8]) + `"`
	if picture, ok := l.cache.GetIfPresent(key); ok {
		return picture, tag, nil
	}
	release, err := l.slots.Acquire(ctx, slug)
	if err != nil {
		return nil, "", err
	}
	defer release()
	if picture, ok := l.cache.GetIfPresent(key); ok { // drawn meanwhile
		return picture, tag, nil
	}
	if picture, err = card.Draw(c); err == nil {
		l.cache.Set(key, picture)
	}
	return picture, tag, err
}

// cardURL is the address of a page's card. It changes when other services should fetch
// the card again.
func (h *Handler) cardURL(ctx context.Context, site wiki.Site, name wiki.PageName, title string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{title, site.Name(), site.Accent, site.Icon}, "\x00")))
	return h.o.Session.Home(ctx, site.Slug) + "/-/card" + name.URL() + ".png?v=" + hex.EncodeToString(sum[:4])
}

// showCard serves the card of a page of a public wiki. Whether the page can be shown is
// checked each time, so caches must ask.
func (h *Handler) showCard(v *visit) error {
	c, err := h.describeCard(v, strings.TrimSuffix(v.param("page"), ".png"))
	if err != nil {
		return err
	}
	picture, tag, err := h.cards.draw(v.ctx(), v.slug, c)
	if err != nil {
		return err
	}
	v.w.Header().Set("Etag", tag)
	if sameTag(v.r, tag) {
		v.w.Header()["Cache-Control"] = publicCache
		v.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	writePicture(v, "image/png", publicCache[0], picture)
	return nil
}

// describeCard collects the texts and pictures of a page's card.
func (h *Handler) describeCard(v *visit, name string) (card.Card, error) {
	title, err := h.o.Pages.CardTitle(v.ctx(), v.a, name)
	if moved := new(wiki.Redirect); errors.As(err, &moved) {
		err = wiki.ErrNotFound // cards have no former addresses
	}
	if err != nil {
		return card.Card{}, err
	}
	site := v.a.Site()
	_, host, _ := strings.Cut(h.o.Session.Home(v.ctx(), site.Slug), "://")
	owner := h.o.Tenant.Author(v.ctx(), wiki.Author{DID: site.OwnerDID, Username: site.OwnerName})
	c := card.Card{Title: title, Wiki: site.Name(), Slug: site.Slug, Host: host, Owner: owner.Display(), Accent: accentColor(site.Accent)}
	if owner.Picture != "" {
		if avatar, err := h.o.Tenant.Avatar(v.ctx(), owner.Picture); err == nil {
			c.Avatar = avatar.Data
		}
	}
	if site.Icon != "" {
		if icon, err := h.o.Tenant.Icon(v.ctx(), v.a); err == nil {
			c.Icon = icon.Data
		}
	}
	return c, nil
}

// accentColor returns the color of a wiki's links on light pages.
func accentColor(accent string) color.Color {
	if accent == "" {
		accent = wiki.DefaultAccent
	}
	n, _ := strconv.ParseUint(wiki.AccentShades(accent, false).Accent[1:], 16, 24)
	return color.RGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 0xff}
}
