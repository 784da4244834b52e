package wiki

import "testing"

// A handle that isn't valid is never shown as if it were one.
func TestShownUser(t *testing.T) {
	for _, tt := range []struct {
		user           User
		display, shown string
	}{
		{User{DID: "did:plc:x", Handle: "ada.test", Username: "ada", Name: "Ada"}, "Ada", "@ada.test"},
		{User{DID: "did:plc:x", Handle: "ada.test"}, "ada.test", "@ada.test"},
		{User{DID: "did:plc:x", Handle: InvalidHandle, Username: "ada"}, "ada", "no valid handle (did:plc:x)"},
		{User{DID: "did:plc:x", Handle: InvalidHandle}, "did:plc:x", "no valid handle (did:plc:x)"},
		{User{DID: "local:x", Username: "ada"}, "ada", ""},
	} {
		if display, shown := tt.user.Display(), tt.user.ShownHandle(); display != tt.display || shown != tt.shown {
			t.Errorf("%+v: %q, %q", tt.user, display, shown)
		}
	}
}
