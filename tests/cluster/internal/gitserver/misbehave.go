package gitserver

import (
	"fmt"
	"net/http"
	"strconv"
)

// misbehave adds endpoints for tests of a client's limits. Anything may follow
// the prefix, so each can stand for the URL of a repository.
//
//	/_silent/...        takes the request and never answers
//	/_endless/...       an advertisement of refs that never ends
//	/_close/...         promises more bytes than it sends, then closes
//	/_status/CODE/...   answers that status
func misbehave(mux *http.ServeMux) {
	mux.HandleFunc("/_silent/", func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	})
	mux.HandleFunc("/_endless/", endless)
	mux.HandleFunc("/_close/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		w.Header().Set("Content-Length", "100000")
		_, _ = fmt.Fprint(w, "001e# service=git-upload-pack\n0000")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/_status/{code}/", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.PathValue("code"))
		if err != nil || code < 200 || code > 599 {
			http.Error(w, "the status must be a number from 200 to 599", http.StatusNotFound)
			return
		}
		http.Error(w, "as asked for", code)
	})
}

// endless sends valid refs (gitprotocol-http, "Smart Server Response") as fast
// as the client takes them: only a bound of the client's own ends it.
func endless(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
	if _, err := fmt.Fprint(w, "001e# service=git-upload-pack\n0000"); err != nil {
		return
	}
	for i := 0; r.Context().Err() == nil; i++ {
		line := fmt.Sprintf("%040x refs/heads/branch-%d", i+1, i)
		if i == 0 {
			line += "\x00side-band-64k ofs-delta agent=git/windlass-test"
		}
		if _, err := fmt.Fprintf(w, "%04x%s\n", len(line)+5, line); err != nil {
			return
		}
	}
}
