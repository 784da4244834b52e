//go:build !linux

package service

func releaseExecutable() {}
