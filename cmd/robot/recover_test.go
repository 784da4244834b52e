package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"robot.wtf/internal/service"
	"robot.wtf/internal/store"
	"robot.wtf/internal/wiki"
)

// A copy from before an erasure has the erased text again. The operator must hear
// about it, because it isn't recorded anywhere.
func TestRestoreWarnsOfErasures(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "robot.db"), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ada := wiki.User{DID: "did:plc:ada", Username: "ada"}
	if err := db.SaveUser(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateSite(t.Context(), ada, "ada", nil, 1); err != nil {
		t.Fatal(err)
	}
	if err := db.RecordErasure(t.Context(), ada.DID, "ada"); err != nil {
		t.Fatal(err)
	}
	for taken, want := range map[time.Time]int{now.Add(-time.Hour): 1, now.Add(time.Hour): 0} {
		var out bytes.Buffer
		if err := warnOfErasures(t.Context(), &service.Service{Store: db}, "ada", taken, &out); err != nil || strings.Count(out.String(), "WARNING") != want {
			t.Errorf("a copy of %v: %q, %v", taken, out.String(), err)
		}
	}
}
