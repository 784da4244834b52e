package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// accentFile is the name of an accent color's stylesheet: the color, and a hash of the
// style.
func accentFile(accent string) string {
	sum := sha256.Sum256(pages.AccentStyle(accent))
	return strings.TrimPrefix(accent, "#") + "." + hex.EncodeToString(sum[:6]) + ".css"
}

// AccentURL is the address of the stylesheet with the wiki's own accent color, or "".
func (f *Frame) AccentURL() string {
	if f.Site.Accent == "" {
		return ""
	}
	return "/-/accent/" + accentFile(f.Site.Accent)
}

// IconURL is the address of the wiki's own icon, or "".
func (f *Frame) IconURL() string {
	if f.Site.Icon == "" {
		return ""
	}
	return "/-/icon/" + f.Site.Icon
}

// serveAccent serves the stylesheet of any color, so it needs to know no wiki, and says
// nothing about one.
func (h *Handler) serveAccent(v *visit) error {
	digits, _, _ := strings.Cut(v.param("file"), ".")
	accent, err := wiki.ParseAccent("#" + digits)
	if err != nil || accent == "" || accentFile(accent) != v.param("file") {
		return fmt.Errorf("web: accent %q: %w", v.param("file"), wiki.ErrNotFound)
	}
	style := pages.AccentStyle(accent)
	return h.writeAsset(v, &asset{mime: "text/css; charset=utf-8", plain: style, gz: func() []byte { return style }}, "public, max-age=31536000, immutable")
}

// serveIcon serves the wiki's own icon to its readers. Its id is a hash of its content.
func (h *Handler) serveIcon(v *visit) error {
	icon, err := h.o.Tenant.Icon(v.ctx(), v.a)
	if err != nil {
		return err
	}
	if icon.ID != v.param("id") {
		return fmt.Errorf("web: icon %q: %w", v.param("id"), wiki.ErrNotFound)
	}
	writePicture(v, icon.MIME, "private, max-age=31536000, immutable", icon.Data)
	return nil
}

// maxIconFile is the size of an image that becomes an icon, in bytes.
const maxIconFile = 10 << 20

// saveIcon makes an uploaded image the wiki's icon, or removes the icon.
func (h *Handler) saveIcon(v *visit) error {
	err := h.changeIcon(v)
	if err == nil {
		return h.redirect(v, h.tell(v, "/-/settings", "saved")+"#icon")
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	wrong.Field = "icon" // where the page shows it
	return h.renderSettings(v, wrong.Status, &settingsPage{failure: wrong, Settings: currentSettings(v)})
}

func (h *Handler) changeIcon(v *visit) error {
	files, form, err := h.readFiles(v)
	if err != nil {
		return err
	}
	if form.Get("action") == "remove" {
		return h.o.Tenant.DropIcon(v.ctx(), v.a)
	}
	if len(files) != 1 {
		return wiki.Problemf(wiki.ErrInvalid, "icon", "Choose an image first.")
	}
	if files[0].Size > maxIconFile {
		return wiki.Problemf(wiki.ErrTooLarge, "icon", "This image is too large. An icon can have at most %d MB before it is made smaller.", maxIconFile>>20)
	}
	file, err := files[0].Open()
	if err != nil {
		return fmt.Errorf("web: read icon: %w", err)
	}
	defer file.Close()
	picture, err := h.o.Pages.MakeIcon(v.ctx(), v.a, func(context.Context) ([]byte, error) { return io.ReadAll(file) })
	if err != nil {
		return err
	}
	return h.o.Tenant.SetIcon(v.ctx(), v.a, picture.MIME, picture.Data)
}

// accentChoices are the colors that the settings offer besides any other.
var accentChoices = []accentChoice{
	{"Blue", wiki.DefaultAccent}, {"Violet", "#6a2a9c"}, {"Teal", "#0b5a66"}, {"Umber", "#7a3d12"}, {"Graphite", "#3b3f4a"},
}

// An accentChoice is a color with its name.
type accentChoice struct{ Name, Color string }

// AccentChoices lists the colors that the settings offer.
func (*settingsPage) AccentChoices() []accentChoice { return accentChoices }

// Accent is the color of the settings; OwnAccent reports that it is none of the choices.
func (p *settingsPage) Accent() string {
	if p.Settings.Accent == "" {
		return wiki.DefaultAccent
	}
	return p.Settings.Accent
}

// OwnAccent reports that the accent color is none of the choices.
func (p *settingsPage) OwnAccent() bool {
	return !slices.ContainsFunc(accentChoices, func(c accentChoice) bool { return c.Color == p.Accent() })
}

// MaxFooter is the size of a footer, in bytes.
func (*settingsPage) MaxFooter() int { return tenant.MaxFooter }

// readLooks reads the accent color and the footer of a form. One that lacks them, as of
// an older page, keeps the site's.
func (h *Handler) readLooks(form url.Values, set *tenant.Settings, site wiki.Site) {
	set.Accent, set.Footer = site.Accent, site.Footer
	if form.Has("accent") {
		set.Accent = strings.ToValidUTF8(form.Get("accent"), "")
	}
	if set.Accent == "own" {
		set.Accent = strings.ToValidUTF8(form.Get("accent_own"), "")
	}
	if form.Has("footer") {
		set.Footer = formText(form.Get("footer"))
	}
}

// WikiAssets returns the files of an exported wiki's site: the service's own, with the
// wiki's icon and accent color.
func WikiAssets(ctx context.Context, t *tenant.Service, a wiki.Access) (pages.SiteAssets, error) {
	assets, err := SiteAssets()
	if err != nil {
		return assets, err
	}
	if accent := a.Site().Accent; accent != "" {
		assets.Accent = pages.AccentStyle(accent)
	}
	if a.Site().Icon == "" {
		return assets, nil
	}
	icon, err := t.Icon(ctx, a)
	if err != nil {
		return assets, err
	}
	assets.Icon = icon.Data
	return assets, nil
}
