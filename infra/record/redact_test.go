package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// redactAll redacts a document to one line.
func redactAll(t interface{ Fatal(...any) }, document string, words ...string) string {
	out, err := newRedactor(words).json([]byte(document), true)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func TestRedaction(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"an account":                         {`"111122223333"`, `"123456789012"`},
		"two accounts differ":                {`["111122223333","444455556666","111122223333"]`, `["123456789012","900000000002","123456789012"]`},
		"an account as a number":             {`111122223333`, `123456789012`},
		"an account in an ARN":               {`"arn:aws:sns:eu-west-1:111122223333:web"`, `"arn:aws:sns:eu-west-1:123456789012:web"`},
		"an account in a name":               {`"cdk_111122223333-eu-west-1"`, `"cdk_123456789012-eu-west-1"`},
		"an account in a field's name":       {`{"111122223333":1}`, `{"123456789012":1}`},
		"an account as the console shows it": {`"1111-2222-3333"`, `"1234-5678-9012"`},
		"a longer number":                    {`1764000000123`, `1764000000123`},
		"an instance":                        {`"i-0a1b2c3d4e5f60718"`, `"i-0a1b2c3d4e5f60718"`},
		"an address":                         {`"10.1.2.3"`, `"192.0.2.1"`},
		"an address with a port":             {`"http://10.1.2.3:8080/"`, `"http://192.0.2.1:8080/"`},
		"one address is one":                 {`["10.1.2.3","10.1.2.4","ip-10-1-2-3.ec2.internal"]`, `["192.0.2.1","192.0.2.2","ip-192-0-2-1.ec2.internal"]`},
		"a public host name":                 {`"ec2-3-4-5-6.eu-west-1.compute.amazonaws.com"`, `"ec2-192-0-2-1.eu-west-1.compute.amazonaws.com"`},
		"an IPv6 address":                    {`"fd00:1:2::3"`, `"2001:db8::1"`},
		"an IPv6 address with a label":       {`"addr:fd00:1:2::3."`, `"addr:2001:db8::1."`},
		"a time is no address":               {`"2026-03-05T09:12:40Z"`, `"2026-03-05T09:12:40Z"`},
		"an ARN without an account":          {`"arn:aws:ec2:eu-west-1::image/ami-1"`, `"arn:aws:ec2:eu-west-1::image/ami-1"`},
		"an ARN of AWS's":                    {`"arn:aws:iam::aws:policy/ReadOnlyAccess"`, `"arn:aws:iam::aws:policy/ReadOnlyAccess"`},
		"a version of three parts":           {`"aws-cli/2.15.3"`, `"aws-cli/2.15.3"`},
		"an access key":                      {`"key AKIAIOSFODNN7EXAMPLA"`, `"key AKIAEXAMPLEEXAMPLE"`},
		"a secret key":                       {`"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"`, `"REDACTED"`},
		"a secret key in a sentence":         {`"it is (wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY)."`, `"it is (REDACTED)."`},
		"a hash":                             {`"2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"`, `"2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"`},
		"a signed URL":                       {`"https://x/?X-Amz-Credential=AKIA%2F1&X-Amz-Signature=abc"`, `"https://x/?X-Amz-Credential=REDACTED&X-Amz-Signature=REDACTED"`},
		"a token":                            {`{"nextToken":"abc"}`, `{"nextToken":"REDACTED"}`},
		"the token of a lifecycle action":    {`{"LifecycleActionToken":"c613620e-07e2-4ed2-a9e2-ef8258911ade"}`, `{"LifecycleActionToken":"c613620e-07e2-4ed2-a9e2-ef8258911ade"}`},
		"user data":                          {`{"UserData":"IyEvYmlu"}`, `{"UserData":"REDACTED"}`},
		"a mail address":                     {`"by ada.lovelace@example.co.uk"`, `"by someone@example.com"`},
		"a user":                             {`"arn:aws:iam::111122223333:user/eng/ada"`, `"arn:aws:iam::123456789012:user/someone"`},
		"a person's session":                 {`"arn:aws:sts::111122223333:assumed-role/Admin/ada"`, `"arn:aws:sts::123456789012:assumed-role/Admin/session"`},
		"who called":                         {`{"userIdentity":{"type":"IAMUser","principalId":"x","userName":"ada","invokedBy":"codedeploy.amazonaws.com"}}`, `{"userIdentity":{"type":"IAMUser","principalId":"REDACTED","userName":"REDACTED","invokedBy":"codedeploy.amazonaws.com"}}`},
		"the role behind who called":         {`{"userIdentity":{"sessionContext":{"sessionIssuer":{"type":"Role","userName":"ada"}}}}`, `{"userIdentity":{"sessionContext":{"sessionIssuer":{"type":"Role","userName":"REDACTED"}}}}`},
		"parameters that may hold anything":  {`{"requestParameters":{"autoScalingGroupName":"web","launchTemplate":{"note":"pin 1234"},"minSize":2}}`, `{"requestParameters":{"autoScalingGroupName":"web","launchTemplate":{"note":"REDACTED"},"minSize":2}}`},
		"answers that may hold anything":     {`{"responseElements":{"autoScalingGroupName":"web","launchTemplate":{"note":"pin 1234"}}}`, `{"responseElements":{"autoScalingGroupName":"web","launchTemplate":{"note":"REDACTED"}}}`},
		"what people write":                  {`{"description":"for ada"}`, `{"description":"REDACTED"}`},
		"a tag of the company's":             {`[{"Key":"cost-centre","Value":"4711"}]`, `[{"Key":"cost-centre","Value":"REDACTED"}]`},
		"a tag's value before its key":       {`[{"value":"4711","key":"cost-centre"}]`, `[{"value":"REDACTED","key":"cost-centre"}]`},
		"a key pair, named after its owner":  {`{"requestParameters":{"keyName":"ada"}}`, `{"requestParameters":{"keyName":"REDACTED"}}`},
		"an account in a URL":                {`"arn%3Aaws%3Aiam%3A%3A111122223333%3Arole and %20111122223333%22"`, `"arn:aws:iam::123456789012:role and  123456789012\""`},
		"a mail address in a URL":            {`"?by=ada%40example.co.uk"`, `"?by=someone@example.com"`},
		"a mail address that is not ASCII":   {`"jürgen.größe@müller.example"`, `"someone@example.com"`},
		"a federated user":                   {`"arn:aws:sts::111122223333:federated-user/ada"`, `"arn:aws:sts::123456789012:federated-user/someone"`},
		"a user with a comma":                {`"arn:aws:iam::111122223333:user/ada,lovelace, and others"`, `"arn:aws:iam::123456789012:user/someone, and others"`},
		"a user's second factor":             {`"arn:aws:iam::111122223333:mfa/ada"`, `"arn:aws:iam::123456789012:mfa/someone"`},
		"a range of IPv6 addresses":          {`"fd00::1-fd00::2"`, `"2001:db8::1-2001:db8::2"`},
		"an ARN's region before two colons":  {`"arn:aws:s3:eu-west-1::"`, `"arn:aws:s3:eu-west-1::"`},
		"a tag of AWS's":                     {`[{"Key":"aws:autoscaling:groupName","Value":"web"}]`, `[{"Key":"aws:autoscaling:groupName","Value":"web"}]`},
		"JSON within a text":                 {`{"NotificationMetadata":"{\"password\":\"x\",\"ip\":\"10.1.2.3\"}"}`, `{"NotificationMetadata":"{\"password\":\"REDACTED\",\"ip\":\"192.0.2.1\"}"}`},
		"what is null":                       {`{"a":null,"b":1}`, `{"b":1}`},
		"the order of the fields":            {`{"z":1,"a":2}`, `{"z":1,"a":2}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(strings.Fields(redactAll(t, tt.in)), ""); got != strings.Join(strings.Fields(tt.want), "") {
				t.Errorf("%s becomes %s, want %s", tt.in, got, tt.want)
			}
		})
	}
	if got := redactAll(t, `[4711,{"n":14711}]`, "4711"); strings.Join(strings.Fields(got), "") != `["REDACTED",{"n":"1REDACTED"}]` {
		t.Errorf("a number that was given as a word stays, or what is left is no JSON: %s", got)
	}
	if got := redactAll(t, `"Acme shop"`, "acme"); got != `"REDACTED shop"` {
		t.Errorf("a word that was given stays: %s", got)
	}
}

// Wherever an account, an address or a key is, it does not leave.
func TestNothingSecretSurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := []string{
			rapid.StringMatching(`[1-8][0-9]{11}`).Draw(t, "account"),
			fmt.Sprintf("%d.%d.%d.%d", rapid.IntRange(1, 191).Draw(t, "a"), rapid.IntRange(0, 255).Draw(t, "b"), rapid.IntRange(0, 255).Draw(t, "c"), rapid.IntRange(0, 255).Draw(t, "d")),
			rapid.StringMatching(`(AKIA|ASIA|AROA)[A-Z2-7]{16}`).Draw(t, "key"),
			rapid.StringMatching(`fd[0-9a-f]{2}:[1-9a-f]{1,4}:[1-9a-f]{1,4}::[1-9a-f]{1,4}`).Draw(t, "IPv6"),
			rapid.StringMatching(`[a-z]{3,9}\.[a-z]{3,9}@corp\.[a-z]{3,9}\.com`).Draw(t, "mail"),
			rapid.StringMatching(`[A-Z][A-Za-z0-9/+]{38}[A-Z]`).Draw(t, "secret key"),
			"arn:aws:iam::111122223333:" + rapid.SampledFrom([]string{"user/", "federated-user/", "assumed-role/Admin/", "mfa/"}).Draw(t, "identity") + rapid.StringMatching(`zz[a-z]{3,9}[a-z,.@=-]{0,5}[a-z]`).Draw(t, "person"),
		}
		around := rapid.SampledFrom([]string{"%s", " %s ", "/%s/", "(%s)", "\"%s\"", "a=%s,", "[%s]", "is %s.", "%s;", "_%s_", "-%s-", "%%22%s%%22", "%%20%s", "key=%s&"})
		inText := func(label string) string {
			var b strings.Builder
			for i, s := range secrets {
				fmt.Fprintf(&b, around.Draw(t, fmt.Sprint(label, i)), s)
				b.WriteString(" ")
			}
			return b.String()
		}
		document := rapid.Deferred(func() *rapid.Generator[any] { return nested(3, inText) }).Draw(t, "document")
		b, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		got := redactAll(t, string(b))
		if !json.Valid([]byte(got)) {
			t.Fatalf("%s becomes %s, which is no JSON", b, got)
		}
		for _, s := range secrets {
			if strings.Contains(got, s) {
				t.Fatalf("%s leaves the account: %s becomes %s", s, b, got)
			}
		}
	})
}

// nested are documents with a text in every place where one can be.
func nested(depth int, text func(string) string) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kind := rapid.IntRange(0, 3).Draw(t, "kind")
		if depth == 0 {
			kind = 3
		}
		key := rapid.SampledFrom([]string{"arn", "Value", "requestParameters", "userIdentity", "detail", "userAgent", "Key", "groupName"}).Draw(t, "key")
		switch kind {
		case 0:
			return map[string]any{key: nested(depth-1, text).Draw(t, "field"), text("field name"): true}
		case 1:
			return []any{nested(depth-1, text).Draw(t, "element"), text("element text")}
		case 2: // as in a notification's metadata
			inner, err := json.Marshal(nested(depth-1, text).Draw(t, "inner"))
			if err != nil {
				t.Fatal(err)
			}
			return map[string]any{key: string(inner)}
		}
		return text("text")
	})
}
