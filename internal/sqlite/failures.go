package sqlite

import (
	"maps"
	"slices"
	"sync/atomic"
)

// failureNames are the failures of storage that are counted.
var failureNames = map[string]failure{
	"full": full, "unwritable": unwritable, "unreadable": unreadable, "unavailable": unavailable, "busy": busy, "damaged": damaged,
}

// failed counts the failures of this process.
var failed [interrupted + 1]atomic.Uint64

func count(f failure) { failed[f].Add(1) }

// Failures returns the kinds of failures that Failed counts.
func Failures() []string { return slices.Sorted(maps.Keys(failureNames)) }

// Failed returns how many failures of a kind StorageError has translated in this
// process.
func Failed(kind string) uint64 { return failed[failureNames[kind]].Load() }
