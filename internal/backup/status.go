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

// An Attempt is the outcome of the last backup, or of the last verification.
type Attempt struct {
	Time  time.Time `json:"time"`
	Error string    `json:"error,omitempty"`
}

// The files with the outcomes.
const (
	attemptFile       = "attempt.json"
	verifyAttemptFile = "verify-attempt.json"
	verifiedFile      = "verified.json"
)

// Verified describes the last snapshot that passed a full verification.
type Verified struct {
	Snapshot string    `json:"snapshot"`
	Taken    time.Time `json:"taken"`
	Time     time.Time `json:"time"` // of the verification
}

// A Status is the state of a backup directory, read without its lock. Times are
// zero if the event has not happened yet.
type Status struct {
	Newest        time.Time // time of the last finished backup
	Attempt       Attempt
	VerifyAttempt Attempt
	Verified      Verified
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
	return s, errors.Join(
		readJSONFile(filepath.Join(dir, attemptFile), &s.Attempt),
		readJSONFile(filepath.Join(dir, verifyAttemptFile), &s.VerifyAttempt),
		readJSONFile(filepath.Join(dir, verifiedFile), &s.Verified))
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

// A Schedule says how often backups are expected.
type Schedule struct {
	Every       time.Duration // between backups
	VerifyEvery time.Duration // between verifications
}

// lateAfter is how long after its time a backup or verification is late.
const lateAfter = 2 * time.Hour

// Problems returns one sentence for each problem that needs the operator.
func (s Status) Problems(now time.Time, schedule Schedule) []string {
	var problems []string
	failed := func(event string, a Attempt) {
		if a.Error != "" {
			problems = append(problems, fmt.Sprintf("The last %s (%s) failed: %s", event, a.Time.Format(time.RFC3339), a.Error))
		}
	}
	late := func(event string, t time.Time, every time.Duration) {
		switch age := now.Sub(t); {
		case t.IsZero():
			problems = append(problems, "No backup has ever been "+event+".")
		case age > every+lateAfter:
			problems = append(problems, fmt.Sprintf("No backup has been %s for %d hours; this should happen every %s.", event, int(age.Hours()), hours(every)))
		}
	}
	failed("backup", s.Attempt)
	failed("verification of a backup", s.VerifyAttempt)
	late("taken", s.Newest, schedule.Every)
	late("verified", s.Verified.Time, schedule.VerifyEvery)
	return problems
}

// hours describes an interval: "hour", "6 hours", or "1h30m0s".
func hours(d time.Duration) string {
	switch {
	case d == time.Hour:
		return "hour"
	case d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return d.String()
}

// recordAttempt records the outcome of a backup or verification in a file.
func (r *Repository) recordAttempt(file string, failure error) error {
	a := Attempt{Time: r.now().UTC()}
	if failure != nil {
		a.Error = failure.Error()
	}
	return r.writeJSONFile(file, a)
}

func (r *Repository) recordVerified(s Snapshot) error {
	return r.writeJSONFile(verifiedFile, Verified{Snapshot: s.Name(), Taken: s.Time, Time: r.now().UTC()})
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
