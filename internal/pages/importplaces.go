package pages

import (
	"context"
	"errors"
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
	arrived map[string]bool   // folders of the import
	renamed map[string]string // key of a folder of the import -> where it is in the wiki
	free    incoming.FreeNames
}

// place gives the files their paths in the wiki. No file gets the name of a folder,
// and no folder that of a file: one that can't keep its name gets another that neither
// the wiki nor the import has, or the one that an earlier import of the same gave it.
func (p *filesPlan) place(ctx context.Context) error {
	at := &places{wiki: p.now.byKey, coming: map[string]bool{}, folders: map[string]bool{}, arrived: map[string]bool{}, renamed: map[string]string{".": "."}}
	p.places = at
	for _, name := range p.now.paths {
		wiki.AddFolders(at.folders, name)
	}
	for n := range p.files {
		p.files[n].to = path.Join(p.run.request.Into, p.files[n].Path)
		at.coming[wiki.Key(p.files[n].to)] = true
		wiki.AddFolders(at.folders, p.files[n].to)
		wiki.AddFolders(at.arrived, p.files[n].to)
	}
	kept := p.files[:0]
	for _, f := range p.files {
		wanted := f.to
		var failed error
		f.to = at.file(wanted, func(path string) bool { // a file with that size: decide compares the contents
			there, err := p.run.w.Find(ctx, path)
			failed = errors.Join(failed, err)
			return err == nil && f.Blob == "" && there.Size == f.Size || f.Blob != "" && there.Blob == f.Blob
		})
		if failed != nil {
			return failed
		}
		if f.to != wanted {
			f.Why = "another page, folder or file has this name"
		}
		if len(f.to) > wiki.MaxNameBytes {
			p.preview.Leave(f.From, 1, fmt.Sprintf("its path would be longer than %d bytes", wiki.MaxNameBytes))
			continue
		}
		if there := p.now.byKey[wiki.Key(f.to)]; there != "" {
			var err error
			if f.mine, err = p.run.w.Find(ctx, there); err != nil {
				return err
			}
			f.choice = KeepMine
			if p.seeds != nil {
				f.to, f.choice, f.base = there, TakeTheirs, p.seeds[there]
			}
		}
		kept = append(kept, f)
	}
	p.files = kept
	p.dropSeeds()
	return nil
}

// isTaken reports whether a new file can't have a path.
func (at *places) isTaken(key string, page bool) bool {
	return at.folders[key] || at.wiki[key] != "" || at.coming[key] || !page && (at.wiki[key+".md"] != "" || at.coming[key+".md"])
}

// file returns the path of a file of the import. same reports whether a file of the
// wiki can be the same one.
func (at *places) file(wanted string, same func(path string) bool) string {
	to := path.Join(at.folder(path.Dir(wanted)), path.Base(wanted))
	own, page := wiki.Key(to), isText(to)
	free := at.free.Find(to, func(key string) bool {
		if key == own { // the wiki's file of that name is one to choose from
			return at.folders[key] || !page && at.wiki[key+".md"] != ""
		}
		if there := at.wiki[key]; there != "" && !page && !at.coming[key] && same(there) {
			return false
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
		if at.folders[key] && !at.arrived[key] && at.wiki[key] == "" && !at.coming[key] {
			return false // a folder of the wiki
		}
		return at.isTaken(key, false)
	})
	at.renamed[wantedKey] = to
	at.folders[wiki.Key(to)] = true
	return to
}
