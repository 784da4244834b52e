package api

import (
	"net/http"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// A revertBody names a commit, or any commit of a session, to undo.
type revertBody struct {
	Commit  string `json:"commit"`
	Session string `json:"session"`
	Path    string `json:"path"` // of a session, only the changes of this page or file
	Message string `json:"commit_message"`
	DryRun  bool   `json:"dry_run"`
}

type revertAnswer struct {
	Commit    string         `json:"commit"` // "" for a dry run
	Unchanged bool           `json:"unchanged"`
	DryRun    bool           `json:"dry_run"`
	Files     []revertedFile `json:"files"`
}

// A revertedFile is a file that undoing changes.
type revertedFile struct {
	Kind wiki.ChangeKind `json:"kind"`
	Path string          `json:"path"`
	From string          `json:"from,omitempty"`
}

func (h *Handler) postRevert(c *call) error {
	var body revertBody
	raw, err := c.readJSON(smallBody, &body)
	if err != nil {
		return err
	}
	switch {
	case (body.Commit == "") == (body.Session == ""):
		return wiki.Problemf(wiki.ErrInvalid, "commit", `Give either "commit", the commit to undo, or "session", any commit of the session to undo.`)
	case body.Path != "" && body.Session == "":
		return wiki.Problemf(wiki.ErrInvalid, "path", `"path" goes with "session". Leave it out to undo a commit.`)
	}
	req := pages.UndoRequest{Commit: body.Commit, Session: body.Session, Path: body.Path, DryRun: body.DryRun, Texts: true}
	if req.Write, err = c.writeOptions(body.Message, raw); err != nil {
		return err
	}
	done, err := h.o.Pages.Undo(c.Context(), c.access, req)
	if err != nil {
		return err
	}
	if done.Replayed {
		c.w.Header().Set("Idempotency-Replayed", "true")
	}
	out := revertAnswer{Commit: done.Commit, Unchanged: done.Unchanged, DryRun: body.DryRun, Files: make([]revertedFile, len(done.Files))}
	for i, f := range done.Files {
		out.Files[i] = revertedFile{f.Kind(), f.Path, f.From}
	}
	return c.respond(http.StatusOK, out)
}
