package blueprint

import (
	"encoding/json"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"deployhooks/pkg/tenant/step"
)

// product is a compiled blueprint, small enough to see through.
func product() *Blueprint {
	b := &Blueprint{
		Name: "product",
		Spec: json.RawMessage(`{"properties":{"name":{"type":"string"},"title":{"type":"string"},"seats":{"type":"integer"},"beta":{"type":"boolean"},` +
			`"motto":{"type":"string"},"limit":{"type":"integer","default":10},"languages":{"type":"array"},"mail":{"type":"object","default":{},"properties":{"from":{"type":"string","default":"no-reply"}}}}}`),
		Environments: map[string]Environment{
			"production": {Host: "${spec.name}.example.com", Settings: map[string]string{}},
			"staging":    {Host: "${spec.name}-staging.example.com", Settings: map[string]string{}},
		},
		Steps: []Step{{Name: "database", Kind: "postgres", Parameters: json.RawMessage(`{"name":"${spec.name}"}`), Files: []string{"db/1.sql"}}},
		Files: map[string][]byte{"db/1.sql": []byte("select 1;"), "db/sub/2.sql": []byte("select 2;")},
	}
	b.Version = b.Hash()
	return b
}

func TestRender(t *testing.T) {
	spec := `{"name":"acme","title":"\"Acme\"\n${spec.name}","seats":12,"beta":true,"languages":["pt","en"]}`
	outputs := map[string]step.Outputs{"database": {"secret": "arn:x"}, "empty": {"text": ""}}
	for _, c := range []struct{ name, parameters, want string }{
		{"no reference", `{"a":"b","n":1,"l":[true,null]}`, `{"a":"b","n":1,"l":[true,null]}`},
		{"text as it is", `{"a":"${spec.title}"}`, `{"a":"\"Acme\"\n${spec.name}"}`},
		{"text in a text", `{"a":"<${spec.title}>"}`, `{"a":"<\"Acme\"\n${spec.name}>"}`},
		{"number as it is", `{"a":"${spec.seats}"}`, `{"a":12}`},
		{"number for a text", `{"a":"${text.spec.seats}"}`, `{"a":"12"}`},
		{"number and boolean in a text", `{"a":"${spec.seats}/${spec.beta}"}`, `{"a":"12/true"}`},
		{"list as it is", `{"a":"${spec.languages}"}`, `{"a":["pt","en"]}`},
		{"default", `{"a":"${spec.mail.from}@example.com"}`, `{"a":"no-reply@example.com"}`},
		{"default that is a number", `{"a":"${spec.limit}","b":"${spec.limit}%"}`, `{"a":10,"b":"10%"}`},
		{"absent text", `{"a":"${spec.motto}","b":"${spec.motto}!"}`, `{"a":"","b":"!"}`},
		{"absent text in a list", `{"a":["x","${spec.motto}"]}`, `{"a":["x"]}`},
		{"output", `{"a":"${steps.database.secret}","b":["${steps.empty.text}"]}`, `{"a":"arn:x","b":[""]}`},
		{"quoted reference", `{"a":"$${spec.name} $$${spec.name} $$"}`, `{"a":"${spec.name} $${spec.name} $$"}`},
		{"reference in a name", `{"${spec.name}":"b"}`, `{"${spec.name}":"b"}`},
	} {
		got, err := product().Render(Step{Name: "s", Parameters: json.RawMessage(c.parameters)}, json.RawMessage(spec), outputs)
		if err != nil || !equal(t, got, c.want) {
			t.Errorf("%s: %s is rendered as %s (%v) and not %s", c.name, c.parameters, got, err, c.want)
		}
	}
	for _, c := range []struct{ parameters, fault string }{
		{`{"a":"${spec.titel}"}`, "render s: ${spec.titel}: the spec has no such field"},
		{`{"a":"${steps.database.name}"}`, "step database has not reported this output"},
		{`{"a":"${steps.other.name}"}`, "step other has not reported this output"},
		{`{"a":"x${spec.languages}"}`, "is no text, number or boolean"},
		{`{"a":"${environment.host}"}`, "refers to nothing"}, // replaced when it was compiled
		{`{"a":["${spec.name"]}`, "is not closed"},
		{`{`, "parameters"},
	} {
		got, err := product().Render(Step{Name: "s", Parameters: json.RawMessage(c.parameters)}, json.RawMessage(spec), outputs)
		if err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s is rendered as %s (%v): a step would run with something else", c.parameters, got, err)
		}
	}
	// What a spec left out is absent for a number or a list, so that the kind's own default counts.
	got, err := product().Render(Step{Parameters: json.RawMessage(`{"a":"${spec.seats}","b":"${spec.languages}"}`)}, json.RawMessage(`{}`), nil)
	if err != nil || string(got) != "{}" {
		t.Errorf("rendered as %s (%v)", got, err)
	}
}

func TestHosts(t *testing.T) {
	hosts, err := product().Hosts(json.RawMessage(`{"name":"acme"}`))
	if err != nil || !reflect.DeepEqual(hosts, []string{"acme.example.com", "acme-staging.example.com"}) {
		t.Errorf("hosts are %v (%v)", hosts, err)
	}
	for _, name := range []string{"", "a.b-", "а", "A", "a b", "x/../", strings.Repeat("a", 60)} {
		text, _ := json.Marshal(map[string]string{"name": name})
		if hosts, err := product().Hosts(text); err == nil {
			t.Errorf("%q makes the hosts %v", name, hosts)
		}
	}
	same := product()
	same.Environments["staging"] = same.Environments["production"]
	if hosts, err := same.Hosts(json.RawMessage(`{"name":"acme"}`)); err == nil {
		t.Errorf("two environments share the host: %v", hosts)
	}
}

func TestInputHash(t *testing.T) {
	b := product()
	s := b.Steps[0]
	hash := b.InputHash(s, json.RawMessage(`{"a":1}`))
	if again := product().InputHash(s, json.RawMessage(`{"a":1}`)); again != hash {
		t.Error("the same input has two hashes: each change would run every step")
	}
	other := s
	other.Kind = "mysql"
	if b.InputHash(other, json.RawMessage(`{"a":1}`)) == hash || b.InputHash(s, json.RawMessage(`{"a":2}`)) == hash {
		t.Error("another kind or parameter has the same hash: a change would not be applied")
	}
	b.Files["db/1.sql"] = []byte("select 2;")
	if b.InputHash(s, json.RawMessage(`{"a":1}`)) == hash {
		t.Error("another migration has the same hash: it would not run")
	}
	b = product()
	b.Files["db/sub/2.sql"] = []byte("another step's")
	if b.InputHash(s, json.RawMessage(`{"a":1}`)) != hash {
		t.Error("a file of another step makes the step run")
	}
}

func TestDecode(t *testing.T) {
	text, err := product().Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Decode(text)
	if err != nil || !reflect.DeepEqual(b, product()) {
		t.Errorf("decoded as %+v (%v)", b, err)
	}
	changed := strings.Replace(string(text), `"kind":"postgres"`, `"kind":"mysql"`, 1)
	for _, bad := range []string{"", "{}", "null", changed, strings.Replace(string(text), `{"name"`, `{"new":1,"name"`, 1), strings.Repeat(" ", MaxCompiled+1)} {
		if b, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%.60q is decoded as %+v", bad, b)
		}
	}
}

func TestFS(t *testing.T) {
	files, err := product().FS()
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(files, "db/1.sql", "db/sub/2.sql"); err != nil {
		t.Error(err)
	}
	if text, err := fs.ReadFile(files, "db/1.sql"); err != nil || string(text) != "select 1;" {
		t.Errorf("db/1.sql is %q (%v)", text, err)
	}
}

func TestCheckHost(t *testing.T) {
	for host, good := range map[string]bool{
		"a.b": true, "www.example.com": true, "a-1.example": true, "1.example": true,
		"": false, "localhost": false, ".example.com": false, "example..com": false, "example.com.": false, "-a.example": false, "a-.example": false,
		"a_b.example": false, "A.example": false, "xn--a.example": false, "ab--c.example": false, "аcme.example": false, "a b.example": false,
		"127.0.0.1": false, "a.example:80": false, strings.Repeat("a", 64) + ".example": false, strings.Repeat("a.", 127) + "example": false,
	} {
		if err := CheckHost(host); (err == nil) != good {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func TestTable(t *testing.T) {
	want := "| step | kind | class | needs | takes about | after a removal |\n| --- | --- | --- | --- | --- | --- |\n" +
		"| database | postgres |  | nothing | 0s | removed |\n"
	if got := product().Table(); got != want {
		t.Errorf("documented as\n%s\nand not\n%s", got, want)
	}
	doc := Kinds(map[string]step.Description{"k": {
		Summary: "Does it.", Class: step.Mail,
		Parameters: func() any {
			return new(struct {
				Names map[string]string `json:"names" required:"true" doc:"One | many."`
				List  []int             `json:"list,omitempty"`
			})
		},
		Outputs: []step.Output{{Name: "out", Doc: "What."}},
	}})
	for _, part := range []string{"### k\n\nDoes it.\n\nClass mail.", `| ` + "`names`" + ` | map of text | yes | One \| many. |`, "| `list` | list of integer |  |  |", "| `out` | What. |"} {
		if !strings.Contains(doc, part) {
			t.Errorf("the documentation lacks %q:\n%s", part, doc)
		}
	}
}

// equal compares JSON by what it means.
func equal(t *testing.T, got json.RawMessage, want string) bool {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	return json.Unmarshal(got, &a) == nil && reflect.DeepEqual(a, b)
}
