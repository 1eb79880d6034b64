package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

// controller is the name under which routes are accepted.
const controller = "windlass.dev/simulated-gateway"

// errorRatio is the annotation of a pod that says which share of its answers is 500.
const errorRatio = "simulated.windlass.dev/error-ratio"

var routeResource = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

// gateway accepts routes and divides requests as they say.
type gateway struct {
	routes   dynamic.Interface
	clients  kubernetes.Interface
	counters *counters
}

// serve simulates so many requests along each route.
func (g *gateway) serve(ctx context.Context, requests float64) error {
	list, err := g.routes.Resource(routeResource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	pods, err := g.clients.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	slices, err := g.clients.DiscoveryV1().EndpointSlices("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	alive, byName := map[string]bool{}, map[string]*corev1.Pod{}
	for i := range pods.Items {
		pod := &pods.Items[i]
		key := pod.Namespace + "/" + pod.Name
		alive[key], byName[key] = true, pod
	}
	g.counters.keep(alive)
	backends := ready(slices.Items, byName)
	for i := range list.Items {
		route := &list.Items[i]
		if err := g.accept(ctx, route); err != nil {
			return err
		}
		g.send(route, backends, requests)
	}
	return nil
}

// ready gives the pods of each Service that answer.
func ready(slices []discoveryv1.EndpointSlice, pods map[string]*corev1.Pod) map[string][]*corev1.Pod {
	found := map[string][]*corev1.Pod{}
	for _, slice := range slices {
		service := slice.Namespace + "/" + slice.Labels[discoveryv1.LabelServiceName]
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready || endpoint.TargetRef == nil {
				continue
			}
			if pod := pods[slice.Namespace+"/"+endpoint.TargetRef.Name]; pod != nil {
				found[service] = append(found[service], pod)
			}
		}
	}
	return found
}

// rules is what of a route divides requests.
type rules struct {
	Spec struct {
		ParentRefs []map[string]any `json:"parentRefs"`
		Rules      []struct {
			Matches []struct {
				Headers []any `json:"headers"`
			} `json:"matches"`
			BackendRefs []struct {
				Name   string `json:"name"`
				Weight *int64 `json:"weight"`
			} `json:"backendRefs"`
		} `json:"rules"`
	} `json:"spec"`
}

func read(route *unstructured.Unstructured) (rules, error) {
	var found rules
	text, err := json.Marshal(route.Object)
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	return found, err
}

// send divides requests over the backends of the first rule without a header match, and those of each over its
// pods. Weights are kept exactly; which of the answers are errors is drawn.
func (g *gateway) send(route *unstructured.Unstructured, backends map[string][]*corev1.Pod, requests float64) {
	found, err := read(route)
	if err != nil {
		return
	}
	for _, rule := range found.Spec.Rules {
		if len(rule.Matches) > 0 && len(rule.Matches[0].Headers) > 0 {
			continue
		}
		total := 0.0
		for _, backend := range rule.BackendRefs {
			total += weight(backend.Weight)
		}
		for _, backend := range rule.BackendRefs {
			pods := backends[route.GetNamespace()+"/"+backend.Name]
			share := requests * weight(backend.Weight) / math.Max(total, 1)
			for _, pod := range pods {
				g.answer(pod, share/float64(len(pods)))
			}
		}
		return
	}
}

func weight(weight *int64) float64 {
	if weight == nil {
		return 1
	}
	return float64(*weight)
}

// answer counts what a pod answers to so many requests.
func (g *gateway) answer(pod *corev1.Pod, requests float64) {
	ratio, _ := strconv.ParseFloat(pod.Annotations[errorRatio], 64)
	whole, part := math.Modf(requests)
	if rand.Float64() < part {
		whole++
	}
	bad := 0.0
	for range int(whole) {
		if rand.Float64() < ratio {
			bad++
		}
	}
	g.counters.add(series{pod.Namespace, pod.Name, "200"}, whole-bad)
	g.counters.add(series{pod.Namespace, pod.Name, "500"}, bad)
}

// accept writes the status that a gateway would write.
func (g *gateway) accept(ctx context.Context, route *unstructured.Unstructured) error {
	found, err := read(route)
	if err != nil {
		return err
	}
	known, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	if len(known) == len(found.Spec.ParentRefs) && current(known, route.GetGeneration()) {
		return nil
	}
	parents := make([]any, 0, len(found.Spec.ParentRefs))
	for _, parent := range found.Spec.ParentRefs {
		condition := func(kind string) any {
			return map[string]any{
				"type": kind, "status": "True", "reason": kind, "message": "simulated",
				"observedGeneration": route.GetGeneration(),
				"lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
			}
		}
		parents = append(parents, map[string]any{
			"parentRef": parent, "controllerName": controller,
			"conditions": []any{condition("Accepted"), condition("ResolvedRefs")},
		})
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"parents": parents}})
	if err != nil {
		return err
	}
	_, err = g.routes.Resource(routeResource).Namespace(route.GetNamespace()).
		Patch(ctx, route.GetName(), "application/merge-patch+json", patch, metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("HTTPRoute %s: %w", route.GetName(), err)
	}
	return nil
}

// current says whether all conditions are of this generation.
func current(parents []any, generation int64) bool {
	for _, parent := range parents {
		conditions, _, _ := unstructured.NestedSlice(parent.(map[string]any), "conditions")
		for _, condition := range conditions {
			seen, _, _ := unstructured.NestedInt64(condition.(map[string]any), "observedGeneration")
			if seen != generation {
				return false
			}
		}
	}
	return true
}
