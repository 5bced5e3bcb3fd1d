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

func (z route53Zone) Find(ctx context.Context, name, kind string) (*Record, error) {
	found, err := z.get(ctx, name, kind)
	if found == nil || err != nil {
		return nil, err
	}
	mark, err := z.get(ctx, ownerName(name, kind), "TXT")
	if mark != nil {
		found.Owner = mark.Value
	}
	return found, err
}

// get reads one record set; nil for none. One that is not a single plain value, such as an alias,
// has no value here, and is nobody's of ours.
func (z route53Zone) get(ctx context.Context, name, kind string) (*Record, error) {
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
	r := Record{Name: name, Type: kind, TTL: int(aws.ToInt64(set.TTL))}
	if len(set.ResourceRecords) == 1 {
		r.Value = aws.ToString(set.ResourceRecords[0].Value)
	}
	switch kind {
	case "CNAME":
		r.Value = host(r.Value)
	case "TXT":
		r.Value = strings.Trim(r.Value, `"`)
	}
	return &r, nil
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

// Delete names the values that are there: Route 53 refuses others.
func (z route53Zone) Delete(ctx context.Context, found Record) error {
	mark, err := z.get(ctx, ownerName(found.Name, found.Type), "TXT")
	if err != nil || mark == nil {
		return err
	}
	return z.apply(ctx, types.ChangeActionDelete, found, *mark)
}

func (z route53Zone) change(ctx context.Context, action types.ChangeAction, r Record) error {
	return z.apply(ctx, action, r, Record{Name: ownerName(r.Name, r.Type), Type: "TXT", Value: r.Owner, TTL: r.TTL})
}

func (z route53Zone) apply(ctx context.Context, action types.ChangeAction, records ...Record) error {
	batch := &types.ChangeBatch{}
	for _, r := range records {
		batch.Changes = append(batch.Changes, types.Change{Action: action, ResourceRecordSet: &types.ResourceRecordSet{
			Name: aws.String(r.Name), Type: types.RRType(r.Type), TTL: aws.Int64(int64(r.TTL)),
			ResourceRecords: []types.ResourceRecord{{Value: aws.String(content(r))}},
		}})
	}
	_, err := z.api.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{HostedZoneId: &z.id, ChangeBatch: batch})
	return err
}

// inTheWay reports whether the messages of a refused batch are about a record that is there. They have no
// codes (InvalidChangeBatch, "Messages"; the words are observed).
func inTheWay(messages string) bool {
	return strings.Contains(messages, "already exists") || strings.Contains(messages, "conflicts with other records")
}
