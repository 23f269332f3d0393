package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/seed-6a2d649b/pharos/host/pipeline"
	"github.com/spf13/cobra"
)

func newStatus() *cobra.Command {
	var host hostFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "status [-c FILE | --addr URL]",
		Short: "Say what a running host does",
		Example: `  pharos status
  pharos status --addr http://127.0.0.1:7071 --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
			defer cancel()
			addr, err := host.address(c)
			if err != nil {
				return err
			}
			body, err := get(ctx, strings.TrimSuffix(addr, "/")+"/api/v1/status")
			if err != nil {
				return err
			}
			if asJSON {
				_, err := os.Stdout.Write(body)
				return err
			}
			var s pipeline.Status
			if err := json.Unmarshal(body, &s); err != nil {
				return fmt.Errorf("read the answer of %s: %w", addr, err)
			}
			return pipeline.WriteStatus(c.OutOrStdout(), &s)
		},
	}
	host.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print the answer as it is")
	return c
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, usagef("--addr: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w (is a host running? Name its address with --addr, or its config with -c)", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s: %.500s", url, resp.Status, body)
	}
	return body, nil
}
