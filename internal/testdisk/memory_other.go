//go:build !linux

package testdisk

func inMemory(string) bool { return false }
