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

// An Attempt is how the last backup ended.
type Attempt struct {
	Time  time.Time `json:"time"`
	Error string    `json:"error,omitempty"`
}

// A Verified is the last snapshot that was restored and compared whole.
type Verified struct {
	Snapshot string    `json:"snapshot"`
	Taken    time.Time `json:"taken"`
	Time     time.Time `json:"time"` // of the verification
}

// A Status is what can be told of a directory of backups without its lock. Times
// are zero where there is nothing.
type Status struct {
	Newest   time.Time // when the last finished backup was taken
	Attempt  Attempt
	Verified Verified
}

// Look reads the status of a directory of backups, which need not be there yet.
func Look(dir string) (Status, error) {
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
		s.Newest, _ = time.Parse(nameLayout, slices.Max(names))
	}
	if err := readNote(filepath.Join(dir, "attempt.json"), &s.Attempt); err != nil {
		return s, err
	}
	return s, readNote(filepath.Join(dir, "verified.json"), &s.Verified)
}

func readNote(file string, into any) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("backup: %s: %w", file, err)
	}
	return nil
}

// Problems says what an operator has to do something about, in sentences.
func (s Status) Problems(now time.Time) []string {
	var problems []string
	if s.Attempt.Error != "" {
		problems = append(problems, fmt.Sprintf("The last backup (%s) failed: %s", s.Attempt.Time.Format(time.RFC3339), s.Attempt.Error))
	}
	since := func(what string, t time.Time) {
		switch {
		case t.IsZero():
			problems = append(problems, "No backup was ever "+what+".")
		case now.Sub(t) > Late:
			problems = append(problems, fmt.Sprintf("No backup was %s for %d hours; that should happen daily.", what, int(now.Sub(t).Hours())))
		}
	}
	since("taken", s.Newest)
	since("verified", s.Verified.Time)
	return problems
}

func (r *Repository) noteAttempt(failure error) error {
	a := Attempt{Time: r.now().UTC()}
	if failure != nil {
		a.Error = failure.Error()
	}
	return r.note("attempt.json", a)
}

func (r *Repository) noteVerified(s Snapshot) error {
	return r.note("verified.json", Verified{Snapshot: s.Name(), Taken: s.Time, Time: r.now().UTC()})
}

func (r *Repository) note(name string, v any) error {
	text, err := json.Marshal(v)
	if err == nil {
		err = durable.WriteFile(r.path(name), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}
