package export

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"robot.wtf/internal/durable"
	"robot.wtf/internal/gitrepo"
)

// A repository is the state of one wiki's mirror.
type repository struct {
	writer chan struct{} // holds a token while the repository is being written; guards the first group

	head         string    // the last exported commit, "" when unknown
	fingerprint  string    // of the pack files at that commit
	unpacked     int       // commits exported since the last repack
	repackQueued bool      // a repack is due
	repacked     bool      // this process has started a repack
	tidied       bool      // leftovers of earlier processes are removed
	verified     time.Time // when every object was last checked

	mu      sync.Mutex
	users   map[string]int // readers and writers of each directory, by name
	suspect bool           // a reader couldn't read it
}

// repository returns the state of a wiki's mirror.
func (m *Mirror) repository(slug string) *repository {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.repos[slug]
	if r == nil {
		r = &repository{writer: make(chan struct{}, 1), users: map[string]int{}}
		m.repos[slug] = r
	}
	return r
}

// lock waits for other writers of the repository.
func (r *repository) lock(ctx context.Context) error {
	select {
	case r.writer <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *repository) unlock() { <-r.writer }

func (r *repository) setSuspect(suspect bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.suspect = suspect
}

const (
	repoLink   = "repo.git"
	repoPrefix = "repo-"
)

func newRepoName() string { return repoPrefix + rand.Text()[:12] + ".git" }

// path returns the path of a file in a wiki's directory.
func (m *Mirror) path(slug, name string) string { return filepath.Join(m.o.Dir, slug, name) }

// wikiExists reports whether the wiki's directory exists.
func (m *Mirror) wikiExists(slug string) bool {
	_, err := os.Stat(filepath.Join(m.o.Dir, slug))
	return err == nil
}

// current returns the name of the directory that the link points to, or "".
func (m *Mirror) current(slug string) string {
	name, err := os.Readlink(m.path(slug, repoLink))
	if err != nil || name != filepath.Base(name) || !strings.HasPrefix(name, repoPrefix) {
		return ""
	}
	return name
}

// Open brings a wiki's repository up to date and opens it. Until release is
// called the repository only grows. A caller that couldn't read it passes
// broken, and it is verified before it is next used.
func (m *Mirror) Open(ctx context.Context, slug string) (repo *gitrepo.Repo, release func(broken bool), err error) {
	if _, err := m.CatchUp(ctx, slug); err != nil {
		return nil, nil, err
	}
	r := m.repository(slug)
	name, leave := m.enter(slug, r)
	return m.o.Git.Open(m.path(slug, name)), func(broken bool) {
		if broken {
			r.setSuspect(true)
		}
		leave()
	}, nil
}

// enter registers a user of the current directory. The last user to leave a
// directory that is no longer current removes it.
func (m *Mirror) enter(slug string, r *repository) (name string, leave func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name = m.current(slug)
	r.users[name]++
	return name, sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.users[name]--; r.users[name] == 0 {
			delete(r.users, name)
			if name != m.current(slug) {
				m.discard(slug, name)
			}
		}
	})
}

// claim protects a directory under construction from tidy.
func (r *repository) claim(name string) (release func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users[name]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.users[name]--; r.users[name] == 0 {
			delete(r.users, name)
		}
	}
}

// switchTo makes a directory the current one. The previous one is removed once
// it has no users.
func (m *Mirror) switchTo(slug string, r *repository, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := m.current(slug)
	link := m.path(slug, repoPrefix+"link")
	if err := os.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(name, link); err != nil {
		return err
	}
	if before == "" { // a dangling link, or a directory that someone copied here
		if err := os.RemoveAll(m.path(slug, repoLink)); err != nil {
			return err
		}
	}
	if err := durable.Rename(link, m.path(slug, repoLink)); err != nil {
		return err
	}
	if before == "" {
		return m.tidy(slug, r)
	}
	if before != name && r.users[before] == 0 {
		m.discard(slug, before)
	}
	return nil
}

func (m *Mirror) discard(slug, name string) {
	if name == "" {
		return
	}
	if err := os.RemoveAll(m.path(slug, name)); err != nil {
		m.o.Log.Warn("removing an old export failed", "wiki", slug, "dir", name, "err", err)
	}
}

// tidy removes directories that are neither current nor in use: the leftovers of
// a killed process or a removed link. The caller holds r.mu.
func (m *Mirror) tidy(slug string, r *repository) error {
	entries, err := os.ReadDir(filepath.Join(m.o.Dir, slug))
	if err != nil {
		return err
	}
	current := m.current(slug)
	for _, d := range entries {
		if strings.HasPrefix(d.Name(), repoPrefix) && d.Name() != current && r.users[d.Name()] == 0 {
			m.discard(slug, d.Name())
		}
	}
	return nil
}

// fingerprint describes a repository's pack files. It changes when another
// program changes them.
func fingerprint(dir string) (string, error) {
	files, err := os.ReadDir(filepath.Join(dir, "objects", "pack"))
	if err != nil {
		return "", err
	}
	var all strings.Builder
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&all, f.Name(), info.Size(), info.ModTime().UnixNano())
	}
	return all.String(), nil
}
