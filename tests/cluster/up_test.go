package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// TestMain makes the test binary the program: a supervisor started by a test
// starts its components from the same file.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		main()
		return
	}
	os.Exit(m.Run())
}

// supervisor is a running `up`.
type supervisor struct {
	report
	command *exec.Cmd
	stdin   io.Closer
}

func up(t *testing.T, args ...string) *supervisor {
	t.Helper()
	command := exec.Command(os.Args[0], append([]string{"up", "--until-stdin-closes"}, args...)...)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = command.Wait()
	})
	s := &supervisor{command: command, stdin: stdin}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		t.Fatalf("no report: %v", err)
	}
	if err := json.Unmarshal(line, &s.report); err != nil {
		t.Fatal(err)
	}
	t.Logf("ready after %.1f s", s.ReadySeconds)
	return s
}

// processes counts the processes whose command line names the cluster's state.
func (s *supervisor) processes(t *testing.T) int {
	t.Helper()
	out, err := exec.Command("ps", "-eo", "stat=,args=").Output()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, s.State+"/") && !strings.HasPrefix(line, "Z") {
			count++
		}
	}
	return count
}

func (s *supervisor) mustBeGone(t *testing.T) {
	t.Helper()
	for range 100 {
		if s.processes(t) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("%d processes of the cluster are left", s.processes(t))
}

// Two clusters run side by side and know nothing of each other; one dies by
// SIGKILL, one is stopped.
func TestClusters(t *testing.T) {
	first, second := up(t, "--state", filepath.Join(t.TempDir(), "one")), up(t)
	if n := first.processes(t); n < 4 {
		t.Fatalf("only %d processes name the state directory: this test would see none left", n)
	}
	client := clientOf(t, first, "")
	namespace := &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: "only-in-the-first"}}
	if _, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, meta.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := clientOf(t, second, "").CoreV1().Namespaces().Get(t.Context(), namespace.Name, meta.GetOptions{}); err == nil {
		t.Error("the second cluster has the first one's namespace")
	}

	if err := first.command.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = first.command.Wait()
	first.mustBeGone(t)

	if err := second.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.command.Wait(); err != nil {
		t.Errorf("a cluster that was asked to stop failed: %v", err)
	}
	second.mustBeGone(t)
	if _, err := os.Stat(second.State); err == nil {
		t.Errorf("%s is left behind", second.State)
	}
}

// The audit log names the real user, the impersonated one and the program.
func TestAuditLog(t *testing.T) {
	cluster := up(t)
	client := clientOf(t, cluster, "system:serviceaccount:default:robot")
	_, err := client.CoreV1().Secrets("default").List(t.Context(), meta.ListOptions{})
	if err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Errorf("RBAC is not in force: %v", err)
	}

	type event struct {
		Verb      string
		UserAgent string
		User      struct{ Username string }
		// ImpersonatedUser is the one that the request was judged by.
		ImpersonatedUser struct{ Username string }
		ObjectRef        struct{ Resource, Namespace string }
		ResponseStatus   struct{ Code int }
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = waitFor(ctx, "the line of the audit log", func(context.Context) (bool, error) {
		log, err := os.ReadFile(cluster.Audit)
		if err != nil {
			return false, err
		}
		for line := range bytes.Lines(log) {
			var e event
			if json.Unmarshal(line, &e) != nil || e.ImpersonatedUser.Username != "system:serviceaccount:default:robot" {
				continue
			}
			if e.User.Username != "admin" || e.UserAgent != "audit-test" || e.Verb != "list" ||
				e.ObjectRef.Resource != "secrets" || e.ObjectRef.Namespace != "default" || e.ResponseStatus.Code != 403 {
				t.Errorf("wrong line: %s", line)
			}
			return true, nil
		}
		return false, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A component that dies takes the cluster with it, and its log is shown.
func TestDeadComponentIsReported(t *testing.T) {
	command := exec.Command(os.Args[0], "up", "--kwok", "false")
	out, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "kwok ended (exit status 1)") {
		t.Errorf("%v: %s", err, out)
	}
}

func clientOf(t *testing.T, s *supervisor, impersonate string) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	config.UserAgent = "audit-test"
	config.Impersonate = rest.ImpersonationConfig{UserName: impersonate}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
