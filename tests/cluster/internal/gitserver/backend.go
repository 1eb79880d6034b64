package gitserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"windlass.dev/cluster/internal/tied"
)

// gitSettings hold for every repository, whoever made it. Collecting garbage
// would leave a process behind that outlives the push; the owner of the
// directory doesn't matter to a server that only listens on loopback.
var gitSettings = [][2]string{
	{"http.receivepack", "true"},
	{"uploadpack.allowFilter", "true"},
	{"uploadpack.allowAnySHA1InWant", "true"},
	{"receive.autogc", "false"},
	{"gc.auto", "0"},
	{"maintenance.auto", "false"},
	{"safe.directory", "*"},
}

// gitEnvironment is all that a Git process sees: nothing of the user's settings.
func gitEnvironment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=/nonexistent",
		"GIT_CONFIG_NOSYSTEM=1",
		"GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_CONFIG_COUNT=" + strconv.Itoa(len(gitSettings)),
	}
	for i, setting := range gitSettings {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, setting[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, setting[1]))
	}
	return env
}

// serveBackend hands a request to git http-backend. Not net/http/cgi: that one
// refuses chunked request bodies, which is how Git sends any larger push, and
// its processes would survive us.
func (g *Server) serveBackend(w http.ResponseWriter, r *http.Request) {
	command := exec.CommandContext(r.Context(), g.backend)
	command.Env = append(gitEnvironment(),
		"GIT_PROJECT_ROOT="+g.Root,
		"GIT_HTTP_EXPORT_ALL=1",
		"GIT_PROTOCOL="+r.Header.Get("Git-Protocol"),
		"HTTP_GIT_PROTOCOL="+r.Header.Get("Git-Protocol"),
		"HTTP_CONTENT_ENCODING="+r.Header.Get("Content-Encoding"),
		"CONTENT_TYPE="+r.Header.Get("Content-Type"),
		"PATH_INFO="+r.URL.Path,
		"QUERY_STRING="+r.URL.RawQuery,
		"REQUEST_METHOD="+r.Method,
		"REMOTE_ADDR="+r.RemoteAddr,
		"SERVER_PROTOCOL="+r.Proto,
	)
	if r.ContentLength >= 0 {
		command.Env = append(command.Env, "CONTENT_LENGTH="+strconv.FormatInt(r.ContentLength, 10))
	}
	command.Stdin = r.Body
	command.Stderr = g.log.Writer()
	command.WaitDelay = time.Second
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	output, err := command.StdoutPipe()
	if err == nil {
		err = tied.Start(command)
	}
	if err != nil {
		g.log.Printf("%s: %v", r.URL.Path, err)
		http.Error(w, "git http-backend could not be started", http.StatusInternalServerError)
		return
	}
	if err := copyCGI(w, output); err != nil && r.Context().Err() == nil {
		g.log.Printf("%s: %v", r.URL.Path, err)
	}
	_ = output.Close()
	if err := command.Wait(); err != nil && r.Context().Err() == nil {
		g.log.Printf("%s: git http-backend: %v", r.URL.Path, err)
	}
}

// copyCGI turns the answer of a CGI program (RFC 3875, section 6) into one of HTTP.
func copyCGI(w http.ResponseWriter, output io.Reader) error {
	reader := bufio.NewReader(output)
	header, err := textproto.NewReader(reader).ReadMIMEHeader()
	if err != nil {
		http.Error(w, "git http-backend sent no answer", http.StatusBadGateway)
		return err
	}
	status := http.StatusOK
	if line := header.Get("Status"); line != "" {
		code, _, _ := strings.Cut(line, " ")
		status, err = strconv.Atoi(code)
		if err != nil || status < 200 || status > 599 {
			http.Error(w, "git http-backend sent no status", http.StatusBadGateway)
			return errors.New("bad status " + strconv.Quote(line))
		}
		header.Del("Status")
	}
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	_, err = io.Copy(w, reader)
	return err
}
