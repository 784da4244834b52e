package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"robot.wtf/internal/backup"
	"robot.wtf/internal/watch"
)

// A start fails only for what concerns the whole service: robot.db, the keys, the
// lock and the listener. Anything else is logged, raises an alarm and is left out.

// checkDirectory refuses a directory that has lost its platform database, or doesn't
// have it yet. A new database would hide all wikis from their owners.
func checkDirectory(data string) error {
	if err := backup.CheckRestored(data); err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(data, "robot.db")); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	list, err := os.ReadDir(filepath.Join(data, "wikis"))
	if err != nil {
		return nil // a new directory
	}
	for _, entry := range list {
		if !strings.HasPrefix(entry.Name(), ".") {
			return fmt.Errorf("%s has wikis, but robot.db is missing: put it back, or restore a backup to an empty directory", data)
		}
	}
	return nil
}

// problems are faults of this start that the service runs with. The zero problems
// are ready to use.
type problems struct {
	mu   sync.Mutex
	list []watch.Condition
}

// NoteProblem logs a fault of this start and raises an alarm until the next one. The
// key is the alarm's.
func (s *Service) NoteProblem(key, text string) {
	s.o.Log.Error("start is incomplete", "part", key, "text", text)
	s.problems.mu.Lock()
	defer s.problems.mu.Unlock()
	s.problems.list = append(s.problems.list, watch.Condition{Key: key, Text: text})
}

func (s *Service) checkProblems(context.Context) []watch.Condition {
	s.problems.mu.Lock()
	defer s.problems.mu.Unlock()
	return append([]watch.Condition(nil), s.problems.list...)
}

// An open wiki or index has up to filesPerWiki files open, usually half as many.
// reservedFiles are for connections, git and the rest.
const (
	filesPerWiki  = 10
	reservedFiles = 100
	maxOpenWikis  = 200 // unless the operator wants more
	minOpenWikis  = 4
)

// openWikis returns how many wikis, and how many indexes, may be open at once under
// this process's limit on file descriptors. Go raises the soft limit to the hard one
// when a program starts. A number that the operator set must fit under it.
func openWikis(set int) (int, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return cmp.Or(set, maxOpenWikis), nil
	}
	return openWikisFor(files.Cur, set)
}

func openWikisFor(files uint64, set int) (int, error) {
	most := 1 << 16
	if files <= 1<<20 {
		most = max((int(files)-reservedFiles)/2/filesPerWiki, minOpenWikis)
	}
	if set > most {
		return 0, fmt.Errorf("--open-wikis %d needs %d file descriptors, and the limit is %d: raise it with LimitNOFILE= in the unit, or open at most %d wikis", set, set*2*filesPerWiki+reservedFiles, files, most)
	}
	return cmp.Or(set, min(most, maxOpenWikis)), nil
}

// closeIdle closes the files of wikis and indexes that nobody is using, because the
// process has too few file descriptors.
func (s *Service) closeIdle() {
	s.Content.CloseIdle()
	if s.Search != nil {
		s.Search.CloseIdle()
	}
}
