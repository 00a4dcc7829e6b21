package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"golang.org/x/crypto/ssh"

	"pulumi-etcd/toolchain/plugins/plugin"
)

// session is one run of one command over an open connection.
type session struct {
	command     string
	stdin       string
	environment map[string]string
	previous    map[string]string // what the last run wrote; the server may refuse it
	logging     string            // stdout, stderr, stdoutAndStderr (also when empty), none
	log         plugin.Log
}

func (s session) run(ctx context.Context, client *ssh.Client) (stdout, stderr string, err error) {
	channel, err := client.NewSession()
	if err != nil {
		return "", "", err
	}
	defer channel.Close()
	for name, value := range s.environment {
		if err := channel.Setenv(name, value); err != nil {
			s.log(pulumirpc.LogSeverity_ERROR, refused(name), plugin.Lasting)
			return "", "", fmt.Errorf("could not set environment variable %q: %w", name, err)
		}
	}
	for name, value := range s.previous {
		if err := channel.Setenv(name, value); err != nil {
			s.log(pulumirpc.LogSeverity_WARNING, refused(name), plugin.Lasting)
		}
	}
	var out, errors, both locked
	outLines, errLines := s.lines("stdout"), s.lines("stderr")
	channel.Stdin = strings.NewReader(s.stdin)
	channel.Stdout = io.MultiWriter(&out, &both, outLines)
	channel.Stderr = io.MultiWriter(&errors, &both, errLines)
	if err := channel.Start(s.command); err != nil {
		return "", "", s.failed(err, "")
	}
	done := make(chan error, 1)
	go func() { done <- channel.Wait() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		_ = channel.Signal(ssh.SIGTERM) // sshd may refuse signals; closing the connection ends the session anyway
		_ = client.Close()
		<-done
		err = context.Cause(ctx)
	}
	outLines.flush()
	errLines.flush()
	if err != nil {
		return "", "", s.failed(err, both.String())
	}
	return out.String(), errors.String(), nil
}

func refused(name string) string {
	return fmt.Sprintf("Unable to set '%s'. This only works if the SSH server is configured to accept it (AcceptEnv); "+
		"a shell also takes it in front of the command, as 'VAR=value command'.", name)
}

func (s session) failed(err error, output string) error {
	return fmt.Errorf("%w: running %q:\n%s", err, s.command, readable(output))
}

func (s session) lines(stream string) *lines {
	if s.logging == "" || s.logging == "stdoutAndStderr" || s.logging == stream {
		return &lines{show: func(line string) { s.log(pulumirpc.LogSeverity_INFO, readable(line), plugin.Passing) }}
	}
	return &lines{show: func(string) {}}
}

// locked is a buffer that stdout and stderr may write to at the same time.
type locked struct {
	lock   sync.Mutex
	buffer bytes.Buffer
}

func (l *locked) Write(data []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.buffer.Write(data)
}

func (l *locked) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.buffer.String()
}

// lines shows each line as it is complete.
type lines struct {
	show func(line string)
	rest []byte
}

func (l *lines) Write(data []byte) (int, error) {
	l.rest = append(l.rest, data...)
	for {
		end := bytes.IndexByte(l.rest, '\n')
		if end < 0 {
			return len(data), nil
		}
		l.show(string(l.rest[:end]))
		l.rest = l.rest[end+1:]
	}
}

func (l *lines) flush() {
	if len(l.rest) > 0 {
		l.show(string(l.rest))
	}
	l.rest = nil
}
