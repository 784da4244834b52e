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

// A storedFile is a file stored in chunks.
type storedFile struct {
	Size   int64    `json:"size"`
	Chunks []string `json:"pieces"` // ids of objects, in order
}

// A storedDatabase is a stored SQLite database and its row counts, which a
// verification compares.
type storedDatabase struct {
	storedFile
	Rows map[string]int64 `json:"rows"` // by table
	// From is the state of the source files when they were copied, or "" if a
	// change right after the copy could go unnoticed.
	From string `json:"from,omitempty"`
}

// A wikiRecord describes one wiki in a snapshot. It is stored as an object, so
// snapshots share the records of unchanged wikis.
type wikiRecord struct {
	Content storedDatabase  `json:"content"`
	Facts   content.Facts   `json:"facts"`
	Index   *storedDatabase `json:"index,omitempty"` // derived data; optional
}

// check fails if a restored content database is damaged or differs from the
// recorded facts.
func (rec wikiRecord) checkContent(ctx context.Context, file, slug string) (content.Facts, error) {
	facts, err := content.CheckFile(ctx, file, slug)
	if err == nil && facts != rec.Facts {
		err = fmt.Errorf("content differs from the backup: got %+v, want %+v", facts, rec.Facts)
	}
	return facts, err
}

// A storedKey is a file from keys/. ID is its object, encrypted if Sealed is set.
// Sum is the SHA-256 of the plain text.
type storedKey struct {
	Name   string `json:"name"`
	ID     string `json:"id"`
	Sum    string `json:"sum"`
	Sealed bool   `json:"sealed"`
}

// A Snapshot lists the contents of one backup.
type Snapshot struct {
	Format   int               `json:"format"`
	Time     time.Time         `json:"time"`
	Platform storedDatabase    `json:"platform"`
	Keys     []storedKey       `json:"keys"`
	Wikis    map[string]string `json:"wikis"` // slug to the id of its wikiRecord
	// Log is the number of the newest shipped object before anything was copied: the
	// copies contain everything in it and in older ones.
	Log    uint64    `json:"log,omitempty"`
	Copied time.Time `json:"copied,omitzero"` // when everything was copied
	// Stale lists wikis that could not be copied, with the time of the older copy
	// in Wikis. A wiki that was never copied is missing from Wikis.
	Stale map[string]time.Time `json:"stale,omitempty"`
}

// formatVersion is the version of the JSON in snapshots and records.
const formatVersion = 1

const snapshotNameLayout = "20060102T150405.000Z"

// Name returns the name used on the command line.
func (s Snapshot) Name() string { return s.Time.UTC().Format(snapshotNameLayout) }

// Snapshots returns the names of all finished backups, oldest first.
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

// Snapshot reads the named backup; an empty name means the newest.
func (r *Repository) Snapshot(name string) (Snapshot, error) {
	names, err := r.Snapshots()
	if err != nil {
		return Snapshot{}, err
	}
	switch {
	case len(names) == 0:
		return Snapshot{}, fmt.Errorf("backup: %s contains no finished backup", r.dir)
	case name == "":
		name = names[len(names)-1]
	case !slices.Contains(names, name):
		return Snapshot{}, fmt.Errorf("backup: no backup %q; available backups: %s", name, strings.Join(names, ", "))
	}
	return r.readSnapshot(name)
}

func (r *Repository) readSnapshot(name string) (Snapshot, error) {
	text, err := os.ReadFile(r.path("snapshots", name+".json"))
	if err != nil {
		return Snapshot{}, fmt.Errorf("backup: %w", err)
	}
	var s Snapshot
	if err := json.Unmarshal(text, &s); err != nil {
		return Snapshot{}, fmt.Errorf("backup: snapshot %s is corrupt: %w", name, err)
	}
	if s.Format != formatVersion {
		return Snapshot{}, fmt.Errorf("backup: snapshot %s uses format %d; this program supports %d", name, s.Format, formatVersion)
	}
	return s, nil
}

// readRecord reads a wiki's record.
func (r *Repository) readRecord(id string) (wikiRecord, error) {
	var rec wikiRecord
	text, err := r.readObject(id)
	if err == nil {
		err = json.Unmarshal(text, &rec)
	}
	return rec, err
}
