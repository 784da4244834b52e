package web

import (
	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// A shownImport is an import in the settings.
type shownImport struct {
	pages.ImportRecord
	Voucher string // name of the person who vouches for it
}

func (h *Handler) shownImports(v *visit) ([]shownImport, int, error) {
	list, all, err := h.o.Pages.Imports(v.ctx(), v.a)
	if err != nil {
		return nil, 0, err
	}
	shown := make([]shownImport, len(list))
	for i, r := range list {
		shown[i].ImportRecord = r
		switch r.VouchedBy {
		case "":
		case wiki.OperatorName:
			shown[i].Voucher = "The operator"
		case wiki.FormerOwner:
			shown[i].Voucher = "A former owner"
		default:
			shown[i].Voucher = h.o.Tenant.Author(v.ctx(), wiki.Author{DID: r.VouchedBy}).Display()
		}
	}
	return shown, all, nil
}

// saveVouching records that the owner vouches for imports, or takes that back.
func (h *Handler) saveVouching(v *visit) error {
	form, err := h.readForm(v, smallForm, "commit", "action")
	if form == nil {
		return err
	}
	request := pages.Vouching{Commit: form.Get("commit"), Earlier: form.Get("earlier") == "on", Withdraw: form.Get("action") == "withdraw"}
	if action := form.Get("action"); err == nil && action != "vouch" && action != "withdraw" {
		err = wiki.Problemf(wiki.ErrInvalid, "commit", "This form couldn't be read. Open Settings and try again from there.")
	}
	if err == nil {
		err = h.vouch(v, request)
	}
	if err == nil {
		notice := "vouched"
		if request.Withdraw {
			notice = "unvouched"
		}
		return h.redirect(v, h.tell(v, "/-/settings", notice))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	return h.renderSettings(v, wrong.Status, &settingsPage{failure: wrong, Settings: currentSettings(v)})
}

func (h *Handler) vouch(v *visit, request pages.Vouching) error {
	n, err := h.o.Pages.Vouch(v.ctx(), v.a, request)
	if err != nil || n == 0 {
		return err
	}
	return h.o.Tenant.RecordVouching(v.ctx(), v.a, request.Commit, request.Withdraw)
}
