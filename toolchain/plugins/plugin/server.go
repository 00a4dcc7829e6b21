package plugin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

type server struct {
	pulumirpc.UnimplementedResourceProviderServer
	pkg    Package
	engine *engine
	// running ends when the engine is cancelled; every operation lives within it.
	running context.Context
	cancel  context.CancelFunc
}

func (s *server) Handshake(
	_ context.Context, request *pulumirpc.ProviderHandshakeRequest,
) (*pulumirpc.ProviderHandshakeResponse, error) {
	return &pulumirpc.ProviderHandshakeResponse{}, s.engine.connect(request.EngineAddress)
}

func (s *server) Attach(_ context.Context, request *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.engine.connect(request.Address)
}

func (s *server) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: s.pkg.Version}, nil
}

func (s *server) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	schema, err := s.pkg.schema()
	return &pulumirpc.GetSchemaResponse{Schema: schema}, err
}

// configuration that the engine itself puts into a provider's inputs.
var engineConfiguration = []string{"version", "pluginDownloadURL", "pluginChecksums", "parameterization", "__internal"}

func (s *server) CheckConfig(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	response := &pulumirpc.CheckResponse{Inputs: request.News}
	for name := range request.News.GetFields() {
		if !slices.Contains(engineConfiguration, name) {
			response.Failures = append(response.Failures, &pulumirpc.CheckFailure{
				Property: name, Reason: fmt.Sprintf("configuration '%s' %s", name, s.unsupported()),
			})
		}
	}
	return response, nil
}

func (s *server) DiffConfig(context.Context, *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
}

// Secrets are not accepted: the engine then sends plain values and marks outputs named like secret inputs itself.
func (s *server) Configure(context.Context, *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	return &pulumirpc.ConfigureResponse{SupportsPreview: true}, nil
}

func (s *server) Invoke(_ context.Context, request *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	return nil, status.Errorf(codes.InvalidArgument, "function %q %s", request.Tok, s.unsupported())
}

func (s *server) Call(_ context.Context, request *pulumirpc.CallRequest) (*pulumirpc.CallResponse, error) {
	return nil, status.Errorf(codes.InvalidArgument, "method %q %s", request.Tok, s.unsupported())
}

func (s *server) Construct(
	_ context.Context, request *pulumirpc.ConstructRequest,
) (*pulumirpc.ConstructResponse, error) {
	return nil, status.Errorf(codes.InvalidArgument, "component %q %s", request.Type, s.unsupported())
}

func (s *server) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	s.cancel()
	return &emptypb.Empty{}, nil
}

func (s *server) Check(_ context.Context, request *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	resource, err := s.resource(request.Urn)
	if err != nil {
		return nil, err
	}
	inputs := fromWire(request.News)
	response := &pulumirpc.CheckResponse{}
	for _, failure := range (Object{Properties: resource.Inputs}).check("", inputs) {
		response.Failures = append(response.Failures,
			&pulumirpc.CheckFailure{Property: failure.path, Reason: failure.reason})
	}
	response.Inputs, err = resource.Inputs.toWire(inputs)
	return response, err
}

func (s *server) Diff(_ context.Context, request *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	resource, err := s.resource(request.Urn)
	if err != nil {
		return nil, err
	}
	differences := resource.diff(fromWire(request.OldInputs), fromWire(request.News), fromWire(request.Olds))
	response := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_NONE, DetailedDiff: differences, HasDetailedDiff: true,
	}
	for _, path := range slices.Sorted(maps.Keys(differences)) {
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs = append(response.Diffs, path)
		if differences[path].Kind%2 == 1 { // see replacing
			response.Replaces = append(response.Replaces, path)
		}
	}
	return response, nil
}

func (s *server) Create(_ context.Context, request *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	resource, err := s.resource(request.Urn)
	if err != nil {
		return nil, err
	}
	inputs := fromWire(request.Properties)
	response := &pulumirpc.CreateResponse{}
	if request.Preview {
		response.Properties, err = resource.state().toWire(resource.predicted(inputs, nil, nil))
		return response, err
	}
	ctx, end := s.operation(request.Timeout)
	defer end()
	call := s.call(request.Urn, resource.Inputs.withDefaults(inputs), nil)
	id, outputs, err := resource.Create(ctx, call)
	if err != nil {
		return nil, err
	}
	response.Id = id
	response.Properties, err = resource.state().toWire(call.Inputs.With(outputs))
	return response, err
}

func (s *server) Update(_ context.Context, request *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	resource, err := s.resource(request.Urn)
	if err != nil {
		return nil, err
	}
	inputs, before := fromWire(request.News), fromWire(request.Olds)
	response := &pulumirpc.UpdateResponse{}
	if request.Preview {
		response.Properties, err = resource.state().toWire(resource.predicted(inputs, before, resource.UpdateKeeps))
		return response, err
	}
	ctx, end := s.operation(request.Timeout)
	defer end()
	call := s.call(request.Urn, resource.Inputs.withDefaults(inputs), before)
	outputs, err := resource.Update(ctx, call)
	if err != nil {
		return nil, err
	}
	response.Properties, err = resource.state().toWire(call.Inputs.With(outputs))
	return response, err
}

func (s *server) Delete(_ context.Context, request *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	resource, err := s.resource(request.Urn)
	if err != nil || resource.Delete == nil {
		return &emptypb.Empty{}, err
	}
	ctx, end := s.operation(request.Timeout)
	defer end()
	return &emptypb.Empty{}, resource.Delete(ctx, s.call(request.Urn, nil, fromWire(request.Properties)))
}

func (s *server) Read(_ context.Context, request *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	resource, err := s.resource(request.Urn)
	if err != nil {
		return nil, err
	}
	state := fromWire(request.Properties)
	if len(state) == 0 {
		return nil, status.Errorf(codes.InvalidArgument, "import of %q %s", typeOf(request.Urn), s.unsupported())
	}
	if resource.Refresh != nil {
		state = state.With(resource.Refresh(state))
	}
	response := &pulumirpc.ReadResponse{Id: request.Id, Inputs: request.Inputs}
	response.Properties, err = resource.state().toWire(state)
	return response, err
}

func (s *server) resource(urn string) (*Resource, error) {
	token := typeOf(urn)
	if resource, served := s.pkg.Resources[token]; served {
		return resource, nil
	}
	return nil, status.Errorf(codes.InvalidArgument, "resource type %q %s", token, s.unsupported())
}

func (s *server) unsupported() string {
	return fmt.Sprintf("is not supported by this stand-in for pulumi-resource-%s, which serves only %s; "+
		"put the official plugin v%s on PATH to use it", s.pkg.Name,
		strings.Join(slices.Sorted(maps.Keys(s.pkg.Resources)), ", "), s.pkg.Version)
}

func (s *server) operation(timeoutSeconds float64) (context.Context, context.CancelFunc) {
	if timeoutSeconds <= 0 {
		return context.WithCancel(s.running)
	}
	return context.WithTimeout(s.running, time.Duration(timeoutSeconds*float64(time.Second)))
}

func (s *server) call(urn string, inputs, state Values) Call {
	return Call{
		Name:   urn[strings.LastIndex(urn, "::")+2:],
		Inputs: inputs,
		State:  state,
		Log: func(severity pulumirpc.LogSeverity, line string, shown Shown) {
			s.engine.log(&pulumirpc.LogRequest{Urn: urn, Severity: severity, Message: line, Ephemeral: bool(shown)})
		},
	}
}

// typeOf takes the resource's own type out of urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME.
func typeOf(urn string) string {
	parts := strings.SplitN(urn, "::", 4)
	if len(parts) < 4 {
		return urn
	}
	return parts[2][strings.LastIndex(parts[2], "$")+1:]
}
