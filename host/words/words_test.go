package words_test

import (
	"testing"

	"github.com/seed-6a2d649b/pharos/host/words"
)

func TestNearest(t *testing.T) {
	known := []string{"startsWith", "endsWith", "has", "size", "topic"}
	for word, want := range map[string]string{
		"endsWidth": "endsWith", "startswith": "startsWith", "sise": "size", "hsa": "has", "tpoic": "topic",
		"Topics": "topic", "h": "", "exists": "", "": "",
	} {
		if got := words.Nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
