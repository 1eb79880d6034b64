package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"windlass.dev/cluster/internal/gitserver"
	"windlass.dev/cluster/internal/pki"
	"windlass.dev/cluster/internal/state"
)

// cluster is the set of running components of one state directory.
type cluster struct {
	state   *state.Directory
	program string
	// fail ends the context of the cluster with the cause.
	fail context.CancelCauseFunc

	mutex     sync.Mutex
	closing   bool
	processes []*process
	ports     []claimedPort
	git       *gitserver.Server
}

func newCluster(fail context.CancelCauseFunc, directory *state.Directory) (*cluster, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &cluster{state: directory, program: program, fail: fail}, nil
}

// start brings the components up in the order of their needs and returns when
// pods can be created and would be scheduled.
func (c *cluster) start(ctx context.Context, options upOptions) (report, error) {
	gitRoot := options.gitRoot
	if gitRoot == "" {
		gitRoot = c.state.Join("git")
	}
	git, err := gitserver.Start(gitRoot, "127.0.0.1:0", c.state.Join("logs/git.log"))
	if err != nil {
		return report{}, err
	}
	c.git = git

	certs, err := pki.NewDirectory(c.state.Join("pki"), firstServiceIP)
	if err != nil {
		return report{}, err
	}
	etcd, err := c.port()
	if err != nil {
		return report{}, err
	}
	secure, err := c.port()
	if err != nil {
		return report{}, err
	}
	server := "https://" + secure.String()

	kubeconfig := c.state.Join("kubeconfig")
	if err := writeKubeconfig(kubeconfig, server, certs, "admin", "system:masters"); err != nil {
		return report{}, err
	}
	if err := c.startRole("etcd", etcdArgs(c.state, certs, etcd)); err != nil {
		return report{}, err
	}
	args, err := apiserverArgs(c.state, certs, secure, etcd)
	if err != nil {
		return report{}, err
	}
	if err := c.startRole("kube-apiserver", args); err != nil {
		return report{}, err
	}
	client, err := newClient(kubeconfig)
	if err != nil {
		return report{}, err
	}
	err = waitFor(ctx, "the API server", func(ctx context.Context) (bool, error) { return apiserverReady(ctx, client) })
	if err != nil {
		return report{}, err
	}

	if err := c.startControllers(server, certs); err != nil {
		return report{}, err
	}
	if options.kwok != "" {
		if err := c.startKwok(server, certs, options.kwok); err != nil {
			return report{}, err
		}
		if err := createNodes(ctx, client, options.nodes); err != nil {
			return report{}, err
		}
	}
	err = waitFor(ctx, "the default namespace", func(ctx context.Context) (bool, error) {
		return defaultNamespaceReady(ctx, client)
	})
	if err != nil {
		return report{}, err
	}
	err = waitFor(ctx, "the fake nodes", func(ctx context.Context) (bool, error) {
		return nodesReady(ctx, client, options.nodes)
	})
	if err != nil {
		return report{}, err
	}

	kubectl := c.state.Join("bin/kubectl")
	if err := os.Symlink(c.program, kubectl); err != nil {
		return report{}, err
	}
	return report{
		Kubeconfig: kubeconfig,
		Server:     server,
		Audit:      c.state.Join("audit.log"),
		Git:        git.URL,
		GitRoot:    git.Root,
		State:      c.state.Path,
		Logs:       c.state.Join("logs"),
		Kubectl:    kubectl,
	}, nil
}

// startControllers starts the controller manager and the scheduler, each with
// the user name that RBAC knows it by.
func (c *cluster) startControllers(server string, certs *pki.Directory) error {
	for name, args := range map[string]func(kubeconfig string) []string{
		"kube-controller-manager": func(k string) []string { return controllerManagerArgs(certs, k) },
		"kube-scheduler":          schedulerArgs,
	} {
		kubeconfig := certs.Path(name + ".kubeconfig")
		if err := writeKubeconfig(kubeconfig, server, certs, "system:"+name); err != nil {
			return err
		}
		if err := c.startRole(name, args(kubeconfig)); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) startKwok(server string, certs *pki.Directory, program string) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	kubeconfig := certs.Path("kwok.kubeconfig")
	if err := writeKubeconfig(kubeconfig, server, certs, "kwok", "system:masters"); err != nil {
		return err
	}
	config, err := writeConfig(c.state, "kwok.yaml")
	if err != nil {
		return err
	}
	port, err := c.port()
	if err != nil {
		return err
	}
	return c.startProcess("kwok", program, kwokArgs(config, kubeconfig, port)...)
}

func (c *cluster) port() (claimedPort, error) {
	port, err := claimPort()
	if err == nil {
		c.ports = append(c.ports, port)
	}
	return port, err
}

// startRole starts this program in another role.
func (c *cluster) startRole(role string, args []string) error {
	return c.startProcess(role, c.program, append([]string{role}, args...)...)
}

// startProcess starts a component whose end is the end of the cluster.
func (c *cluster) startProcess(name, program string, args ...string) error {
	p, err := startProcess(c.state.Join("logs"), c.state.Path, name, program, args...)
	if err != nil {
		return err
	}
	c.mutex.Lock()
	c.processes = append(c.processes, p)
	c.mutex.Unlock()
	go func() {
		<-p.done
		c.mutex.Lock()
		defer c.mutex.Unlock()
		if !c.closing {
			c.fail(p.failure())
		}
	}()
	return nil
}

// close ends everything at once. Nothing is asked to end in order: the data is
// about to be removed, and an API server takes seconds to drain its watches.
func (c *cluster) close() {
	c.mutex.Lock()
	c.closing = true
	processes := c.processes
	c.mutex.Unlock()
	for _, p := range processes {
		p.kill()
	}
	if c.git != nil {
		c.git.Close()
	}
	for _, port := range c.ports {
		port.close()
	}
}
