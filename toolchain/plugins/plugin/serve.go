package plugin

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// messageLimit is the engine's own, in bytes.
const messageLimit = 400 << 20

// Serve answers the engine until it ends this process: the port goes to stdout, as the engine expects of a plugin.
func Serve(pkg Package) {
	if err := serve(pkg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(pkg Package) error {
	running, cancel := context.WithCancel(context.Background())
	provider := &server{pkg: pkg, engine: &engine{}, running: running, cancel: cancel}
	for _, argument := range os.Args[1:] {
		if strings.HasPrefix(argument, "-") {
			continue // logging and tracing flags
		}
		if err := provider.engine.connect(argument); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	transport := grpc.NewServer(grpc.MaxRecvMsgSize(messageLimit), grpc.MaxSendMsgSize(messageLimit))
	pulumirpc.RegisterResourceProviderServer(transport, provider)
	go stopWithEngine(transport, cancel)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return transport.Serve(listener)
}

// stopWithEngine ends the plugin when the engine is gone without a word: the pipe that it holds to our stdin closes.
func stopWithEngine(transport *grpc.Server, cancel context.CancelFunc) {
	stdin, err := os.Stdin.Stat()
	if err != nil || stdin.Mode()&os.ModeNamedPipe == 0 {
		return
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	cancel()
	time.AfterFunc(5*time.Second, func() { os.Exit(1) })
	transport.GracefulStop()
}

// engine is the way back to the engine, for log lines.
type engine struct {
	lock   sync.Mutex
	client pulumirpc.EngineClient
}

func (e *engine) connect(address string) error {
	e.lock.Lock()
	defer e.lock.Unlock()
	if e.client != nil || address == "" {
		return nil
	}
	connection, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(messageLimit)))
	if err != nil {
		return err
	}
	e.client = pulumirpc.NewEngineClient(connection)
	return nil
}

// log must not stop the operation it speaks of: what the engine does not take is lost.
func (e *engine) log(request *pulumirpc.LogRequest) {
	e.lock.Lock()
	client := e.client
	e.lock.Unlock()
	if client == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = client.Log(ctx, request)
}
