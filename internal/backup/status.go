package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"robot.wtf/internal/durable"
)

// An Attempt is the outcome of the last backup.
type Attempt struct {
	Time  time.Time `json:"time"`
	Error string    `json:"error,omitempty"`
}

// Verified describes the last snapshot that passed a full verification.
type Verified struct {
	Snapshot string    `json:"snapshot"`
	Taken    time.Time `json:"taken"`
	Time     time.Time `json:"time"` // of the verification
}

// A Status is the state of a backup directory, read without its lock. Times are
// zero if the event has not happened yet.
type Status struct {
	Newest   time.Time // time of the last finished backup
	Attempt  Attempt
	Verified Verified
}

// ReadStatus reads the status of a backup directory, which might not exist yet.
func ReadStatus(dir string) (Status, error) {
	var s Status
	list, err := os.ReadDir(filepath.Join(dir, "snapshots"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("backup: %w", err)
	}
	var names []string
	for _, e := range list {
		if name, ok := strings.CutSuffix(e.Name(), ".json"); ok {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		s.Newest, _ = time.Parse(snapshotNameLayout, slices.Max(names))
	}
	if err := readJSONFile(filepath.Join(dir, "attempt.json"), &s.Attempt); err != nil {
		return s, err
	}
	return s, readJSONFile(filepath.Join(dir, "verified.json"), &s.Verified)
}

// readJSONFile decodes a file into v. It leaves v unchanged if the file is missing.
func readJSONFile(file string, v any) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, v)
	}
	if err != nil {
		return fmt.Errorf("backup: %s: %w", file, err)
	}
	return nil
}

// Problems returns one sentence for each problem that needs the operator.
func (s Status) Problems(now time.Time) []string {
	var problems []string
	if s.Attempt.Error != "" {
		problems = append(problems, fmt.Sprintf("The last backup (%s) failed: %s", s.Attempt.Time.Format(time.RFC3339), s.Attempt.Error))
	}
	checkAge := func(event string, t time.Time) {
		switch {
		case t.IsZero():
			problems = append(problems, "No backup has ever been "+event+".")
		case now.Sub(t) > MaxAge:
			problems = append(problems, fmt.Sprintf("No backup has been %s for %d hours; this should happen at least daily.", event, int(now.Sub(t).Hours())))
		}
	}
	checkAge("taken", s.Newest)
	checkAge("verified", s.Verified.Time)
	return problems
}

func (r *Repository) recordAttempt(failure error) error {
	a := Attempt{Time: r.now().UTC()}
	if failure != nil {
		a.Error = failure.Error()
	}
	return r.writeJSONFile("attempt.json", a)
}

func (r *Repository) recordVerified(s Snapshot) error {
	return r.writeJSONFile("verified.json", Verified{Snapshot: s.Name(), Taken: s.Time, Time: r.now().UTC()})
}

func (r *Repository) writeJSONFile(name string, v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		err = durable.WriteFile(r.path(name), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}
