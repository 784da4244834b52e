package service

import "testing"

func TestExportMismatchIsAnAlarm(t *testing.T) {
	if got := exportsCondition(0); len(got) != 0 {
		t.Errorf("without one: %v", got)
	}
	if got := exportsCondition(2); len(got) != 1 || got[0].Key != "export" {
		t.Errorf("with two: %v", got)
	}
}
