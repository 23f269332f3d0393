package main_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDemo is what somebody sees who tries Pharos for the first time.
func TestDemo(t *testing.T) {
	t.Parallel()
	h := up(t, "--demo")
	if page, err := h.getOK(""); err != nil || !strings.Contains(string(page), "<title>Pharos") {
		t.Errorf("the page: %v %.300s", err, page)
	}
	if _, err := h.getOK("healthz"); err != nil {
		t.Error(err)
	}
	h.ready(t)

	var before []*float64
	waitFor(t, "a chart with both variants", func() (err error) {
		before, err = h.conversions()
		return err
	})
	waitFor(t, "the chart to move", func() error {
		now, err := h.conversions()
		if err == nil && slices.EqualFunc(now, before, func(a, b *float64) bool { return a == b || a != nil && b != nil && *a == *b }) {
			err = errors.New("it is as it was")
		}
		return err
	})
	waitFor(t, "the metrics of every role", func() error {
		text, err := h.getOK("metrics")
		if err != nil {
			return err
		}
		text = regexp.MustCompile(`digest="[0-9a-f]{12}",`).ReplaceAll(text, nil)
		for _, name := range []string{
			`pharos_dispatch_beacons_total `, `pharos_dispatch_filtered_total `, `pharos_session_records_total `, `pharos_session_sessions `,
			`pharos_ship_samples_total{store="local"} `, `pharos_plugin_rows_total{plugin="bots",version="1.0.0"} `,
		} {
			_, value, found := strings.Cut(string(text), "\n"+name)
			if value, _, _ = strings.Cut(value, "\n"); !found || value == "0" {
				return fmt.Errorf("%s%s", name, value)
			}
		}
		return nil
	})

	s, err := h.status()
	if err != nil || len(s.Faults) > 0 || len(s.Roles) != 4 || len(s.Plugins) != 3 {
		t.Errorf("status: %v %+v", err, s)
	}
	if out := mustRun(t, "status", "--addr", strings.TrimSuffix(h.url, "/")); !strings.Contains(out, "pharos.web") || !strings.Contains(out, "free") && !strings.Contains(out, "shop") {
		t.Errorf("pharos status:\n%s", out)
	}
	if out := mustRun(t, "plugin", "ls", "--all", "--addr", h.url); !strings.Contains(out, "\nbots ") || !strings.Contains(out, "  live ") {
		t.Errorf("pharos plugin ls:\n%s", out)
	}
	if out := mustRun(t, "plugin", "ls", "bots", "--addr", h.url); !strings.Contains(out, "\ngolden vectors ") || !strings.Contains(out, "\nlive ") {
		t.Errorf("pharos plugin ls bots:\n%s", out)
	}
	if out := mustRun(t, "reload", "--addr", h.url); out != "nothing has changed: generation 1 stays\n" {
		t.Errorf("reload: %s", out)
	}
	if _, err := os.Stat(h.cmd.Dir + "/data/demo/pharos.yaml"); err != nil {
		t.Errorf("the demo's config is not laid out: %v", err)
	}
	h.terminate(t)
}

// conversions are the totals and points of the conversion of an experiment; an
// error where the chart is not there yet.
func (h *host) conversions() (values []*float64, err error) {
	body, code, err := h.ask(http.MethodPost, "api/v1/shop/query", map[string]any{
		"from": "-1h", "formulas": []string{"conversion"}, "experiment": "checkout-button", "step": "1m",
	})
	if err != nil {
		return nil, err
	}
	if code != http.StatusOK {
		return nil, fmt.Errorf("%d: %s", code, body)
	}
	var answer struct {
		Series []struct {
			Total  *float64
			Points [][2]*float64
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Series) != 2 {
		return nil, fmt.Errorf("%d series", len(answer.Series))
	}
	for _, s := range answer.Series {
		if s.Total == nil || len(s.Points) < 2 {
			return nil, errors.New("nothing on it")
		}
		values = append(values, s.Total)
		for _, p := range s.Points {
			values = append(values, p[0], p[1])
		}
	}
	return values, nil
}
