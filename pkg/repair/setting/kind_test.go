package setting

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/pkg/fleet"
)

// described is an Auto Scaling group, and the answer of the kind's Fetch about it.
type described struct {
	group   fleet.AutoScalingGroup
	fetched any
}

// kindCase is a group and its copy, and the changes that give the copy what it lost.
type kindCase struct {
	group, copy described
	changes     []string
	harm        string
}

// testKind holds what is true of every kind: its cases; that a group in order is left
// alone and nothing is taken away; that each change is one call which names the group,
// and its failure is returned; and that the role gets the permissions for these calls
// and for no others.
func testKind(t *testing.T, k Kind, cases map[string]kindCase) {
	t.Helper()
	if _, ok := kind(k.Name); !ok {
		t.Fatal("the kind is not one of Kinds: it is never restored")
	}
	made, everything := &calls{}, []Change{}
	for name, c := range cases {
		want, got := k.Items(&c.group.group, c.group.fetched), k.Items(&c.copy.group, c.copy.fetched)
		changes := k.Diff("green", want, got)
		if words := words(changes); !slices.Equal(words, c.changes) {
			t.Errorf("%s: %s\n got %q\nwant %q", name, c.harm, words, c.changes)
		}
		if again := slices.Concat(k.Diff("green", want, want), k.Diff("green", nil, got)); len(again) > 0 {
			t.Errorf("%s: a group in order is changed: %q", name, words(again))
		}
		everything = append(everything, changes...)
	}
	if k.Fetch != nil {
		testCall(t, made, func(client Client) error { _, err := k.Fetch(t.Context(), client, "green"); return err })
	}
	for _, c := range everything {
		testCall(t, made, func(client Client) error { return Apply(t.Context(), client, c) })
	}
	called, allowed := slices.Compact(slices.Sorted(slices.Values(made.actions))), slices.Sorted(slices.Values(slices.Concat(k.Reads, k.Writes)))
	if !slices.Equal(called, allowed) || len(k.Writes) == 0 {
		t.Errorf("the role may make the calls %q, and the cases make %q", allowed, called)
	}
}

func words(changes []Change) (all []string) {
	for _, c := range changes {
		all = append(all, c.String())
	}
	return all
}

// testCall makes a call about the group green, and one that fails.
func testCall(t *testing.T, made *calls, do func(Client) error) {
	t.Helper()
	before := len(made.actions)
	if err := do(client(made)); err != nil || len(made.actions) != before+1 {
		t.Fatalf("it makes %d calls: %v", len(made.actions)-before, err)
	}
	if group := made.last.Get("AutoScalingGroupName"); group != "green" {
		t.Errorf("the call is about the group %q: %v", group, made.last)
	}
	if err := do(client(denied{})); err == nil {
		t.Error("a failure is taken for success: the setting stays lost")
	}
}

// client is the SDK's own, so that the calls of a new kind need no fake.
func client(transport autoscaling.HTTPClient) Client {
	return autoscaling.New(autoscaling.Options{
		Region: "eu-west-1", HTTPClient: transport, Retryer: aws.NopRetryer{}, Credentials: aws.AnonymousCredentials{},
	})
}

// calls are the IAM actions of the calls so far, and the parameters of the last one.
// Each is answered with nothing.
type calls struct {
	actions []string
	last    url.Values
}

func (c *calls) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.last, err = url.ParseQuery(string(body))
	action := c.last.Get("Action")
	c.actions = append(c.actions, "autoscaling:"+action)
	return answer(http.StatusOK, fmt.Sprintf("<%[1]sResponse><%[1]sResult/></%[1]sResponse>", action)), err
}

// denied answers every call with a refusal.
type denied struct{}

func (denied) Do(*http.Request) (*http.Response, error) {
	return answer(http.StatusForbidden, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"), nil
}

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}
