package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"windlass.dev/cluster/internal/tied"
)

// process is a running component of the cluster in a process group of its own.
type process struct {
	name    string
	logPath string
	command *exec.Cmd
	// done is closed when the process has ended; err is set before.
	done chan struct{}
	err  error
}

// startProcess runs program with args, its output in logs/NAME.log. The
// environment is bare, so that no setting of the user (proxies, KUBECONFIG,
// feature switches) changes what a test sees.
func startProcess(logs, home, name, program string, args ...string) (*process, error) {
	logPath := filepath.Join(logs, name+".log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command := exec.Command(program, args...)
	command.Dir = home
	command.Stdout, command.Stderr = log, log
	command.Env = []string{"HOME=" + home, "TMPDIR=" + home, "KWOK_WORKDIR=" + home, "PATH=" + os.Getenv("PATH")}
	if err := tied.Start(command); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, logPath: logPath, command: command, done: make(chan struct{})}
	go func() {
		p.err = command.Wait()
		close(p.done)
	}()
	return p, nil
}

// kill ends the whole process group and waits for the process.
func (p *process) kill() {
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// failure describes the end of the process with the tail of its log.
func (p *process) failure() error {
	return fmt.Errorf("%s ended (%v); the end of %s:\n%s", p.name, p.err, p.logPath, tail(p.logPath, 30))
}

// tail returns the last lines of a file, of its last 64 KiB at most.
func tail(path string, lines int) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	const window = 64 << 10
	if info, err := file.Stat(); err == nil && info.Size() > window {
		if _, err := file.Seek(-window, 2); err != nil {
			return err.Error()
		}
	}
	data := make([]byte, window)
	n, _ := file.Read(data)
	all := strings.Split(strings.TrimRight(string(data[:n]), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
