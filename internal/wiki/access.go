package wiki

// A Role is a person's standing in one wiki.
type Role int

// Roles grow: each may do all that the ones before it may.
const (
	NoRole Role = iota
	Reader      // anyone, on a public wiki
	Viewer
	Editor
	Owner
)

var roleNames = [...]string{"none", "reader", "viewer", "editor", "owner"}

func (r Role) String() string { return roleNames[r] }

// ParseRole reads a role that can be given to a member: viewer, editor, owner.
func ParseRole(name string) (Role, error) {
	for r := Viewer; r <= Owner; r++ {
		if roleNames[r] == name {
			return r, nil
		}
	}
	return NoRole, Problemf(ErrInvalid, "role", "%q is not a role: use viewer or editor.", name)
}

// An Action is what somebody wants to do in a wiki.
type Action int

// The actions.
const (
	Read      Action = iota // pages, history, search
	Edit                    // pages and attachments; own drafts
	Configure               // settings, members, deletion
)

var needs = [...]Role{Read: Reader, Edit: Editor, Configure: Owner}

// Access is one caller's standing in one wiki, and the key to every door.
// Only tenant.Resolve makes one, so holding one proves that the wiki exists
// and that the caller is known. The zero Access may do nothing.
type Access struct {
	site   Site
	caller Caller
	role   Role
}

// NewAccess is for tenant.Resolve alone; a test finds any other call.
func NewAccess(site Site, caller Caller, role Role) Access {
	return Access{site, caller, role}
}

// Site is the wiki.
func (a Access) Site() Site { return a.site }

// Caller is who is calling.
func (a Access) Caller() Caller { return a.caller }

// Role is the caller's role in the wiki.
func (a Access) Role() Role { return a.role }

// Can reports whether the action is allowed.
func (a Access) Can(action Action) bool {
	if a.site.Slug == "" || a.role < needs[action] {
		return false
	}
	return action == Read || !a.caller.ReadOnly
}

// Allow returns nil, or an error of kind ErrDenied that says what is missing.
func (a Access) Allow(action Action) error {
	switch {
	case a.Can(action):
		return nil
	case a.caller.ReadOnly && a.role >= needs[action]:
		return Problemf(ErrDenied, "", "This token may only read.")
	case action == Edit && a.caller.Anonymous():
		return Problemf(ErrDenied, "", "Sign in to edit this wiki.")
	case action == Edit:
		return Problemf(ErrDenied, "", "You may read this wiki but not edit it. Ask its owner to make you an editor.")
	case action == Configure:
		return Problemf(ErrDenied, "", "Only the owner of this wiki may do that.")
	}
	return Problemf(ErrDenied, "", "You may not read this wiki.")
}
