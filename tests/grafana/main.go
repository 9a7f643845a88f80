// Holds dashboards to Grafana's own schema of them: each panel's options and the dashboard around it, strictly: what Grafana does not
// know, and what it needs and is not there. Usage: go run . DASHBOARD.json...
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	isWrong := len(os.Args) == 1
	for _, file := range os.Args[1:] {
		if wrong := check(file); wrong != "" {
			fmt.Fprintf(os.Stderr, "%s:\n%s\n", file, wrong)
			isWrong = true
		}
	}
	if isWrong {
		os.Exit(1)
	}
	fmt.Printf("%d dashboards are as Grafana's schema says\n", len(os.Args)-1)
}

// What is wrong with a dashboard; nothing if it is as it should be.
func check(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	var found dashboard.Dashboard
	// Its errors are a list, which is an error even when it is empty.
	if err := found.UnmarshalJSONStrict(text); err != nil && err.Error() != "" {
		return err.Error()
	}
	if err := found.Validate(); err != nil && err.Error() != "" {
		return err.Error()
	}
	return ""
}
