package influx

import (
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/seed-6a2d649b/pharos/sinks/sinktest"
	"github.com/seed-6a2d649b/pharos/sinks/web"
)

func TestConformance(t *testing.T) {
	server := sinktest.Start(t, "influx")
	answer, err := http.PostForm(server.URL+"/query", url.Values{"q": {"CREATE DATABASE pharos"}})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(answer.Body)
	t.Log(answer.Status, string(b))
	answer.Body.Close()
	store, err := Open(Options{Options: web.Options{URL: server.URL}, Database: "pharos"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	sinktest.Run(t, sinktest.Trial{Store: store})
}
