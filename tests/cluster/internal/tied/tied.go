// Package tied starts processes that don't outlive the program.
package tied

import (
	"os/exec"
	"runtime"
	"sync"
)

// starter runs functions on one operating system thread that lives as long as
// the program. Linux sends the parent-death signal when the thread that
// started a child ends, not when its process does.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// Start starts a command in its own process group, to be killed by the kernel
// when this program dies, by SIGKILL too (on Linux). It sets SysProcAttr.
func Start(command *exec.Cmd) error {
	command.SysProcAttr = attributes()
	result := make(chan error, 1)
	starter() <- func() { result <- command.Start() }
	return <-result
}
