package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// newClient reads a kubeconfig; the client is never throttled on our side.
func newClient(kubeconfig string) (*kubernetes.Clientset, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	config.Timeout = 10 * time.Second
	return kubernetes.NewForConfig(config)
}

// waitFor asks every 50 ms until the answer is yes. Errors are taken as "not
// yet" and the last one is reported when ctx ends, with the cause of its end.
func waitFor(ctx context.Context, what string, ask func(context.Context) (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		yes, err := ask(ctx)
		if yes {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			if last != nil {
				return fmt.Errorf("waiting for %s: %w (last answer: %v)", what, context.Cause(ctx), last)
			}
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// apiserverReady asks /readyz.
func apiserverReady(ctx context.Context, client kubernetes.Interface) (bool, error) {
	err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	return err == nil, err
}

// defaultNamespaceReady tells whether pods can be created in the default
// namespace: admission refuses them until the controller manager has made the
// namespace's service account.
func defaultNamespaceReady(ctx context.Context, client kubernetes.Interface) (bool, error) {
	_, err := client.CoreV1().ServiceAccounts(meta.NamespaceDefault).Get(ctx, "default", meta.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}
