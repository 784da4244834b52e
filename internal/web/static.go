package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"path"
	"regexp"
	"strings"
	"sync"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

//go:generate go run ./bundle editor

//go:embed static
var staticFiles embed.FS

// assets are the files in static/. Each address contains a hash of the content, so
// the content at an address never changes.
type assets struct {
	byName  map[string]string // "app.css" to "/-/static/app.1f2e3d4c.css"
	byFile  map[string]*asset // "app.1f2e3d4c.css"
	favicon *asset
}

type asset struct {
	mime  string
	plain []byte
	gz    func() []byte // compressed when first asked for
}

// loadAssets reads and compresses the embedded files once per process.
var loadAssets = sync.OnceValues(readAssets)

func readAssets() (*assets, error) {
	as := &assets{byName: map[string]string{}, byFile: map[string]*asset{}}
	err := fs.WalkDir(staticFiles, "static", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := staticFiles.ReadFile(p)
		if err != nil {
			return err
		}
		name := path.Base(p)
		data = as.resolveImports(data)
		sum := sha256.Sum256(data)
		ext := path.Ext(name)
		file := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		kind := mime.TypeByExtension(ext)
		if ext == ".js" {
			kind = "text/javascript; charset=utf-8"
		}
		a := &asset{mime: kind, plain: data, gz: sync.OnceValue(func() []byte { return compressWell(data) })}
		as.byFile[file] = a
		as.byName[name] = "/-/static/" + file
		if name == "robot.svg" {
			as.favicon = a
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("web: load static files: %w", err)
	}
	return as, nil
}

// resolveImports replaces the names in a script's imports, as of "./app.js", by their
// addresses. Files are read in order of their names, so a script can import those
// before it.
func (as *assets) resolveImports(script []byte) []byte {
	return scriptImport.ReplaceAllFunc(script, func(name []byte) []byte {
		if address, ok := as.byName[string(scriptImport.FindSubmatch(name)[1])]; ok {
			return []byte(` from "` + address + `";`)
		}
		return name
	})
}

var scriptImport = regexp.MustCompile(`(?m) from "\./([a-z.]+)";$`)

// url returns the address of a file in static/. It fails for an unknown name, which
// the first render of the template shows.
func (as *assets) url(name string) (string, error) {
	if u, ok := as.byName[name]; ok {
		return u, nil
	}
	return "", fmt.Errorf("web: no static file %q", name)
}

// AssetURL returns the address, on every host, of a file in static/, for icons in
// rendered pages. It fails for an unknown name.
func AssetURL(name string) (string, error) {
	as, err := loadAssets()
	if err != nil {
		return "", err
	}
	return as.url(name)
}

// SiteAssets returns the files in static/ that an exported site has copies of.
func SiteAssets() (pages.SiteAssets, error) {
	as, err := loadAssets()
	if err != nil {
		return pages.SiteAssets{}, err
	}
	read := func(name string) []byte { return as.byFile[path.Base(as.byName[name])].plain }
	return pages.SiteAssets{Style: read("app.css"), Icons: read("icons.svg"), Symbol: read("robot.svg")}, nil
}

func (h *Handler) serveAsset(v *visit) error {
	a, ok := h.assets.byFile[v.param("file")]
	if !ok {
		return fmt.Errorf("web: static file %q: %w", v.param("file"), wiki.ErrNotFound)
	}
	return h.writeAsset(v, a, "public, max-age=31536000, immutable")
}

func (h *Handler) showFavicon(v *visit) error {
	return h.writeAsset(v, h.assets.favicon, "public, max-age=86400")
}

func (h *Handler) writeAsset(v *visit, a *asset, cache string) error {
	header := v.w.Header()
	h.headers.set(header, v.slug != "")
	header.Set("Content-Type", a.mime)
	header.Set("Cache-Control", cache)
	header.Set("Vary", "Accept-Encoding")
	body := a.plain
	if acceptsGzip(v.r) && len(a.gz()) < len(a.plain) {
		header.Set("Content-Encoding", "gzip")
		body = a.gz()
	}
	header.Set("Content-Length", fmt.Sprint(len(body)))
	_, _ = v.w.Write(body)
	return nil
}
