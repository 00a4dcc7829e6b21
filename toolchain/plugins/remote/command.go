package remote

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"

	"pulumi-etcd/toolchain/plugins/plugin"
)

// Command runs a shell command on a host when it is created, changed or deleted.
var Command = &plugin.Resource{
	Inputs: plugin.Properties{
		"connection":             {Type: connectionType, Required: true, Secret: true},
		"create":                 {Type: text},
		"update":                 {Type: text},
		"delete":                 {Type: text},
		"stdin":                  {Type: text},
		"environment":            {Type: plugin.Type{Kind: plugin.Map, Of: &text}},
		"triggers":               {Type: plugin.Type{Kind: plugin.List, Of: &anything}, Replaces: true},
		"logging":                {Type: plugin.Type{Kind: plugin.String, Enum: streams}},
		"addPreviousOutputInEnv": {Type: plugin.Type{Kind: plugin.Boolean}},
	},
	Outputs: plugin.Properties{
		"stdout": {Type: text, Required: true},
		"stderr": {Type: text, Required: true},
	},
	Create: create,
	Update: update,
	Delete: remove,
}

var (
	text     = plugin.Type{Kind: plugin.String}
	anything = plugin.Type{Kind: plugin.Any}
	streams  = []string{"stdout", "stderr", "stdoutAndStderr", "none"}
)

func create(ctx context.Context, call plugin.Call) (string, plugin.Values, error) {
	suffix := make([]byte, 4)
	if _, err := rand.Read(suffix); err != nil {
		return "", nil, err
	}
	id := call.Name + hex.EncodeToString(suffix)
	if !call.Inputs.Has("create") {
		return id, plugin.Values{"stdout": "", "stderr": ""}, nil
	}
	outputs, err := run(ctx, call, call.Inputs, call.Inputs.Text("create"))
	return id, outputs, err
}

// update runs `create` again when there is no `update`, and nothing when there is neither.
func update(ctx context.Context, call plugin.Call) (plugin.Values, error) {
	for _, name := range []string{"update", "create"} {
		if call.Inputs.Has(name) {
			return run(ctx, call, call.Inputs, call.Inputs.Text(name))
		}
	}
	return plugin.Values{"stdout": call.State.Text("stdout"), "stderr": call.State.Text("stderr")}, nil
}

func remove(ctx context.Context, call plugin.Call) error {
	if !call.State.Has("delete") {
		return nil
	}
	_, err := run(ctx, call, call.State, call.State.Text("delete"))
	return err
}

func run(ctx context.Context, call plugin.Call, arguments plugin.Values, command string) (plugin.Values, error) {
	client, err := dial(ctx, arguments.Object("connection"))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	stdout, stderr, err := session{
		command:     command,
		stdin:       arguments.Text("stdin"),
		environment: texts(arguments.Object("environment")),
		previous:    previous(arguments, call.State),
		logging:     arguments.Text("logging"),
		log:         call.Log,
	}.run(ctx, client)
	if err != nil {
		return nil, err
	}
	return plugin.Values{"stdout": readable(stdout), "stderr": readable(stderr)}, nil
}

// readable is output as the state can hold it: a command may write any bytes, and a state holds text.
func readable(output string) string {
	return strings.ToValidUTF8(strings.TrimSuffix(output, "\n"), "\uFFFD")
}

func texts(values plugin.Values) map[string]string {
	all := map[string]string{}
	for name := range values {
		all[name] = values.Text(name)
	}
	return all
}

// previous is what the last run wrote, unless the program wants none of it.
func previous(arguments, state plugin.Values) map[string]string {
	variables := map[string]string{}
	if arguments.Has("addPreviousOutputInEnv") && !arguments.Flag("addPreviousOutputInEnv") {
		return variables
	}
	for variable, output := range map[string]string{
		"PULUMI_COMMAND_STDOUT": state.Text("stdout"),
		"PULUMI_COMMAND_STDERR": state.Text("stderr"),
	} {
		if output != "" {
			variables[variable] = output
		}
	}
	return variables
}
