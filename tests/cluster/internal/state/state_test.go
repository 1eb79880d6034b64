package state

import (
	"os"
	"path/filepath"
	"testing"
)

func acquire(t *testing.T, path string) *Directory {
	t.Helper()
	directory, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	return directory
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func TestForeignFilesAreNeverTaken(t *testing.T) {
	path := t.TempDir()
	write(t, filepath.Join(path, "thesis"))
	if _, err := Acquire(path); err == nil {
		t.Error("a directory with other files was taken")
	}
	if !exists(filepath.Join(path, "thesis")) {
		t.Error("the file is gone")
	}
}

func TestOneClusterAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	first := acquire(t, path)
	if _, err := Acquire(path); err == nil {
		t.Error("two clusters share a directory")
	}
	if err := first.Release(false); err != nil {
		t.Fatal(err)
	}
	if exists(path) {
		t.Error("the directory is left behind")
	}
}

// What a killed cluster left is replaced; the kernel has freed its lock.
func TestLeftoversAreReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	killed := acquire(t, path)
	write(t, killed.Join("etcd"))
	if err := killed.lock.Close(); err != nil {
		t.Fatal(err)
	}
	next := acquire(t, path)
	if exists(next.Join("etcd")) {
		t.Error("the old data is still there")
	}
	if err := next.Release(false); err != nil || exists(path) {
		t.Errorf("left behind: %v", err)
	}
}

// A directory that was there before stays, empty.
func TestGivenDirectoryStays(t *testing.T) {
	path := t.TempDir()
	directory := acquire(t, path)
	write(t, directory.Join("audit.log"))
	if err := directory.Release(false); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 0 {
		t.Errorf("not empty: %v %v", entries, err)
	}
}

func TestKeptLogsHoldNoKeys(t *testing.T) {
	directory := acquire(t, filepath.Join(t.TempDir(), "state"))
	for _, name := range []string{"kubeconfig", "pki", "audit.log", "logs/etcd.log"} {
		write(t, directory.Join(name))
	}
	if err := directory.Release(true); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"kubeconfig": false, "pki": false, "audit.log": true, "logs/etcd.log": true} {
		if exists(directory.Join(name)) != want {
			t.Errorf("%s kept: %v, not %v", name, !want, want)
		}
	}
}
