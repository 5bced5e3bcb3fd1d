package event

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// FuzzMembers compares the way through an object with encoding/json's.
func FuzzMembers(f *testing.F) {
	for _, text := range []string{
		`{}`, ` { } `, `{"a":1}`, `{"a":{"b":[1,{"c":"}"}]},"d":"\"]"}`, `{"a" : null , "b":true,"c":-1.5e+7 }`,
		`{"\u0061\\":"\\\""}`, `{"a":[],"b":[ ],"c":[[],[[]]]}`, `{"":""}`, "{\n\t\"a\":\r\n\"b\"\n}", `{"é":"\ud83d\ude00","\ud800":1}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &want) != nil || want == nil {
			return
		}
		got := map[string]json.RawMessage{}
		for _, m := range membersOf([]byte(strings.TrimLeft(text, " \t\r\n"))) {
			value := m.value
			if value == nil {
				value = []byte("null")
			}
			key, err := json.Marshal(string(m.key)) // as encoding/json does, invalid UTF-8 becomes U+FFFD
			if err != nil {
				t.Fatal(err)
			}
			got[unquote(key)] = value
			compareElements(t, value)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("found %q in %s, want %q", got, text, want)
		}
	})
}

func compareElements(t *testing.T, value []byte) {
	t.Helper()
	if value[0] != '[' {
		return
	}
	var want []json.RawMessage
	if err := json.Unmarshal(value, &want); err != nil {
		t.Fatalf("found a value that is none: %s", value)
	}
	var got []json.RawMessage
	for _, element := range elementsOf(value) {
		got = append(got, element)
	}
	if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("found %q in %s, want %q", got, value, want)
	}
}
