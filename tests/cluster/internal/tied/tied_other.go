//go:build !linux

package tied

import "syscall"

// Only Linux has a parent-death signal: elsewhere a supervisor ended by
// SIGKILL leaves its children running.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
