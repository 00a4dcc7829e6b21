// Package remote runs commands on hosts over SSH.
package remote

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/crypto/ssh"

	"pulumi-etcd/toolchain/plugins/plugin"
)

// Waits between dials: the first, how each next one grows, and the longest.
const (
	firstDialDelay  = 100 * time.Millisecond
	dialDelayGrowth = 1.5
	longestDelay    = 5 * time.Second
)

var connectionType = plugin.Type{Kind: plugin.Nested, Object: &plugin.Object{
	Token:      "command:remote:Connection",
	Properties: endpoint(plugin.Properties{"proxy": {Type: proxyType}}),
}}

var proxyType = plugin.Type{Kind: plugin.Nested, Object: &plugin.Object{
	Token:      "command:remote:ProxyConnection",
	Properties: endpoint(plugin.Properties{}),
}}

func endpoint(properties plugin.Properties) plugin.Properties {
	properties["host"] = plugin.Property{Type: text, Required: true}
	for _, name := range []string{"user", "agentSocketPath", "hostKey", "privateKey", "privateKeyPassword", "password"} {
		properties[name] = plugin.Property{Type: text}
	}
	for _, name := range []string{"port", "dialErrorLimit", "perDialTimeout"} {
		properties[name] = plugin.Property{Type: plugin.Type{Kind: plugin.Number}}
	}
	return properties
}

func dial(ctx context.Context, connection plugin.Values) (*ssh.Client, error) {
	direct := func(ctx context.Context, address string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}
	if !connection.Has("proxy") {
		return connect(ctx, connection, direct)
	}
	proxy, err := connect(ctx, connection.Object("proxy"), direct)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	client, err := connect(ctx, connection, func(ctx context.Context, address string) (net.Conn, error) {
		return proxy.DialContext(ctx, "tcp", address)
	})
	if err != nil {
		_ = proxy.Close()
		return nil, fmt.Errorf("proxy: %w", err)
	}
	go func() { // the proxy's connection lives as long as the one through it
		_ = client.Wait()
		_ = proxy.Close()
	}()
	return client, nil
}

type open func(ctx context.Context, address string) (net.Conn, error)

// connect dials until it succeeds, or until dialErrorLimit dials failed and one more (-1: no limit).
func connect(ctx context.Context, to plugin.Values, open open) (*ssh.Client, error) {
	config, release, err := clientConfig(to)
	if err != nil {
		return nil, err
	}
	defer release()
	address := net.JoinHostPort(to.Text("host"), strconv.Itoa(number(to, "port", 22)))
	limit := number(to, "dialErrorLimit", 10)
	timeout := time.Duration(number(to, "perDialTimeout", 15)) * time.Second
	delay := firstDialDelay
	for failed := 0; ; failed++ {
		client, err := dialOnce(ctx, address, timeout, config, open)
		if err == nil {
			return client, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: after %d failed attempts: %w", context.Cause(ctx), failed, err)
		}
		if limit >= 0 && failed >= limit {
			return nil, fmt.Errorf("after %d failed attempts: %w", failed, err)
		}
		select {
		case <-time.After(delay):
			delay = min(time.Duration(float64(delay)*dialDelayGrowth), longestDelay)
		case <-ctx.Done():
		}
	}
}

func dialOnce(
	ctx context.Context, address string, timeout time.Duration, config *ssh.ClientConfig, open open,
) (*ssh.Client, error) {
	if timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		ctx = limited
	}
	connection, err := open(ctx, address)
	if err != nil {
		return nil, err
	}
	// A host that accepts and then says nothing must not outlast the time-out either; closing works through a proxy too.
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	secured, channels, requests, err := ssh.NewClientConn(connection, address, config)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = connection.Close()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("dial %s: %w", address, ctx.Err())
		}
		return nil, err
	}
	return ssh.NewClient(secured, channels, requests), nil
}

func number(values plugin.Values, name string, otherwise int) int {
	if !values.Has(name) {
		return otherwise
	}
	return values.Int(name)
}
