//go:build !linux

package main

import "syscall"

// Only Linux has a parent-death signal: elsewhere a supervisor ended by
// SIGKILL leaves its children running.
func tiedAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
