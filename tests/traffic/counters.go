package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// series names one counter.
type series struct{ namespace, pod, code string }

// counters are what the pods would answer a scrape with.
type counters struct {
	mutex  sync.Mutex
	values map[series]float64
}

func newCounters() *counters { return &counters{values: map[series]float64{}} }

// add counts requests; a pod that was never asked starts at 0.
func (c *counters) add(at series, requests float64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.values[at] += requests
}

// keep forgets the pods that are gone.
func (c *counters) keep(alive map[string]bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for at := range c.values {
		if !alive[at.namespace+"/"+at.pod] {
			delete(c.values, at)
		}
	}
}

// ServeHTTP answers in the text format of Prometheus.
func (c *counters) ServeHTTP(writer http.ResponseWriter, _ *http.Request) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	lines := make([]string, 0, len(c.values))
	for at, value := range c.values {
		lines = append(lines, fmt.Sprintf("http_requests_total{namespace=%q,pod=%q,code=%q,simulated=\"true\"} %.0f\n",
			at.namespace, at.pod, at.code, value))
	}
	slices.Sort(lines)
	writer.Header().Set("Content-Type", "text/plain; version=0.0.4")
	fmt.Fprintf(writer, "# HELP http_requests_total Requests that were simulated.\n# TYPE http_requests_total counter\n%s",
		strings.Join(lines, ""))
}
