package pages

import (
	"fmt"
	"path"

	"robot.wtf/internal/incoming"
	"robot.wtf/internal/wiki"
)

// places are the names that the wiki and an import have, by key.
type places struct {
	wiki    map[string]string // paths of the wiki's files
	coming  map[string]bool   // paths of the import's files
	folders map[string]bool   // of both
	renamed map[string]string // key of a folder of the import -> where it is in the wiki
	free    incoming.FreeNames
}

// place gives the files their paths in the wiki. No file gets the name of a folder,
// and no folder that of a file: one that can't keep its name gets another that neither
// the wiki nor the import has.
func (p *filesPlan) place() {
	at := &places{wiki: p.now.byKey, coming: map[string]bool{}, folders: map[string]bool{}, renamed: map[string]string{".": "."}}
	p.places = at
	for _, name := range p.now.paths {
		at.addFolders(name)
	}
	for n := range p.files {
		p.files[n].to = path.Join(p.run.request.Into, p.files[n].Path)
		at.coming[wiki.Key(p.files[n].to)] = true
		at.addFolders(p.files[n].to)
	}
	kept := p.files[:0]
	for _, f := range p.files {
		wanted := f.to
		if f.to = at.file(wanted); f.to != wanted {
			f.Why = "another page, folder or file has this name"
		}
		if len(f.to) > wiki.MaxNameBytes {
			p.preview.leave(f.From, fmt.Sprintf("its path would be longer than %d bytes", wiki.MaxNameBytes))
			continue
		}
		if f.there = p.now.byKey[wiki.Key(f.to)]; f.there != "" {
			f.choice = KeepMine
			if p.seeds {
				f.to, f.choice = f.there, TakeTheirs
			}
		}
		kept = append(kept, f)
	}
	p.files = kept
	p.dropSeeds()
}

func (at *places) addFolders(file string) {
	for dir := path.Dir(file); dir != "." && !at.folders[wiki.Key(dir)]; dir = path.Dir(dir) {
		at.folders[wiki.Key(dir)] = true
	}
}

// isTaken reports whether a new file can't have a path.
func (at *places) isTaken(key string, page bool) bool {
	return at.folders[key] || at.wiki[key] != "" || at.coming[key] || !page && (at.wiki[key+".md"] != "" || at.coming[key+".md"])
}

// file returns the path of a file of the import.
func (at *places) file(wanted string) string {
	to := path.Join(at.folder(path.Dir(wanted)), path.Base(wanted))
	own, page := wiki.Key(to), isText(to)
	free := at.free.Find(to, func(key string) bool {
		if key == own { // the wiki's file of that name is one to choose from
			return at.folders[key] || !page && at.wiki[key+".md"] != ""
		}
		return at.isTaken(key, page)
	})
	at.coming[wiki.Key(free)] = true
	return free
}

// folder returns where a folder of the import is in the wiki.
func (at *places) folder(wanted string) string {
	wantedKey := wiki.Key(wanted)
	if to, ok := at.renamed[wantedKey]; ok {
		return to
	}
	to := path.Join(at.folder(path.Dir(wanted)), path.Base(wanted))
	own := wiki.Key(to)
	to = at.free.Find(to, func(key string) bool {
		if key == own {
			return at.wiki[key] != ""
		}
		return at.isTaken(key, false)
	})
	at.renamed[wantedKey] = to
	at.folders[wiki.Key(to)] = true
	return to
}
