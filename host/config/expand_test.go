package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	c := mustLoad(t, "testdata/example/now.yaml")
	s := c.Kafka.SASL.Password
	text, err := json.Marshal(c.Kafka)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %d", s, s, s, s, s, s, s), fmt.Sprintf("%v %+v %#v", *c.Kafka.SASL, *c.Kafka.SASL, c.Kafka.SASL),
		string(text), string(c.JSON()), Explain(c),
	} {
		if strings.Contains(printed, "hunter2") || strings.Contains(printed, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("printed: %s", printed)
		}
	}
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte("from file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"NAME": "from env", "EMPTY": ""}
	for _, c := range []struct {
		text, want, ref string
		clear           int
	}{
		{"${NAME}", "from env", "${NAME}", 0},
		{"${file:" + file + "}", "from file", "${file:" + file + "}", 0},
		{"a ${NAME} b", "a from env b", "", 1},
		{"hunter2", "hunter2", "", 1},
		{"'$${NAME}'", "${NAME}", "", 1},
	} {
		got, cfg, faults := decodeAs[Secret](c.text, env)
		if len(faults) > 0 || got.Reveal() != c.want || got.ref != c.ref || len(cfg.clear) != c.clear {
			t.Errorf("%s: %q, %q, %v, %v", c.text, got.Reveal(), got.ref, cfg.clear, faults)
		}
	}
	for text, want := range map[string]string{
		"${EMPTY}": "empty", "${NOT}": "NOT is not set", "${file:no/such}": filepath.Join("testdata", "no", "such"), "[a]": "a list",
		"${file:" + dir + "}": "no regular file", "${a-b}": "neither",
	} {
		got, _, faults := decodeAs[Secret](text, env)
		if len(faults) != 1 || !strings.Contains(faults.Error(), want) {
			t.Errorf("%s: %q, %v", text, got.Reveal(), faults)
		}
	}
}

// Between braces YAML would end an unquoted value at a brace.
func TestReferenceBetweenBraces(t *testing.T) {
	t.Setenv("PHAROS_TEST_TOPIC", "beacons")
	c, err := Parse("x", ".", []byte("sources: [{name: site, topic: ${PHAROS_TEST_TOPIC}, fields: {ua: \"${PHAROS_TEST_TOPIC}.x\"}}] # ${a}\ntenants: {shop: {extract: p}}\nplugins: {p: {rules: {extract: [{point: o, when: 'a == \"${b}\"'}]}}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s := c.Sources[0]; s.Topic != "beacons" || s.Fields.Names[0].Value.String() != "beacons.x" {
		t.Errorf("%+v", s)
	}
	if got := c.Plugins[0].Value.Rules.Extract[0].When.Text; got != `a == "${b}"` {
		t.Errorf("an expression became %s", got)
	}
}
