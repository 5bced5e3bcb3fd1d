package tenant_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"deployhooks/pkg/tenant/blueprint"
	"deployhooks/pkg/tenant/step"
)

// places are what the steps make: such as DNS records, of which each has one owner.
type places struct{ owners map[string]string }

// left are the places of a tenant.
func (p *places) left(tenant string) (all []string) {
	for place, owner := range p.owners {
		if owner == tenant {
			all = append(all, place)
		}
	}
	slices.Sort(all)
	return all
}

// placing is a kind that makes the place which its parameter names, and no other: it leaves
// the place of the last success when it has another.
type placing struct {
	*places
	cloud *cloud
}

func (placing) Describe() step.Description { return step.Description{} }

func placeOf(in step.Input) (string, error) {
	var p struct{ Place string }
	if err := json.Unmarshal(in.Parameters, &p); err != nil || p.Place == "" {
		return "", step.Refuse(fmt.Errorf("the parameters are %q", in.Parameters), "")
	}
	return p.Place, nil
}

func (k placing) Check(_ context.Context, in step.Input) (step.State, error) {
	place, err := placeOf(in)
	if k.owners[place] == in.Tenant && in.Before["place"] == place {
		return step.Present, err
	}
	return step.Absent, err
}

func (k placing) Apply(ctx context.Context, in step.Input) (step.Outputs, error) {
	defer k.cloud.enter(in)()
	place, err := placeOf(in)
	if err != nil {
		return nil, err
	}
	if owner := k.owners[place]; owner != "" && owner != in.Tenant {
		return nil, &step.Error{Class: step.Conflict, Err: fmt.Errorf("%s is of %s", place, owner)}
	}
	k.owners[place] = in.Tenant
	if k.cloud.during != nil {
		k.cloud.during(in)
	}
	if err := k.cloud.next(in); err != nil {
		return nil, kind{cloud: k.cloud}.perhapsKilled(ctx, err)
	}
	if before := in.Before["place"]; before != place && k.owners[before] == in.Tenant {
		delete(k.owners, before)
	}
	return step.Outputs{"place": place}, ctx.Err()
}

func (k placing) Undo(ctx context.Context, in step.Input) error {
	defer k.cloud.enter(in)()
	place, err := placeOf(in)
	if err != nil {
		return err
	}
	if err := k.cloud.next(in); err != nil {
		return kind{cloud: k.cloud}.perhapsKilled(ctx, err)
	}
	for _, p := range []string{place, in.Before["place"]} {
		if k.owners[p] == in.Tenant {
			delete(k.owners, p)
		}
	}
	return nil
}

// building is a blueprint with steps of these names in a row; each has a place of its own, and
// dns has the host.
func building(names ...string) *blueprint.Blueprint {
	b := &blueprint.Blueprint{
		Name: "building", Spec: json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"},"host":{"type":"string"}}}`),
		Environments: map[string]blueprint.Environment{"production": {Host: "${spec.host}.example.com"}},
	}
	for n, name := range names {
		s := blueprint.Step{Name: name, Kind: string(step.Storage), Class: step.Storage, Policy: step.Policy{TimeLimit: time.Minute, Expected: time.Second},
			Parameters: json.RawMessage(fmt.Sprintf(`{"place":"${spec.name}/%s/${spec.host}"}`, name))}
		if name == "dns" {
			s.Kind, s.Class, s.Parameters = string(step.Network), step.Network, json.RawMessage(`{"place":"${spec.host}.example.com"}`)
		}
		if name == "reserve" {
			s.Kind, s.Class, s.Parameters = name, step.Control, json.RawMessage(`{"names":["${spec.host}.example.com"]}`)
		}
		if n > 0 {
			s.Needs = []string{names[n-1]}
		}
		b.Steps = append(b.Steps, s)
	}
	b.Version = b.Hash()
	return b
}
