package dns

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// Route53 is what the step asks Route 53.
type Route53 interface {
	ListResourceRecordSets(context.Context, *route53.ListResourceRecordSetsInput, ...func(*route53.Options)) (*route53.ListResourceRecordSetsOutput, error)
	ChangeResourceRecordSets(context.Context, *route53.ChangeResourceRecordSetsInput, ...func(*route53.Options)) (*route53.ChangeResourceRecordSetsOutput, error)
}

// route53Zone keeps the owner in a TXT record beside the record, as records of Route 53 have
// neither comments nor tags. Both change in one batch, which takes effect as a whole or not
// at all (ChangeResourceRecordSets, "Change Batches and Transactional Changes").
type route53Zone struct {
	api Route53
	id  string
}

// ownerName is the name of the TXT record with the owner.
func ownerName(name, kind string) string { return "_deployhooks-" + strings.ToLower(kind) + "." + name }

// Find returns a record without a value for an owner whose record somebody has deleted.
func (z route53Zone) Find(ctx context.Context, name, kind string) (*Record, error) {
	set, err := z.get(ctx, name, kind)
	if err != nil {
		return nil, err
	}
	mark, err := z.get(ctx, ownerName(name, kind), "TXT")
	if err != nil || set == nil && mark == nil {
		return nil, err
	}
	found := Record{Name: name, Type: kind, Owner: value(mark)}
	if set != nil {
		found.Value, found.TTL = value(set), int(aws.ToInt64(set.TTL))
	}
	return &found, nil
}

// get reads one record set; nil for none.
func (z route53Zone) get(ctx context.Context, name, kind string) (*types.ResourceRecordSet, error) {
	out, err := z.api.ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{
		HostedZoneId: &z.id, StartRecordName: &name, StartRecordType: types.RRType(kind), MaxItems: aws.Int32(1),
	})
	if err != nil || len(out.ResourceRecordSets) == 0 {
		return nil, err
	}
	set := out.ResourceRecordSets[0]
	if host(aws.ToString(set.Name)) != name || string(set.Type) != kind {
		return nil, nil
	}
	return &set, nil
}

// value is the value of a record set. One that is not a single plain value, such as an alias, has none here.
func value(set *types.ResourceRecordSet) string {
	if set == nil || len(set.ResourceRecords) != 1 {
		return ""
	}
	text := aws.ToString(set.ResourceRecords[0].Value)
	switch set.Type {
	case types.RRTypeCname:
		return host(text)
	case types.RRTypeTxt:
		return strings.Trim(text, `"`)
	}
	return text
}

func (z route53Zone) Create(ctx context.Context, r Record) error {
	err := z.change(ctx, types.ChangeActionCreate, r)
	var invalid *types.InvalidChangeBatch
	if errors.As(err, &invalid) && inTheWay(strings.Join(invalid.Messages, " ")) {
		return ErrExists
	}
	return err
}

func (z route53Zone) Replace(ctx context.Context, _, wanted Record) error {
	return z.change(ctx, types.ChangeActionUpsert, wanted)
}

// Delete names the record sets as they are: Route 53 refuses others, also in another spelling.
func (z route53Zone) Delete(ctx context.Context, found Record) error {
	var changes []types.Change
	for _, key := range []struct{ name, kind string }{{found.Name, found.Type}, {ownerName(found.Name, found.Type), "TXT"}} {
		set, err := z.get(ctx, key.name, key.kind)
		if err != nil {
			return err
		}
		if set != nil {
			changes = append(changes, types.Change{Action: types.ChangeActionDelete, ResourceRecordSet: set})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return z.apply(ctx, changes...)
}

func (z route53Zone) change(ctx context.Context, action types.ChangeAction, r Record) error {
	mark := Record{Name: ownerName(r.Name, r.Type), Type: "TXT", Value: r.Owner, TTL: r.TTL}
	return z.apply(ctx, types.Change{Action: action, ResourceRecordSet: recordSet(r)}, types.Change{Action: action, ResourceRecordSet: recordSet(mark)})
}

func recordSet(r Record) *types.ResourceRecordSet {
	return &types.ResourceRecordSet{
		Name: &r.Name, Type: types.RRType(r.Type), TTL: aws.Int64(int64(r.TTL)),
		ResourceRecords: []types.ResourceRecord{{Value: aws.String(content(r))}},
	}
}

func (z route53Zone) apply(ctx context.Context, changes ...types.Change) error {
	_, err := z.api.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{HostedZoneId: &z.id, ChangeBatch: &types.ChangeBatch{Changes: changes}})
	return err
}

// inTheWay reports whether the messages of a refused batch are about a record that is there. They have no
// codes (InvalidChangeBatch, "Messages"; the words are observed).
func inTheWay(messages string) bool {
	return strings.Contains(messages, "already exists") || strings.Contains(messages, "conflicts with other records")
}
