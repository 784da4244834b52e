package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"

	"robot.wtf/internal/limit"
	"robot.wtf/internal/wiki"
)

// Each kind of error has the status of wiki.Status, a code and a detail.
func TestProblemOfEveryKind(t *testing.T) {
	h := &Handler{}
	respond := func(err error) problem {
		w := httptest.NewRecorder()
		h.fail(w, httptest.NewRequest("GET", "/", nil), err)
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code {
			t.Errorf("body %s with status %d: %v", w.Body, w.Code, err)
		}
		return p
	}
	for _, kind := range wiki.Kinds() {
		p := respond(fmt.Errorf("pages: %w", kind))
		if p.Status != wiki.Status(kind) || p.Code == "" || p.Code == "internal" || p.Detail == "" {
			t.Errorf("%v: %+v, want status %d", kind, p, wiki.Status(kind))
		}
		if p := respond(wiki.Problemf(kind, "name", "Explained.")); p.Detail != "Explained." || p.Field != "name" {
			t.Errorf("%v: %+v, want the problem's field and message", kind, p)
		}
	}
	for err, want := range map[error]int{errToken: 401, errPersonal: 401, errMethod: 405, error(&limit.Exceeded{}): 429, errors.New("index broken"): 500} {
		if p := respond(err); p.Status != want {
			t.Errorf("%v: status %d, want %d", err, p.Status, want)
		}
	}
}
