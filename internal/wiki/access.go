package wiki

// A Role is what a person can do in one wiki.
type Role int

// Each role includes the rights of those before it.
const (
	NoRole Role = iota
	Reader      // anyone, on a public wiki
	Viewer
	Editor
	Owner
)

var roleNames = [...]string{"none", "reader", "viewer", "editor", "owner"}

func (r Role) String() string { return roleNames[r] }

// ParseRole parses a role that members can have: viewer, editor, owner.
func ParseRole(name string) (Role, error) {
	for r := Viewer; r <= Owner; r++ {
		if roleNames[r] == name {
			return r, nil
		}
	}
	return NoRole, Problemf(ErrInvalid, "role", "%q is not a role: use viewer or editor.", name)
}

// An Action is something that a caller does in a wiki.
type Action int

// The actions.
const (
	Read      Action = iota // pages, history, search
	Edit                    // pages and attachments; own drafts
	Configure               // settings, members, deletion
	Propose                 // changes to pages, which wait for a person
)

var needs = [...]Role{Read: Reader, Edit: Editor, Configure: Owner, Propose: Editor}

// Access is one caller's standing in one wiki. Every use of a wiki needs one.
// Only tenant.Resolve creates it, so an Access proves that the wiki exists and that
// the caller was authenticated. The zero Access allows nothing.
type Access struct {
	site   Site
	caller Caller
	role   Role
}

// NewAccess is for tenant.Resolve only; a test rejects other calls.
func NewAccess(site Site, caller Caller, role Role) Access {
	return Access{site, caller, role}
}

// Site returns the wiki.
func (a Access) Site() Site { return a.site }

// Caller returns the caller.
func (a Access) Caller() Caller { return a.caller }

// Role returns the caller's role in the wiki.
func (a Access) Role() Role { return a.role }

// Can reports whether the action is allowed. A caller who proposes is read-only, so
// that whatever changes a wiki refuses it; only Propose asks for less.
func (a Access) Can(action Action) bool {
	if a.site.Slug == "" || a.role < needs[action] {
		return false
	}
	return action == Read || !a.caller.ReadOnly || action == Propose && a.caller.Proposes
}

// Allow returns nil, or an ErrDenied that names the missing right.
func (a Access) Allow(action Action) error {
	switch {
	case a.Can(action):
		return nil
	case a.caller.Proposes && a.role >= needs[action]:
		return Problemf(ErrDenied, "", "You can only propose changes to pages here: create_page, edit_page and replace_page.")
	case a.caller.ReadOnly && a.role >= needs[action]:
		return Problemf(ErrDenied, "", "This token is read-only.")
	case (action == Edit || action == Propose) && a.caller.Anonymous():
		return Problemf(ErrDenied, "", "Sign in to edit this wiki.")
	case action == Edit || action == Propose:
		return Problemf(ErrDenied, "", "You can read this wiki but not edit it. Ask its owner to make you an editor.")
	case action == Configure:
		return Problemf(ErrDenied, "", "Only the owner of this wiki can do that.")
	}
	return Problemf(ErrDenied, "", "You can't read this wiki.")
}
