package main

import (
	"context"
	"fmt"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// fakeNode marks the nodes that kwok plays.
const fakeNode = "kwok.x-k8s.io/node"

// kwokArgs plays the nodes marked by fakeNode with the stages of config/kwok.yaml.
func kwokArgs(config, kubeconfig string, port claimedPort) []string {
	return []string{
		"--config=" + config,
		"--kubeconfig=" + kubeconfig,
		"--manage-nodes-with-annotation-selector=" + fakeNode + "=fake",
		"--cidr=10.200.0.0/16",
		"--node-ip=10.200.255.1",
		"--node-lease-duration-seconds=40",
		"--server-address=" + port.String(),
	}
}

// createNodes registers count fake nodes, fake-1 and up, with room for the
// pods of any test and without a taint: pods land on them as they are.
func createNodes(ctx context.Context, client kubernetes.Interface, count int) error {
	room := core.ResourceList{
		core.ResourceCPU:              resource.MustParse("64"),
		core.ResourceMemory:           resource.MustParse("512Gi"),
		core.ResourceEphemeralStorage: resource.MustParse("1Ti"),
		core.ResourcePods:             resource.MustParse("1000"),
	}
	for i := 1; i <= count; i++ {
		name := fmt.Sprintf("fake-%d", i)
		node := &core.Node{
			ObjectMeta: meta.ObjectMeta{
				Name:        name,
				Annotations: map[string]string{fakeNode: "fake"},
				Labels: map[string]string{
					"type":                 "kwok",
					core.LabelHostname:     name,
					core.LabelOSStable:     "linux",
					core.LabelArchStable:   "amd64",
					core.LabelTopologyZone: fmt.Sprintf("zone-%d", (i-1)%3+1),
				},
			},
			Status: core.NodeStatus{Allocatable: room, Capacity: room},
		}
		if _, err := client.CoreV1().Nodes().Create(ctx, node, meta.CreateOptions{}); err != nil {
			return fmt.Errorf("create node %s: %w", name, err)
		}
	}
	return nil
}

// nodesReady tells whether count nodes are Ready and the node controller has
// taken its not-ready taint off them.
func nodesReady(ctx context.Context, client kubernetes.Interface, count int) (bool, error) {
	nodes, err := client.CoreV1().Nodes().List(ctx, meta.ListOptions{})
	if err != nil {
		return false, err
	}
	ready := 0
	for _, node := range nodes.Items {
		for _, condition := range node.Status.Conditions {
			if condition.Type == core.NodeReady && condition.Status == core.ConditionTrue && len(node.Spec.Taints) == 0 {
				ready++
			}
		}
	}
	return ready >= count, nil
}
