package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"robot.wtf/internal/pages"
	"robot.wtf/internal/wiki"
)

// noticeCookie holds the name of a notice from the redirect that follows a form
// until the page shows it. The address names the notice too, but is only believed
// together with the cookie: otherwise a link from elsewhere could tell people that
// their account is closed.
const noticeCookie = "notice"

// noticeSeconds is how long a notice waits for its page.
const noticeSeconds = 60

// tell adds a notice to the address of a redirect, and sets the cookie for it.
func (h *Handler) tell(v *visit, address, notice string) string {
	if notice == "" {
		return address
	}
	h.setNotice(v, notice, noticeSeconds, strings.HasPrefix(address, h.o.Platform) && v.slug != "" && !h.o.Single && h.o.Session.Domain(v.r) == "")
	if strings.Contains(address, "?") {
		return address + "&notice=" + notice
	}
	return address + "?notice=" + notice
}

// setNotice sets the cookie for this host or, if the form leads from a wiki to the
// platform, for all hosts.
func (h *Handler) setNotice(v *visit, notice string, seconds int, allHosts bool) {
	c := h.o.Session.Cookie(noticeCookie, notice, seconds)
	c.SameSite = http.SameSiteStrictMode
	if platform, err := url.Parse(h.o.Platform); err == nil && allHosts {
		c.Domain = platform.Hostname()
	}
	http.SetCookie(v.w, c)
}

// takeNotice returns the notice to show, or "". It is shown once.
func (h *Handler) takeNotice(v *visit) string {
	notice := v.query("notice")
	if notice == "" || !reads(v.r) {
		return ""
	}
	for _, c := range v.r.CookiesNamed(h.o.Session.CookieName(noticeCookie)) {
		if c.Value == notice {
			h.setNotice(v, "", -1, false)
			if !h.o.Single && h.o.Session.Domain(v.r) == "" {
				h.setNotice(v, "", -1, true)
			}
			return notice
		}
	}
	return ""
}

// noticeText returns the text of a notice: the result of a form, shown on the page
// that it redirects to.
func noticeText(name string) string {
	name, _, _ = strings.Cut(name, "-")
	switch name {
	case "unchanged":
		return "Nothing changed: the page already had this text."
	case "merged":
		return "Saved, and merged with changes that someone else saved while you were writing."
	case "converted":
		return "Converted to UTF-8."
	case "saved":
		return "Saved."
	case "handle":
		return "It works: this wiki’s address is now your handle."
	case "domainnamed":
		return "Saved. Now set the two DNS records."
	case "domainchecked":
		return "Checked."
	case "domaingone":
		return "Disconnected."
	case "watching":
		return "You’re watching this page. Its changes are in your feed."
	case "unwatched":
		return "You don’t watch this page any more."
	case "feedsaved":
		return "Saved. Your feed’s address is below."
	case "feedgone":
		return "Removed. The feed’s address doesn’t work any more."
	case "created":
		return "Created."
	case "restoredpage":
		return "Restored. The page and the files that were deleted with it are back."
	case "restoredversion":
		return "Restored. The old version is the newest one now."
	case "draft":
		return "Draft saved. Nobody else can see it."
	case "discarded":
		return "Draft discarded."
	case "renamed":
		return "Renamed. The old name redirects here."
	case "deleted":
		return "Deleted. Its history is kept, and you can restore it at any time."
	case "reverted":
		return "Undone, in a new revision."
	case "undone":
		return "There was nothing left to undo."
	case "keptchange":
		return "Kept. It stays in the history like any other change."
	case "keptall":
		return "Kept. There’s nothing left to review."
	case "acceptedproposal":
		return "Accepted. It’s a revision like any other now, and can be undone."
	case "declinedproposal":
		return "Declined. The agent sees that when it next asks."
	case "again":
		return "It’s back in the list."
	case "uploaded":
		return "Uploaded."
	case "invited":
		return "Added. They have access as soon as they sign in."
	case "vouched":
		return "Agents now read the imported text as a member’s words."
	case "unvouched":
		return "Taken back. Agents treat the imported text as a stranger’s."
	case "hookadded":
		return "Added. It is notified of changes from now on. Send a test to see that it arrives."
	case "hooktested":
		return "Delivered. The other service accepted the test."
	case "hookresumed":
		return "Resumed. It is notified of changes from now on."
	case "hookremoved":
		return "Removed. It isn’t notified of changes any more."
	case "unlinked":
		return "Revoked. The invitation link no longer works."
	case "accountunlinked":
		return "Unlinked. This account signs nobody in any more."
	case "passkeyadded":
		return "Added. From now on you can sign in with this passkey."
	case "passkeyremoved":
		return "Removed. This passkey signs nobody in any more. Delete it on your device, too."
	case "joined":
		return "Welcome. You’re a member of this wiki now."
	case "offered":
		return "Offered. They find it on their dashboard. You stay the owner until they accept."
	case "withdrawn":
		return "Withdrawn. You stay the owner."
	case "accepted":
		return "The wiki is yours now."
	case "declined":
		return "Declined. The wiki stays with its owner."
	case "reportclosed":
		return "Closed. The report is out of the list."
	case "removed":
		return "Removed. Their tokens for this wiki no longer work."
	case "linked":
		return "Created. Copy the link below."
	case "linkrevoked":
		return "Revoked. The link no longer works."
	case "revoked":
		return "Revoked. The token no longer works."
	case "invitationkept":
		return "You have a wiki, so you didn’t need the invitation. It’s still unused: pass the link on."
	case "invitationrevoked":
		return "Revoked. The invitation link no longer works."
	case "disconnected":
		return "Disconnected. The agent no longer has access."
	case "sessionended":
		return "Signed out, on the dashboard and on all wikis."
	case "left":
		return "You’ve left the wiki. Your tokens for it no longer work."
	case "ended":
		return "The wiki is closed. You can restore it here for seven days."
	case "restored":
		return "Restored, with its pages and members. Create new tokens if you need them."
	case "accountended":
		return "Your account is closed and you’re signed out everywhere. Changed your mind? Sign in within seven days to keep it."
	case "kept":
		return "Your account stays. Create new tokens if you need them."
	}
	return ""
}

// noticeOfLinks says which links lead elsewhere since a page was created or deleted, for
// a notice "created-COMMIT" or "deleted-COMMIT".
func (h *Handler) noticeOfLinks(v *visit, notice string) string {
	name, commit, ok := strings.Cut(notice, "-")
	if !ok || !v.a.Can(wiki.Read) {
		return ""
	}
	var text strings.Builder
	var err error
	switch name {
	case "created":
		var list []pages.Diverted
		list, err = h.o.Pages.Creation(v.ctx(), v.a, commit)
		writeDiverted(&text, list, func(d pages.Diverted) string { return " here instead of to " + shownName(d.From) })
	case "deleted":
		var done pages.Deletion
		done, err = h.o.Pages.Deletion(v.ctx(), v.a, commit)
		writeDiverted(&text, done.Diverted, func(d pages.Diverted) string { return " to " + shownName(d.To) })
		if done.Dead > 0 {
			fmt.Fprintf(&text, " %s to no page.", plural(done.Dead, "link now leads", "links now lead"))
		}
	}
	if err != nil {
		h.o.Log.WarnContext(v.ctx(), "describing changed links failed", "wiki", v.slug, "err", err)
	}
	return text.String()
}

// maxDiverted bounds the changes of links that a notice names.
const maxDiverted = 3

func writeDiverted(text *strings.Builder, list []pages.Diverted, where func(pages.Diverted) string) {
	for i, d := range list {
		if i == maxDiverted {
			fmt.Fprintf(text, " %s elsewhere, too.", plural(sumLinks(list[i:]), "link now leads", "links now lead"))
			return
		}
		fmt.Fprintf(text, " %s%s.", plural(d.Links, "link now leads", "links now lead"), where(d))
	}
}

func sumLinks(list []pages.Diverted) (n int) {
	for _, d := range list {
		n += d.Links
	}
	return n
}

// shownName is the name of a page or file, for a sentence.
func shownName(file string) string { return wiki.Title(strings.TrimSuffix(file, ".md")) }
