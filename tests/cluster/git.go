package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"windlass.dev/cluster/internal/gitserver"
)

// runGit serves Git alone and prints its URL.
func runGit(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("git", flag.ContinueOnError)
	root := flags.String("root", "", "directory of the repositories (required)")
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if *root == "" {
		return errors.New("git needs --root DIR")
	}
	service, err := gitserver.Start(*root, *listen, os.DevNull)
	if err != nil {
		return err
	}
	defer service.Close()
	fmt.Println(service.URL)
	<-ctx.Done()
	return nil
}
