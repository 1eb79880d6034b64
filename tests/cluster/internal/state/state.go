// Package state owns the directory that holds everything a cluster writes.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lockName is the file that marks a directory as the state of a cluster; its
// lock is held as long as the supervisor lives.
const lockName = "windlass-cluster.lock"

// Directory is the state of one cluster, held by a lock.
type Directory struct {
	// Path is absolute.
	Path string
	lock *os.File
	// owned: the directory itself goes away with the cluster, because we made
	// it or an earlier cluster left it.
	owned bool
}

// Acquire takes a directory for one cluster. An empty path makes a new
// one below the system's directory for temporary files. What a killed cluster
// left there is removed; a directory with anything else in it is refused.
func Acquire(path string) (*Directory, error) {
	owned := path == ""
	if owned {
		made, err := os.MkdirTemp("", "windlass-cluster-")
		if err != nil {
			return nil, err
		}
		path = made
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		owned = true
		err = os.MkdirAll(path, 0o700)
	}
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(path, lockName)); err != nil {
			return nil, fmt.Errorf("%s holds other files: give --state a new or an empty directory", path)
		}
		owned = true
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("another cluster runs in %s: stop it or give --state another directory", path)
	}
	state := &Directory{Path: path, lock: lock, owned: owned}
	if err := state.clear(); err != nil {
		_ = lock.Close()
		return nil, err
	}
	for _, name := range []string{"logs", "bin"} {
		if err := os.MkdirAll(state.Join(name), 0o700); err != nil {
			return nil, err
		}
	}
	return state, nil
}

// Join names a file of the directory.
func (d *Directory) Join(name string) string { return filepath.Join(d.Path, name) }

// clear removes everything but the lock.
func (d *Directory) clear() error {
	entries, err := os.ReadDir(d.Path)
	if err != nil {
		return err
	}
	var failed error
	for _, entry := range entries {
		if entry.Name() != lockName {
			failed = errors.Join(failed, os.RemoveAll(d.Join(entry.Name())))
		}
	}
	return failed
}

// Release gives the directory back. With keepLogs the logs stay, the audit log
// among them; keys and data never do.
func (d *Directory) Release(keepLogs bool) error {
	defer d.lock.Close()
	if !keepLogs && d.owned {
		return os.RemoveAll(d.Path)
	}
	if !keepLogs {
		return errors.Join(d.clear(), os.Remove(d.Join(lockName)))
	}
	var failed error
	for _, name := range []string{"pki", "etcd", "bin", "kubeconfig"} {
		failed = errors.Join(failed, os.RemoveAll(d.Join(name)))
	}
	return failed
}
