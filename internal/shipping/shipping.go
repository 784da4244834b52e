// Package shipping copies the commits of a data directory's databases to a target while
// the service runs, within seconds, so that losing the machine loses seconds and not
// everything since the last backup.
//
// A Shipper reads the write-ahead log of each database that was written, and puts the
// last content of the changed pages of all databases into one object every few
// seconds. The target keeps objects by number (Directory). Restoring a database
// is applying its records, in order, to a copy that a backup took (Log): records are
// whole pages, so applying one that the copy already contains does no harm, as long as
// the records after it reach the moment of the copy.
//
// Invariants:
//   - A record describes the step between two states at the end of transactions. It
//     names the checksum of the whole database after it; Log applies nothing that
//     doesn't lead there.
//   - A record whose predecessor isn't known to be in the target contains the whole
//     database (a base) and begins a generation.
//   - Nothing waits for the target: saves go on while it is away, and a write-ahead log
//     is moved into its database's file only after its pages are in the target, or
//     beyond maxLog. The difference to the last record is then found by checksum.
//
// One service ships to a target. The package treats databases as files; opening them
// and holding off their writers is its caller's business (Options.Hold).
package shipping

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"filippo.io/age"

	"robot.wtf/internal/background"
)

// A Database is an open database of the service.
type Database interface {
	// Checkpoint moves the write-ahead log into the database's file while nobody
	// writes, if ready returns true, and reports whether that was all of it.
	Checkpoint(ctx context.Context, ready func() bool) (whole bool, err error)
}

// Options describe a Shipper. All but Recipients, MaxHeld and Gather are required.
type Options struct {
	Data       string // directory of the databases, which are named by their paths in it
	Target     Directory
	Recipients []age.Recipient // objects are encrypted for them, if there are any
	// Hold keeps a database open until release is called.
	Hold    func(ctx context.Context, name string) (db Database, release func(), err error)
	MaxHeld int           // databases held at once; the others can be closed before they are shipped
	Gather  time.Duration // how long commits are gathered; 0 means 4 s

	Background *background.Workers
	Now        func() time.Time
	Log        *slog.Logger
}

const (
	gatherFor  = 4 * time.Second
	retryAfter = 10 * time.Second
	stopWithin = 10 * time.Second // for the last changes, when the service stops
	// moveLog is the size of a write-ahead log that is moved into the database's file
	// once it is shipped, and maxLog that of one that is moved anyway.
	moveLog = 4 << 20
	maxLog  = 64 << 20
	// objectSize is the size from which on no database is added to an object.
	objectSize = 16 << 20
	// statesEvery is how often the shipped states are written to the data directory.
	statesEvery = time.Minute
)

// A Shipper ships the databases of one service.
type Shipper struct {
	o      Options
	cancel context.CancelFunc
	wait   func()
	nudge  chan struct{}

	shipping sync.Mutex // held by rounds; guards the next fields
	number   uint64     // of the newest object
	shipped  map[string]*state
	kept     time.Time // when the states were last written

	mu    sync.Mutex
	dirty map[string]*pending
	stats Stats
}

// pending is a database with changes that aren't in the target.
type pending struct {
	since   time.Time // of the oldest change
	again   time.Time // of the first change since a round began to read it; zero for none
	db      Database  // nil if it isn't held
	release func()
	err     error // of the last round
	found   bool  // at the start, and not written since: it isn't open
}

// Stats say how far a Shipper is.
type Stats struct {
	Last     time.Time // when the last object was put
	Behind   time.Time // of the oldest change that isn't in the target; zero if there is none
	Err      error     // why it isn't, if a round has failed
	Bytes    uint64    // put since the start
	Objects  uint64
	Bases    uint64
	Failures uint64 // failed rounds
}

// Start begins to ship. Databases that changed since an earlier Shipper wrote its
// states are shipped at once.
func Start(o Options) *Shipper {
	if o.Gather == 0 {
		o.Gather = gatherFor
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Shipper{o: o, cancel: cancel, nudge: make(chan struct{}, 1), dirty: map[string]*pending{}, shipped: map[string]*state{}}
	if err := s.readStates(); err != nil {
		o.Log.Warn("shipping: the shipped states can't be read; whole databases are shipped again", "err", err)
	}
	s.markChanged()
	s.wait = o.Background.Loop(ctx, "shipping", s.run)
	return s
}

// Wrote marks a database as changed. It returns at once.
func (s *Shipper) Wrote(name string) {
	now := s.o.Now()
	s.mu.Lock()
	p := s.dirty[name]
	if p == nil {
		s.dirty[name] = &pending{since: now}
	} else if p.found = false; p.again.IsZero() {
		p.again = now
	}
	s.mu.Unlock()
	if p == nil {
		s.wake()
	}
}

func (s *Shipper) wake() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// Stats returns how far the shipper is.
func (s *Shipper) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	for _, p := range s.dirty {
		if stats.Behind.IsZero() || p.since.Before(stats.Behind) {
			stats.Behind = p.since
			if p.err != nil {
				stats.Err = p.err
			}
		}
	}
	return stats
}

// run ships until ctx is done.
func (s *Shipper) run(ctx context.Context) {
	for logged := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.nudge:
		}
		if !s.gather(ctx) {
			return
		}
		err := s.Ship(ctx)
		if err == nil {
			logged = ""
		} else if ctx.Err() == nil {
			if text := err.Error(); text != logged { // once, not at each attempt
				logged = text
				s.o.Log.Error("shipping failed", "err", err)
			}
			s.o.Background.AfterFunc(background.Job{Work: "shipping"}, retryAfter, s.wake)
		}
	}
}

// gather waits for more commits, and holds the databases that they changed. It returns
// false when ctx is done.
func (s *Shipper) gather(ctx context.Context) bool {
	for end := time.After(s.o.Gather); ; {
		s.hold(ctx)
		select {
		case <-ctx.Done():
			return false
		case <-s.nudge:
		case <-end:
			return true
		}
	}
}

// hold keeps changed databases open, so that closing them doesn't move their logs.
func (s *Shipper) hold(ctx context.Context) {
	s.mu.Lock()
	var names []string
	held := 0
	for name, p := range s.dirty {
		if p.release != nil {
			held++
		} else if !p.found {
			names = append(names, name)
		}
	}
	s.mu.Unlock()
	for _, name := range names[:min(len(names), max(0, s.o.MaxHeld-held))] {
		db, release, err := s.o.Hold(ctx, name)
		if err != nil {
			continue // it is deleted or damaged; the round says so
		}
		s.mu.Lock()
		if p := s.dirty[name]; p != nil && p.release == nil {
			p.db, p.release, release = db, release, nil
		}
		s.mu.Unlock()
		if release != nil {
			release()
		}
	}
}

// letGo lets all held databases be closed.
func (s *Shipper) letGo() {
	s.mu.Lock()
	var all []func()
	for _, p := range s.dirty {
		if p.release != nil {
			all = append(all, p.release)
			p.db, p.release = nil, nil
		}
	}
	s.mu.Unlock()
	for _, release := range all {
		release()
	}
}

// Ship ships all changes made so far.
func (s *Shipper) Ship(ctx context.Context) error {
	s.shipping.Lock()
	defer s.shipping.Unlock()
	err := s.shipAll(ctx)
	s.mu.Lock()
	if s.stats.Err = err; err != nil {
		s.stats.Failures++
	}
	s.mu.Unlock()
	if err != nil {
		s.boundLogs(ctx)
		s.letGo()
	}
	if s.o.Now().Sub(s.kept) > statesEvery {
		s.keepStates()
	}
	return err
}

func (s *Shipper) shipAll(ctx context.Context) error {
	s.mu.Lock()
	names := slices.Sorted(maps.Keys(s.dirty))
	s.mu.Unlock()
	var failed []error
	for len(names) > 0 {
		var err error
		if names, err = s.shipObject(ctx, names); err != nil {
			failed = append(failed, err)
		}
		if err := ctx.Err(); err != nil {
			return errors.Join(append(failed, err)...)
		}
	}
	return errors.Join(failed...)
}

// shipObject puts one object with the first of the named databases, and returns the
// names of those that didn't fit. Databases that can't be read are left out and
// named in the error.
func (s *Shipper) shipObject(ctx context.Context, names []string) (rest []string, err error) {
	if err := s.findNumber(); err != nil {
		return nil, err
	}
	o, err := newObject(s.o.Data, s.number+1, s.o.Now())
	if err != nil {
		return nil, fmt.Errorf("shipping: %w", err)
	}
	defer o.discard()
	next := map[string]*state{}
	var failed []error
	for len(names) > 0 && o.size < objectSize && ctx.Err() == nil {
		name := names[0]
		names = names[1:]
		s.begin(name)
		after, err := s.addDatabase(ctx, o, name)
		if err != nil {
			err = fmt.Errorf("shipping: %s: %w", name, err)
			failed = append(failed, err)
			s.noteFailed(name, err)
			continue
		}
		next[name] = after
	}
	if len(o.header.Records) > 0 {
		size, err := s.o.Target.put(o, s.o.Recipients)
		if err != nil {
			return nil, errors.Join(append(failed, fmt.Errorf("shipping: %w", err))...) // the others would fail, too
		}
		s.number++
		s.noteShipped(o, size)
	}
	for name, after := range next {
		s.finish(ctx, name, after)
	}
	return names, errors.Join(failed...)
}

// findNumber finds a number that is above that of every earlier object, before the first
// one: snapshots name the objects that they contain by number. Even without the older
// objects, numbers that begin with the time grow.
func (s *Shipper) findNumber() error {
	if s.number > 0 {
		return nil
	}
	newest, err := s.o.Target.Newest()
	if err != nil {
		return fmt.Errorf("shipping: %w", err)
	}
	s.number = max(newest, uint64(s.o.Now().UnixMilli()))
	return nil
}

// begin notes that a database is being read: later changes are in the next round.
func (s *Shipper) begin(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.dirty[name]; p != nil {
		p.again = time.Time{}
	}
}

func (s *Shipper) noteFailed(name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.dirty[name]; p != nil {
		p.err = err
	}
}

func (s *Shipper) noteShipped(o *object, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Last = s.o.Now()
	s.stats.Objects++
	s.stats.Bytes += uint64(size)
	for _, r := range o.header.Records {
		if r.Base {
			s.stats.Bases++
		}
	}
}

// finish notes the state of a database that is in the target; nil if the database is
// gone. It moves a large log into the database's file.
func (s *Shipper) finish(ctx context.Context, name string, after *state) {
	if after == nil {
		delete(s.shipped, name)
	} else {
		s.shipped[name] = after
		s.checkpoint(ctx, name, after, moveLog, func() bool {
			tail, err := after.readLog(s.path(name))
			return err == nil && tail.Size == 0
		})
	}
	s.mu.Lock()
	p := s.dirty[name]
	if p == nil {
		s.mu.Unlock()
		return
	}
	release := func() {}
	if p.err = nil; p.again.IsZero() {
		delete(s.dirty, name)
		if p.release != nil {
			release = p.release
		}
	} else {
		p.since, p.again = p.again, time.Time{}
		s.wake()
	}
	s.mu.Unlock()
	release()
}

// checkpoint moves a log of at least a size into the database's file, if the database
// is held and ready returns true.
func (s *Shipper) checkpoint(ctx context.Context, name string, st *state, size int64, ready func() bool) {
	info, err := os.Stat(s.path(name) + "-wal")
	if err != nil || info.Size() < size {
		return
	}
	s.mu.Lock()
	var db Database
	if p := s.dirty[name]; p != nil {
		db = p.db
	}
	s.mu.Unlock()
	if db == nil {
		return
	}
	whole, err := db.Checkpoint(ctx, ready)
	if err != nil {
		s.o.Log.Warn("shipping: moving a write-ahead log failed", "database", name, "err", err)
	}
	if whole {
		st.log = st.log.Moved()
	}
}

// boundLogs moves logs into their databases' files although they aren't shipped,
// because the target is away and they are large.
func (s *Shipper) boundLogs(ctx context.Context) {
	s.mu.Lock()
	names := slices.Collect(maps.Keys(s.dirty))
	s.mu.Unlock()
	for _, name := range names {
		st := s.shipped[name]
		if st == nil {
			st = &state{}
		}
		// The log won't continue where it was read: the difference is then found by
		// checksum.
		s.checkpoint(ctx, name, &state{}, maxLog, func() bool {
			st.attached = false
			return true
		})
	}
}

// Stop ships the last changes, while the target answers, and lets all databases be closed.
func (s *Shipper) Stop() {
	if s == nil {
		return
	}
	s.cancel()
	s.wait()
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	if err := s.Ship(ctx); err != nil {
		s.o.Log.Error("shipping: the last changes aren't shipped; the next start does it", "err", err)
	}
	s.letGo()
}

// Close writes the shipped states. The databases are closed.
func (s *Shipper) Close() {
	if s != nil {
		s.shipping.Lock()
		defer s.shipping.Unlock()
		s.keepStates()
	}
}

func (s *Shipper) path(name string) string { return filepath.Join(s.o.Data, filepath.FromSlash(name)) }

// PlatformName is the name of the platform's database.
const PlatformName = "robot.db"

// WikiName returns the name of a wiki's database.
func WikiName(slug string) string { return "wikis/" + slug + "/wiki.db" }

// Slug returns the wiki that a database belongs to; "" for the platform's.
func Slug(name string) string {
	if name == PlatformName {
		return ""
	}
	return path.Base(path.Dir(name))
}

// names returns the names of all databases in the data directory.
func (s *Shipper) names() []string {
	names := []string{PlatformName}
	list, err := os.ReadDir(filepath.Join(s.o.Data, "wikis"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.o.Log.Error("shipping: wikis can't be listed", "err", err)
	}
	for _, e := range list {
		if e.IsDir() && e.Name()[0] != '.' {
			names = append(names, WikiName(e.Name()))
		}
	}
	return names
}
