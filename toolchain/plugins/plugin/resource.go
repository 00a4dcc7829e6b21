package plugin

import (
	"context"
	"maps"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Log shows one line, for a while or to the end.
type Log func(severity pulumirpc.LogSeverity, line string, shown Shown)

// Shown says how long a line is shown: while its resource is worked on, or in the list at the end of the run, too.
type Shown bool

const (
	Passing Shown = true
	Lasting Shown = false
)

// Call is what an operation works on.
type Call struct {
	Name string
	// Inputs are the new inputs, defaults filled in; nil for a delete.
	Inputs Values
	// State is the resource as it was last recorded; nil for a create.
	State Values
	// Log shows one line to the user, tied to the resource.
	Log Log
}

// Resource is one resource type. Its state is its inputs and, beside them, Outputs.
type Resource struct {
	Inputs  Properties
	Outputs Properties
	// Create makes the resource and returns its id and outputs.
	Create func(ctx context.Context, call Call) (id string, outputs Values, err error)
	// Update returns the new outputs.
	Update func(ctx context.Context, call Call) (outputs Values, err error)
	// UpdateKeeps lists the outputs that an update leaves as they are, which a preview may therefore show.
	UpdateKeeps []string
	// Delete may be nil: then there is nothing to do.
	Delete func(ctx context.Context, call Call) error
	// Refresh returns the outputs that changed by themselves. May be nil.
	Refresh func(state Values) Values
	// Expired names the outputs whose present value calls for a new resource. May be nil.
	Expired func(inputs, state Values) []string
}

func (r *Resource) state() Properties {
	all := Properties{}
	maps.Copy(all, r.Inputs)
	maps.Copy(all, r.Outputs)
	return all
}

// predicted is the state that a preview shows: everything that is not copied from the inputs is unknown.
func (r *Resource) predicted(inputs, before Values, keeps []string) Values {
	state := r.Inputs.withDefaults(inputs)
	for name := range r.Outputs {
		state[name] = unknownString
	}
	for _, name := range keeps {
		if before.Has(name) {
			state[name] = before[name]
		}
	}
	return state
}

func (r *Resource) diff(oldInputs, newInputs, state Values) map[string]*pulumirpc.PropertyDiff {
	before, after := r.Inputs.withDefaults(oldInputs), r.Inputs.withDefaults(newInputs)
	differences := map[string]*pulumirpc.PropertyDiff{}
	for name, property := range r.Inputs {
		for path, kind := range changes(name, before[name], after[name]) {
			differences[path] = &pulumirpc.PropertyDiff{Kind: replacing(kind, property.Replaces), InputDiff: true}
		}
	}
	if r.Expired != nil {
		for _, name := range r.Expired(after, state) {
			differences[name] = &pulumirpc.PropertyDiff{Kind: pulumirpc.PropertyDiff_UPDATE_REPLACE}
		}
	}
	return differences
}

func replacing(kind pulumirpc.PropertyDiff_Kind, replaces bool) pulumirpc.PropertyDiff_Kind {
	if !replaces {
		return kind
	}
	return kind + 1 // each kind is followed by its replacing twin
}
