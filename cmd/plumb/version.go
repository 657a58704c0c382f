package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (e *env) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if !e.json() {
				return e.print(fmt.Sprintf("plumb %s %s %s\n", version(), runtime.Version(), platform))
			}
			return printed(json.NewEncoder(e.stdout).Encode(map[string]string{
				"version": version(), "go": runtime.Version(), "platform": platform,
			}))
		},
	}
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
