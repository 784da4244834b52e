package wiki

import "strings"

// localPrefix begins the ids of people whose account exists only in one service. It
// isn't "did:", so that nothing takes such an id for a DID: other services can't
// resolve it, and it proves nothing to them.
const localPrefix = "local:"

// LocalID returns the id of a local identity from a random text.
func LocalID(random string) string { return localPrefix + strings.ToLower(random) }

// IsLocalID reports whether a person's id is that of a local identity.
func IsLocalID(id string) bool { return strings.HasPrefix(id, localPrefix) }

// IsPersonID reports whether a text has the form of a person's id: a DID or that of a
// local identity.
func IsPersonID(id string) bool { return strings.HasPrefix(id, "did:") || IsLocalID(id) }
