package region

import (
	"cmp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// rdsNeeds: an instance by its identifier and tags; a restore also what it is made of.
func (r *Region) rdsNeeds(n need, call any, in input) []need {
	instance := func(id string) need {
		tags := map[string]string{}
		if i := r.databases.instances[id]; i != nil {
			tags = tagMap(i.TagList)
		}
		of := n.with(tags, "aws:resourcetag/", "rds:db-tag/")
		of.resource = arn("rds", "db:"+cmp.Or(id, "*"))
		return of
	}
	id := in.text("DBInstanceIdentifier")
	switch call := call.(type) {
	case *rds.DescribeDBSnapshotsInput:
		return []need{instance(id), n.on(arn("rds", "snapshot:"+cmp.Or(in.text("DBSnapshotIdentifier"), "*")))[0]}
	case *rds.AddTagsToResourceInput:
		name := in.text("ResourceName")
		return []need{instance(name[strings.LastIndex(name, ":")+1:]).requesting(call.Tags)}
	case *rds.RestoreDBInstanceFromDBSnapshotInput:
		return r.restoreNeeds(n, instance(id), call, in)
	case *rds.ModifyDBInstanceInput:
		if deref(call.ManageMasterUserPassword) {
			return append(secretNeeds(), instance(id))
		}
	}
	return []need{instance(id)}
}

// restoreNeeds: the snapshot and all groups, also those that the call does not name, keys
// of encrypted instances, and the network (observed of CreateDBInstance; likely here), and
// rds:AddTagsToResource for tags.
func (r *Region) restoreNeeds(n, instance need, call *rds.RestoreDBInstanceFromDBSnapshotInput, in input) []need {
	all := []need{instance.requesting(call.Tags)}
	all = append(all, n.on(arn("rds", "snapshot:"+in.text("DBSnapshotIdentifier")), arn("rds", "subgrp:"+cmp.Or(in.text("DBSubnetGroupName"), "default")),
		arn("rds", "pg:"+cmp.Or(in.text("DBParameterGroupName"), "default.postgres17")), arn("rds", "og:default:postgres-17"))...)
	if len(call.Tags) > 0 {
		tagging := instance.requesting(call.Tags)
		tagging.action = "rds:AddTagsToResource"
		all = append(all, tagging)
	}
	for _, action := range []string{"AccountAttributes", "AvailabilityZones", "InternetGateways", "SecurityGroups", "Subnets", "VpcAttribute", "Vpcs"} {
		all = append(all, need{action: "ec2:Describe" + action, resource: "*"})
	}
	if s := r.databases.snapshots[in.text("DBSnapshotIdentifier")]; s != nil && deref(s.Encrypted) {
		all = append(all, keyNeeds("rds", "CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKey")...)
	}
	return all
}

// secretNeeds is what RDS does by the caller's permissions for a password that it manages
// ("Permissions required for Secrets Manager integration", Amazon RDS User Guide).
func secretNeeds() []need {
	secret := arn("secretsmanager", "secret:rds!db-0")
	return append(keyNeeds("secretsmanager", "Decrypt", "DescribeKey", "GenerateDataKey"),
		need{action: "secretsmanager:CreateSecret", resource: secret}, need{action: "secretsmanager:TagResource", resource: secret})
}

// keyNeeds are actions on a key that a service makes for the caller.
func keyNeeds(service string, actions ...string) (all []need) {
	for _, action := range actions {
		all = append(all, need{action: "kms:" + action, resource: arn("kms", "key/"+service), keys: map[string][]string{"kms:viaservice": {service + "." + Name + ".amazonaws.com"}}})
	}
	return all
}

// requesting is the need with the tags that the request has.
func (n need) requesting(tags []types.Tag) need {
	keys := map[string][]string{}
	for key, values := range n.keys {
		keys[key] = values
	}
	for key, value := range tagMap(tags) {
		keys["aws:requesttag/"+strings.ToLower(key)] = []string{value}
	}
	n.keys = keys
	return n
}
