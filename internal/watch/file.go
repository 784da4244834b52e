package watch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"

	"robot.wtf/internal/durable"
)

// restore reads the alarms of the service's last run. Without them, conditions that
// last are reported once more.
func (w *Watcher) restore() {
	if w.o.File == "" {
		return
	}
	text, err := os.ReadFile(w.o.File)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	alarms := map[string]*alarm{}
	if err == nil {
		err = json.Unmarshal(text, &alarms)
	}
	if err != nil {
		w.o.Log.Warn("reading the alarms of the last run failed", "file", w.o.File, "err", err)
		return
	}
	names := map[string]bool{}
	for _, notifier := range w.o.Notifiers {
		names[notifier.Name()] = true
	}
	for key, a := range alarms {
		if a == nil {
			continue
		}
		maps.DeleteFunc(a.Pending, func(name string, _ bool) bool { return !names[name] }) // it was removed from the settings
		w.alarms[key] = a
	}
	w.kept = text
}

// keep writes the alarms to the file if they have changed.
func (w *Watcher) keep() {
	if w.o.File == "" {
		return
	}
	text, err := json.Marshal(w.alarms)
	if err == nil && bytes.Equal(text, w.kept) {
		return
	}
	if err == nil {
		err = durable.WriteFile(w.o.File, text)
	}
	if err != nil {
		w.o.Log.Warn("writing the alarms file failed: after a restart, alarms are sent again", "err", err)
		return
	}
	w.kept = text
}
