package web

import (
	"errors"
	"net/http"

	"robot.wtf/internal/atproto"
	"robot.wtf/internal/tenant"
	"robot.wtf/internal/wiki"
)

// Sign-in with ATProto accounts where people have local identities ("robot home"). A
// person links an account to themselves by proving both, and can sign in with it from
// then on.
const (
	accountSignInPath = homeSignInPath + "/account"
	linkedPath        = "/-/accounts"
	linkedField       = "account" // where pages show what went wrong
)

// linkedRoutes are routes of homeRoutes.
func linkedRoutes() []route {
	return []route{
		{pattern: "POST " + accountSignInPath, handle: (*Handler).beginAccountSignIn, open: true},
		{pattern: "POST " + linkedPath, handle: asCaller((*Handler).changeLinkedAccount), open: true},
		{pattern: "GET " + atproto.HomeCallbackPath, handle: asCaller((*Handler).finishProof), open: true, once: true},
		{pattern: "GET " + atproto.HomeMetadataPath, handle: (*Handler).showClientMetadata, open: true, free: true},
		{pattern: "GET " + atproto.HomeJWKSPath, handle: (*Handler).showClientMetadata, open: true, free: true},
	}
}

var errNoAccounts = wiki.Problemf(wiki.ErrNotFound, "", "This wiki doesn't offer sign-in with Bluesky or Atmosphere accounts. Whoever runs it can start it with --atproto.")

// beginAccountSignIn redirects to the server of a person's account.
func (h *Handler) beginAccountSignIn(v *visit) error {
	if h.o.SignIn == nil {
		return errNoAccounts
	}
	form, err := h.readForm(v, smallForm)
	if err != nil {
		return err
	}
	handle := form.Get("handle")
	to, err := h.beginProof(v, atproto.Start{Typed: handle})
	if err != nil {
		r := h.explainFailure(v, err)
		return h.renderHomeSignIn(v, r.Status, homeSignInPage{Wrong: r.Wrong, Handle: handle})
	}
	return h.redirect(v, to)
}

// beginProof returns the address at which a person proves that an account is theirs.
func (h *Handler) beginProof(v *visit, start atproto.Start) (string, error) {
	v.w.Header().Set("Cache-Control", "no-store")
	v.policy = h.headers.signInPolicy
	if err := h.o.Limits.SignIn(v.r.RemoteAddr); err != nil {
		return "", err
	}
	return h.o.SignIn.Begin(v.ctx(), v.w, v.r, start)
}

// changeLinkedAccount begins to link an account to the caller, or unlinks theirs.
func (h *Handler) changeLinkedAccount(v *visit) error {
	if v.caller.Anonymous() {
		return wiki.Problemf(wiki.ErrDenied, "", "You're no longer signed in, so nothing was changed. Sign in and try again.")
	}
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	switch action := form.Get("action"); {
	case err != nil:
	case action == "link":
		return h.beginLink(v, form.Get("handle"))
	case action == "unlink":
		if err = h.o.Tenant.UnlinkAccount(v.ctx(), v.caller, form.Get("did")); err == nil {
			return h.redirect(v, h.tell(v, homeAccountPath, "accountunlinked"))
		}
	default:
		err = wiki.Problemf(wiki.ErrInvalid, linkedField, "This form couldn't be read. Open your account's page and try again from there.")
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	wrong.Field = linkedField
	return h.renderHomeAccount(v, wrong.Status, wrong)
}

// beginLink redirects to the server of an account, where the caller proves that it is
// theirs.
func (h *Handler) beginLink(v *visit, handle string) error {
	if h.o.SignIn == nil {
		return errNoAccounts
	}
	to, err := h.beginProof(v, atproto.Start{Typed: handle, For: v.caller.User.DID})
	if err != nil {
		r := h.explainFailure(v, err)
		return h.renderHomeAccount(v, r.Status, failure{Status: r.Status, Field: linkedField, Wrong: r.Wrong, Meant: handle})
	}
	return h.redirect(v, to)
}

// finishProof handles the redirect back from the server of an account: it links the
// account to the person who asked for it, or signs in the person it is linked to.
func (h *Handler) finishProof(v *visit) error {
	if h.o.SignIn == nil {
		return errNoAccounts
	}
	v.w.Header().Set("Cache-Control", "no-store")
	proof, err := h.o.SignIn.Prove(v.ctx(), v.w, v.r)
	if err == nil && proof.For != "" {
		err = h.linkAccount(v, proof)
	} else if err == nil {
		err = h.signInWithAccount(v, proof)
	}
	switch {
	case err == nil && proof.For != "":
		return h.redirect(v, homeAccountPath+"#account")
	case err == nil:
		return h.redirect(v, h.takeBack(v))
	}
	h.keepRefusal(v, h.explainFailure(v, err))
	if v.caller.Anonymous() {
		return h.redirect(v, homeSignInPath+"?"+refusedParam+"=1")
	}
	return h.redirect(v, homeAccountPath+"?"+refusedParam+"=1")
}

// linkAccount links a proven account to the person who asked for it, who must still be
// signed in in this browser.
func (h *Handler) linkAccount(v *visit, proof atproto.Proof) error {
	if v.caller.User.DID != proof.For {
		return wiki.Problemf(wiki.ErrDenied, linkedField, "The account wasn't linked, because you're no longer signed in as the person who asked for it. Sign in and try again.")
	}
	return h.o.Tenant.LinkAccount(v.ctx(), v.caller, proof.Account)
}

func (h *Handler) signInWithAccount(v *visit, proof atproto.Proof) error {
	person, err := h.o.Tenant.PersonOf(v.ctx(), proof.Account)
	if err != nil {
		return err
	}
	return h.o.Session.SignIn(v.ctx(), v.w, v.r, person, false)
}

// linkedAccount returns the caller's linked account, nil without one.
func (h *Handler) linkedAccount(v *visit) (*tenant.LinkedAccount, error) {
	a, err := h.o.Tenant.LinkedAccount(v.ctx(), v.caller)
	if errors.Is(err, wiki.ErrNotFound) {
		return nil, nil
	}
	return &a, err
}

// refusedParam in an address means that a callback was refused; a cookie says why.
const refusedParam = "refused"

// refusedProof returns why this browser's last callback was refused, once.
func (h *Handler) refusedProof(v *visit) failure {
	if v.query(refusedParam) == "" {
		return failure{Status: http.StatusOK}
	}
	r, ok := h.takeRefusal(v)
	if !ok {
		return failure{Status: http.StatusOK}
	}
	return failure{Status: r.Status, Field: linkedField, Wrong: r.Wrong}
}
