package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/content"
)

// A stored file is one that is kept in pieces.
type stored struct {
	Size   int64    `json:"size"`
	Pieces []string `json:"pieces"` // ids of objects, in order
}

// A database is a copy of an SQLite database with what it is compared by.
type database struct {
	stored
	Rows map[string]int64 `json:"rows"` // by table
	// From tells the state of the file that it is a copy of; "" when that may
	// have changed since without showing it.
	From string `json:"from,omitempty"`
}

// A record is one wiki in a snapshot. It is an object itself: snapshots of
// wikis that did not change share it.
type record struct {
	Content database      `json:"content"`
	Facts   content.Facts `json:"facts"`
	Index   *database     `json:"index,omitempty"` // derived: a wiki without it is whole
}

// check compares a copy of the content with what it was when it was taken.
func (rec record) check(ctx context.Context, file, slug string) (content.Facts, error) {
	facts, err := content.CheckFile(ctx, file, slug)
	if err == nil && facts != rec.Facts {
		err = fmt.Errorf("it is %+v, was %+v", facts, rec.Facts)
	}
	return facts, err
}

// A key is a file of keys/. ID is the object, which is encrypted where Sealed
// says so; Sum is the SHA-256 of the plain text.
type key struct {
	Name   string `json:"name"`
	ID     string `json:"id"`
	Sum    string `json:"sum"`
	Sealed bool   `json:"sealed"`
}

// A Snapshot is one backup.
type Snapshot struct {
	Format   int               `json:"format"`
	Time     time.Time         `json:"time"`
	Platform database          `json:"platform"`
	Keys     []key             `json:"keys"`
	Wikis    map[string]string `json:"wikis"` // slug -> object of its record
	// Stale are wikis that could not be copied: their records are of the time
	// given, or missing if there never was one.
	Stale map[string]time.Time `json:"stale,omitempty"`
}

// format is the version of what snapshots and records hold.
const format = 1

const nameLayout = "20060102T150405.000Z"

// Name is what the snapshot is called on the command line.
func (s Snapshot) Name() string { return s.Time.UTC().Format(nameLayout) }

// Snapshots lists the names of all backups, oldest first.
func (r *Repository) Snapshots() ([]string, error) {
	list, err := os.ReadDir(r.path("snapshots"))
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	var names []string
	for _, e := range list {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Snapshot reads a backup by its name; the newest with an empty one.
func (r *Repository) Snapshot(name string) (Snapshot, error) {
	names, err := r.Snapshots()
	if err != nil {
		return Snapshot{}, err
	}
	switch {
	case len(names) == 0:
		return Snapshot{}, fmt.Errorf("backup: %s holds no finished backup", r.dir)
	case name == "":
		name = names[len(names)-1]
	case !slices.Contains(names, name):
		return Snapshot{}, fmt.Errorf("backup: there is no backup %q; there are %s", name, strings.Join(names, ", "))
	}
	return r.read(name)
}

func (r *Repository) read(name string) (Snapshot, error) {
	text, err := os.ReadFile(r.path("snapshots", name+".json"))
	if err != nil {
		return Snapshot{}, fmt.Errorf("backup: %w", err)
	}
	var s Snapshot
	if err := json.Unmarshal(text, &s); err != nil {
		return Snapshot{}, fmt.Errorf("backup: snapshot %s is damaged: %w", name, err)
	}
	if s.Format != format {
		return Snapshot{}, fmt.Errorf("backup: snapshot %s is of format %d; this program knows %d", name, s.Format, format)
	}
	return s, nil
}

// record reads a wiki's record.
func (r *Repository) record(id string) (record, error) {
	var rec record
	text, err := r.get(id)
	if err == nil {
		err = json.Unmarshal(text, &rec)
	}
	return rec, err
}
