package web

import (
	"net/http"

	"robot.wtf/internal/passkey"
	"robot.wtf/internal/session"
	"robot.wtf/internal/wiki"
)

// Cookies that hold the token of a passkey's ceremony between its two requests.
const (
	addPasskeyCookie    = "__Host-passkey-add"
	passkeySignInCookie = "__Host-passkey-signin"
)

var errNoPasskeys = wiki.Problemf(wiki.ErrNotFound, "", "Browsers have no passkeys for this address. They need https, or http://localhost.")

// beginAddPasskey responds with the options for the browser to make a passkey.
func (h *Handler) beginAddPasskey(v *visit) error {
	if h.o.Passkeys == nil {
		return errNoPasskeys
	}
	options, token, err := h.o.Passkeys.BeginAdd(v.ctx(), v.caller)
	if err != nil {
		return h.writeJSONFailure(v, err)
	}
	return h.writeChallenge(v, addPasskeyCookie, token, options)
}

func (h *Handler) writeChallenge(v *visit, cookie, token string, options any) error {
	http.SetCookie(v.w, h.o.Session.Cookie(cookie, token, int(passkey.Lifetime.Seconds())))
	return h.writeJSON(v, http.StatusOK, options)
}

// takeChallenge returns the token of a ceremony, and forgets it.
func (h *Handler) takeChallenge(v *visit, cookie string) string {
	http.SetCookie(v.w, h.o.Session.Cookie(cookie, "", -1))
	return h.o.Session.CookieValue(v.r, cookie)
}

// changePasskeys adds or removes one of the person's passkeys.
func (h *Handler) changePasskeys(v *visit) error {
	switch {
	case h.o.Passkeys == nil:
		return errNoPasskeys
	case v.caller.Anonymous():
		return wiki.Problemf(wiki.ErrDenied, "", "You're no longer signed in, so nothing was changed. Sign in and try again.")
	}
	form, err := h.readForm(v, smallForm, "action")
	if form == nil {
		return err
	}
	notice := ""
	switch action := form.Get("action"); {
	case err != nil:
	case action == "add":
		notice = "passkeyadded"
		err = h.o.Passkeys.Add(v.ctx(), v.caller, h.takeChallenge(v, addPasskeyCookie), form.Get("response"), session.BrowserName(v.r.UserAgent()))
	case action == "remove":
		notice = "passkeyremoved"
		err = h.o.Passkeys.Remove(v.ctx(), v.caller, form.Get("id"))
	default:
		err = wiki.Problemf(wiki.ErrInvalid, "passkey", "This form couldn't be read. Open your account's page and try again from there.")
	}
	if err == nil {
		return h.redirect(v, h.tell(v, homeAccountPath, notice))
	}
	wrong, ok := h.formFailure(v, err)
	if !ok {
		return err
	}
	wrong.Field = "passkey" // where the page shows it
	return h.renderHomeAccount(v, wrong.Status, wrong)
}

// beginPasskeySignIn responds with a challenge for the browser's passkeys.
func (h *Handler) beginPasskeySignIn(v *visit) error {
	if h.o.Passkeys == nil {
		return errNoPasskeys
	}
	if err := h.o.Limits.SignIn(v.r.RemoteAddr); err != nil {
		return h.writeJSONFailure(v, err)
	}
	options, token, err := h.o.Passkeys.BeginSignIn()
	if err != nil {
		return err
	}
	return h.writeChallenge(v, passkeySignInCookie, token, options)
}

// signInWithPasskey signs in the person whose passkey signed the challenge.
func (h *Handler) signInWithPasskey(v *visit) error {
	if h.o.Passkeys == nil {
		return errNoPasskeys
	}
	if err := h.o.Limits.SignIn(v.r.RemoteAddr); err != nil {
		return err
	}
	form, err := h.readForm(v, smallForm, "response")
	if form == nil {
		return err
	}
	var person wiki.User
	if err == nil {
		person, err = h.o.Passkeys.SignIn(v.ctx(), h.takeChallenge(v, passkeySignInCookie), form.Get("response"))
	}
	if err == nil {
		err = h.o.Session.SignIn(v.ctx(), v.w, v.r, person, false)
	}
	if err != nil {
		return h.refuseSignIn(v, err)
	}
	return h.redirect(v, h.takeBack(v))
}
