package slow

import "testing"

func TestTiers(t *testing.T) {
	for _, test := range []struct {
		slow, long string
		want       bool
	}{{"", "", false}, {"1", "", true}, {"", "1", true}, {"1", "1", true}} {
		t.Setenv("ROBOT_SLOW", test.slow)
		t.Setenv("ROBOT_LONG", test.long)
		if got := Enabled(); got != (test.want && !testing.Short()) {
			t.Errorf("ROBOT_SLOW=%q ROBOT_LONG=%q: slow tests run: %v", test.slow, test.long, got)
		}
		ran := false
		t.Run("marked", func(t *testing.T) { Test(t); ran = true })
		if ran != Enabled() {
			t.Errorf("ROBOT_SLOW=%q ROBOT_LONG=%q: a marked test ran: %v", test.slow, test.long, ran)
		}
	}
}
