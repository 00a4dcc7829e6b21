package plugin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

// The engine's wire format marks special values by fixed strings (sdk/go/common/resource/sig, .../plugin/rpc.go).
const (
	signatureKey  = "4dabf18193072939515e22adb298388d"
	secretMark    = "1b47061264138c4ac30d75fd1eb44270"
	unknownString = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
)

var unknowns = []string{
	unknownString,
	"1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", // bool
	"3eeb2bf0-c639-47a8-9e75-3b44932eb421", // number
	"6a19a0b0-7e62-4c92-b797-7f8e31da9cc2", // list
	"030794c1-ac77-496b-92df-f27374a8bd58", // asset
	"e48ece36-62e2-4504-bad9-02848725956a", // archive
	"dd056dcd-154b-4c76-9bd3-c8f88648b5ff", // object
}

// Values are a resource's properties. Numbers are float64, lists []any, objects map[string]any; secrets are plain.
type Values map[string]any

// Text is the string under name, empty when there is none.
func (v Values) Text(name string) string { text, _ := v[name].(string); return text }

// Has says whether there is a value under name.
func (v Values) Has(name string) bool { _, has := v[name]; return has }

// Int is the whole number under name, 0 when there is none.
func (v Values) Int(name string) int { number, _ := v[name].(float64); return int(number) }

// Flag is the boolean under name, false when there is none.
func (v Values) Flag(name string) bool { flag, _ := v[name].(bool); return flag }

// Object is the nested object under name, nil when there is none.
func (v Values) Object(name string) Values { object, _ := v[name].(map[string]any); return object }

// Texts is the list of strings under name.
func (v Values) Texts(name string) (texts []string) {
	list, _ := v[name].([]any)
	for _, element := range list {
		text, _ := element.(string)
		texts = append(texts, text)
	}
	return texts
}

// With is a copy with more values.
func (v Values) With(more Values) Values {
	all := Values{}
	maps.Copy(all, v)
	maps.Copy(all, more)
	return all
}

type failure struct{ path, reason string }

func fromWire(wire *structpb.Struct) Values {
	if wire == nil {
		return Values{}
	}
	return plain(wire.AsMap()).(map[string]any)
}

// plain drops nulls and secret marks.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		if value[signatureKey] == secretMark {
			return plain(value["value"])
		}
		kept := map[string]any{}
		for name, element := range value {
			if element != nil {
				kept[name] = plain(element)
			}
		}
		return kept
	case []any:
		kept := make([]any, len(value))
		for index, element := range value {
			kept[index] = plain(element)
		}
		return kept
	}
	return value
}

func (p Properties) toWire(values Values) (*structpb.Struct, error) {
	marked := map[string]any{}
	for name, value := range values {
		if value != nil && p[name].Secret {
			marked[name] = map[string]any{signatureKey: secretMark, "value": value}
		} else {
			marked[name] = value
		}
	}
	return structpb.NewStruct(marked)
}

func isUnknown(value any) bool {
	text, isText := value.(string)
	return isText && slices.Contains(unknowns, text)
}

func hasUnknown(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(value)), hasUnknown)
	case []any:
		return slices.ContainsFunc(value, hasUnknown)
	}
	return isUnknown(value)
}

// changes lists the paths at which two values differ, each with what happened there.
func changes(path string, before, after any) map[string]pulumirpc.PropertyDiff_Kind {
	found := map[string]pulumirpc.PropertyDiff_Kind{}
	oldObject, wasObject := before.(map[string]any)
	newObject, isObject := after.(map[string]any)
	oldList, wasList := before.([]any)
	newList, isList := after.([]any)
	switch {
	case before == nil && after == nil:
	case before == nil:
		found[path] = pulumirpc.PropertyDiff_ADD
	case after == nil:
		found[path] = pulumirpc.PropertyDiff_DELETE
	case wasObject && isObject:
		for name := range Values(oldObject).With(newObject) {
			maps.Copy(found, changes(join(path, name), oldObject[name], newObject[name]))
		}
	case wasList && isList:
		for index := range max(len(oldList), len(newList)) {
			maps.Copy(found, changes(fmt.Sprintf("%s[%d]", path, index), at(oldList, index), at(newList, index)))
		}
	case wasObject != isObject || wasList != isList || wasObject || wasList || before != after || isUnknown(after):
		found[path] = pulumirpc.PropertyDiff_UPDATE
	}
	return found
}

func at(list []any, index int) any {
	if index >= len(list) {
		return nil
	}
	return list[index]
}

func join(path, name string) string {
	if strings.ContainsAny(name, `.[]"`) {
		name = fmt.Sprintf("[%q]", name)
		return path + name
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "string"
	case float64:
		return "number"
	case bool:
		return "boolean"
	case []any:
		return "array"
	}
	return "object"
}

func quoted(words []string) string {
	marked := make([]string, len(words))
	for index, word := range words {
		marked[index] = fmt.Sprintf("%q", word)
	}
	return strings.Join(marked, " ")
}
