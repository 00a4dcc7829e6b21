// Package plugin serves a handful of resource types to the Pulumi engine. A resource is described by its properties;
// checking, diffing, previews and the published schema all follow from that one description.
package plugin

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Kind is the JSON schema name of a property's type.
type Kind string

const (
	String  Kind = "string"
	Number  Kind = "number"
	Integer Kind = "integer"
	Boolean Kind = "boolean"
	List    Kind = "array"
	Map     Kind = "object"
	Any     Kind = "any"
	Nested  Kind = "nested"
)

// Type is what values a property takes.
type Type struct {
	Kind   Kind
	Of     *Type    // of lists and maps
	Object *Object  // of nested objects
	Enum   []string // of strings: the only values allowed; nil: any
	Least  *float64 // of numbers: the smallest value allowed; nil: any
}

// Object is a nested object type, published under its token.
type Object struct {
	Token      string
	Properties Properties
}

// Property is one input or output.
type Property struct {
	Type
	Required bool
	Default  any
	Secret   bool
	// Replaces says that a changed input needs a new resource instead of an update.
	Replaces bool
	// Unsupported marks an input that the official plugin takes and this one refuses.
	Unsupported bool
}

// Properties are named inputs or outputs.
type Properties map[string]Property

// Package is everything a plugin serves.
type Package struct {
	Name    string
	Version string
	// Resources are served under their type tokens.
	Resources map[string]*Resource
	// Modules is the schema's module format: how a token's middle part maps to a module of the SDK.
	Modules string
}

func (o Object) check(path string, value map[string]any) (failures []failure) {
	for name := range value {
		if property, known := o.Properties[name]; !known {
			failures = append(failures, failure{join(path, name), fmt.Sprintf("Unrecognized field '%s'", name)})
		} else if property.Unsupported {
			failures = append(failures, failure{join(path, name),
				fmt.Sprintf("'%s' is not supported by this stand-in plugin; install the official plugin to use it", name)})
		}
	}
	for name, property := range o.Properties {
		given, has := value[name]
		if has && !property.Unsupported {
			failures = append(failures, property.Type.check(join(path, name), given)...)
		} else if property.Required && !has {
			failures = append(failures, failure{join(path, name), fmt.Sprintf("Missing required property '%s'", name)})
		}
	}
	slices.SortFunc(failures, func(a, b failure) int { return strings.Compare(a.path, b.path) })
	return failures
}

func (t Type) check(path string, value any) (failures []failure) {
	if isUnknown(value) || t.Kind == Any {
		return nil
	}
	wrong := []failure{{path, fmt.Sprintf("expected %s, got %s", t.noun(), kindOf(value))}}
	switch given := value.(type) {
	case string:
		if t.Kind != String {
			return wrong
		}
		if t.Enum != nil && !slices.Contains(t.Enum, given) {
			return []failure{{path, fmt.Sprintf("value must be one of: [%s], got: %q", quoted(t.Enum), given)}}
		}
	case float64:
		if t.Kind != Number && (t.Kind != Integer || given != math.Trunc(given)) {
			return wrong
		}
		if t.Least != nil && given < *t.Least {
			return []failure{{path, fmt.Sprintf("value must be at least %v, got: %v", *t.Least, given)}}
		}
	case bool:
		if t.Kind != Boolean {
			return wrong
		}
	case []any:
		if t.Kind != List {
			return wrong
		}
		for index, element := range given {
			failures = append(failures, t.Of.check(fmt.Sprintf("%s[%d]", path, index), element)...)
		}
	case map[string]any:
		switch t.Kind {
		case Nested:
			return t.Object.check(path, given)
		case Map:
			for name, element := range given {
				failures = append(failures, t.Of.check(join(path, name), element)...)
			}
		default:
			return wrong
		}
	}
	return failures
}

func (t Type) noun() string {
	if t.Kind == Nested {
		return "object"
	}
	return string(t.Kind)
}

func (p Properties) withDefaults(values Values) Values {
	filled := Values{}
	for name, property := range p {
		if value, has := values[name]; has {
			filled[name] = value
		} else if property.Default != nil {
			filled[name] = property.Default
		}
	}
	return filled
}

// schema renders the package as the engine and SDK generators read it.
func (p Package) schema() (string, error) {
	types, resources := map[string]any{}, map[string]any{}
	for token, resource := range p.Resources {
		outputs := resource.state()
		resources[token] = map[string]any{
			"inputProperties": resource.Inputs.schema(types), "requiredInputs": resource.Inputs.required(),
			"properties": outputs.schema(types), "required": outputs.required(),
		}
	}
	text, err := json.Marshal(map[string]any{
		"name": p.Name, "version": p.Version, "description": "A stand-in for the official plugin.",
		"types": types, "resources": resources,
		"meta": map[string]string{"moduleFormat": p.Modules},
	})
	return string(text), err
}

func (p Properties) required() []string {
	names := []string{}
	for name, property := range p {
		if property.Required {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (p Properties) schema(types map[string]any) map[string]any {
	described := map[string]any{}
	for name, property := range p {
		if property.Unsupported {
			continue
		}
		entry := property.Type.schema(types)
		if property.Secret {
			entry["secret"] = true
		}
		if property.Replaces {
			entry["willReplaceOnChanges"] = true
		}
		described[name] = entry
	}
	return described
}

func (t Type) schema(types map[string]any) map[string]any {
	switch t.Kind {
	case Any:
		return map[string]any{"$ref": "pulumi.json#/Any"}
	case List:
		return map[string]any{"type": "array", "items": t.Of.schema(types)}
	case Map:
		return map[string]any{"type": "object", "additionalProperties": t.Of.schema(types)}
	case Nested:
		types[t.Object.Token] = map[string]any{
			"type": "object", "properties": t.Object.Properties.schema(types), "required": t.Object.Properties.required(),
		}
		return map[string]any{"$ref": "#/types/" + t.Object.Token}
	}
	return map[string]any{"type": string(t.Kind)}
}
