package wire_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"deployhooks/test/region/wire"
)

// TestEveryOperationOfEveryClient is the proof of the codec. It calls every
// operation of every pinned SDK client over HTTP with random inputs, and has
// the view behind it answer with random outputs; each side must get exactly
// what the other one sent.
func TestEveryOperationOfEveryClient(t *testing.T) {
	t.Parallel()
	for _, a := range apis() {
		service := a.service(a.client(config("http://unused.invalid")))
		t.Run(service.ID, func(t *testing.T) {
			t.Parallel()
			v, client := connect(t, a)
			operations := operationsOf(client)
			for _, name := range a.used {
				if operations[name] == nil {
					t.Errorf("the SDK client of %s has no operation %s: nothing proves that it can be served", service.ID, name)
				}
			}
			for name, method := range operations {
				if service.ID == "RDS" && !slices.Contains(a.used, name) {
					continue // only those are described
				}
				t.Run(name, func(t *testing.T) {
					trip := roundTrip{service: service, view: v, client: client, operation: name, method: method}
					trip.all(t)
				})
			}
		})
	}
}

// operationsOf lists the operations of an SDK client with their methods' types.
func operationsOf(client any) map[string]reflect.Type {
	operations := map[string]reflect.Type{}
	t := reflect.TypeOf(client)
	for i := range t.NumMethod() {
		m := t.Method(i)
		if m.Type.NumIn() == 4 && m.Type.In(2).Kind() == reflect.Pointer && strings.HasSuffix(m.Type.In(2).Elem().Name(), "Input") {
			operations[m.Name] = m.Type
		}
	}
	return operations
}

type roundTrip struct {
	service   wire.Service
	view      *view
	client    any
	operation string
	method    reflect.Type // with its receiver
}

// all makes the trip with every member set, and then with random ones missing
// and empty.
func (r roundTrip) all(t *testing.T) {
	hash := fnv.New64a()
	hash.Write([]byte(r.service.ID + r.operation))
	for round := range uint64(3) {
		if !r.once(t, newFiller(hash.Sum64()+round, r.service, 1)) {
			t.Fatal("the SDK refuses an input that has every member: nothing is proven")
		}
	}
	for round := range uint64(6) {
		r.once(t, newFiller(hash.Sum64()+100+round, r.service, 0.6))
	}
}

// once makes one trip. It reports false where the SDK refuses the input.
func (r roundTrip) once(t *testing.T, f *filler) bool {
	input := reflect.New(r.method.In(2).Elem())
	output := reflect.New(r.method.Out(0).Elem())
	f.fill(input.Elem())
	f.fill(output.Elem())
	settle(input.Interface(), output.Interface())
	r.view.willAnswer(output.Interface(), nil)

	got, err := call(t.Context(), r.client, r.operation, input.Interface())
	var refused smithy.InvalidParamsError
	if errors.As(err, &refused) {
		return false
	}
	if err != nil {
		t.Fatalf("%s: %v", r.operation, err)
	}
	received := r.view.received()
	forgive(input.Interface(), received)
	if diff := compare(input.Interface(), received); diff != "" {
		t.Fatalf("%s: the view gets another input than the client sends (-sent +got):\n%s", r.operation, diff)
	}
	forgive(output.Interface(), got)
	if diff := compare(output.Interface(), got, r.tolerated()...); diff != "" {
		t.Fatalf("%s: the client gets another output than the view gives (-given +got):\n%s", r.operation, diff)
	}
	return true
}

// tolerated are the differences that an output may have on its way: awsQuery
// has no way to tell a list that is not set from an empty one, services that
// speak JSON 1.1 write both as empty ones, and the JSON protocols carry times as floating-point numbers, off which the SDK cuts a
// millisecond now and then.
func (r roundTrip) tolerated() []cmp.Option {
	if r.service.Protocol == wire.Query {
		return []cmp.Option{cmpopts.EquateEmpty()}
	}
	options := []cmp.Option{cmpopts.EquateApproxTime(time.Millisecond)}
	if r.service.Protocol == wire.JSON11 {
		isList := func(p cmp.Path) bool { return p.Last().Type() != nil && p.Last().Type().Kind() == reflect.Slice }
		options = append(options, cmp.FilterPath(isList, cmpopts.EquateEmpty()))
	}
	return options
}

func compare(want, got any, tolerated ...cmp.Option) string {
	return cmp.Diff(want, got, append(tolerated, cmp.Exporter(func(reflect.Type) bool { return true }))...)
}

// settle changes what the SDK would act on or check: an endpoint of its own
// for global event buses, and the digests of messages.
func settle(input, output any) {
	switch in := input.(type) {
	case *eventbridge.PutEventsInput:
		in.EndpointId = nil
	case *sqs.SendMessageInput:
		output.(*sqs.SendMessageOutput).MD5OfMessageBody = digest(in.MessageBody)
	}
	if out, ok := output.(*sqs.ReceiveMessageOutput); ok {
		for i := range out.Messages {
			out.Messages[i].MD5OfBody = digest(out.Messages[i].Body)
		}
	}
}

func digest(body *string) *string {
	if body == nil {
		return nil
	}
	sum := md5.Sum([]byte(*body))
	return aws.String(hex.EncodeToString(sum[:]))
}

// forgive levels what the SDK itself adds: the metadata of a result, and an
// idempotency token where the caller leaves it out.
func forgive(want, got any) {
	w, g := reflect.ValueOf(want).Elem(), reflect.ValueOf(got).Elem()
	if g.Type() != w.Type() {
		return
	}
	for i := range g.NumField() {
		switch name := g.Type().Field(i).Name; {
		case name == "ResultMetadata":
			g.Field(i).SetZero()
			w.Field(i).SetZero()
		case strings.HasSuffix(name, "Token") && w.Field(i).IsNil():
			g.Field(i).SetZero()
		}
	}
}
