package shipping

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"

	"robot.wtf/internal/durable"
)

// A Directory keeps objects as files, named by number and time.
type Directory string

// LogIn returns the directory of the objects in a directory of backups.
func LogIn(backups string) Directory { return Directory(filepath.Join(backups, "log")) }

// An Object names an object in a Directory.
type Object struct {
	Number uint64
	Time   time.Time
	file   string
}

const (
	objectTime = "20060102T150405.000Z"
	plainExt   = ".log"
	sealedExt  = ".log.age"
)

// List returns all objects, oldest first.
func (d Directory) List() ([]Object, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Object
	for _, e := range entries {
		name, plain := strings.CutSuffix(e.Name(), plainExt)
		if !plain {
			var sealed bool
			if name, sealed = strings.CutSuffix(e.Name(), sealedExt); !sealed {
				continue
			}
		}
		digits, stamp, _ := strings.Cut(name, "-")
		number, err := strconv.ParseUint(digits, 10, 63)
		at, invalid := time.Parse(objectTime, stamp)
		if err == nil && invalid == nil {
			all = append(all, Object{Number: number, Time: at, file: filepath.Join(string(d), e.Name())})
		}
	}
	slices.SortFunc(all, func(a, b Object) int { return cmp.Compare(a.Number, b.Number) })
	return all, nil
}

// Newest returns the number of the newest object; 0 if there is none.
func (d Directory) Newest() (uint64, error) {
	all, err := d.List()
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[len(all)-1].Number, nil
}

// put stores an object, and returns its size.
func (d Directory) put(o *object, recipients []age.Recipient) (int64, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return 0, err
	}
	ext := plainExt
	if len(recipients) > 0 {
		ext = sealedExt
	}
	name := filepath.Join(string(d), fmt.Sprintf("%015d-%s%s", o.header.Number, o.header.Time.Format(objectTime), ext))
	making := filepath.Join(string(d), durable.TempPrefix+"object") // there is one shipper
	if err := os.Remove(making); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	var counted *countingWriter
	err := durable.Create(making, func(out io.Writer) error {
		counted = &countingWriter{w: out}
		return o.writeTo(counted, recipients)
	})
	if err == nil {
		err = durable.Rename(making, name)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(making))
	}
	return counted.n, nil
}

// Prune deletes all objects up to a number except for the newest object, and returns how
// many there were.
func (d Directory) Prune(until uint64) (int, error) {
	all, err := d.List()
	if err != nil {
		return 0, err
	}
	removed := 0
	for _, o := range all[:max(0, len(all)-1)] {
		if o.Number > until {
			break
		}
		if err := os.Remove(o.file); err != nil {
			return removed, err
		}
		removed++
	}
	if removed == 0 {
		return 0, nil
	}
	return removed, durable.SyncDir(string(d))
}
