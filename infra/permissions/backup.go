package permissions

import "deployhooks/infra/config"

// Backup is what the role of an environment's backup function follows from.
type Backup struct {
	// Instance is the identifier of the environment's DB instance, SubnetGroup its DB
	// subnet group.
	Instance, SubnetGroup string
	// FillFrom is the DB instance whose backups fill the environment, and Secret the ARN of
	// the secret of its own master user; empty for no fills.
	FillFrom, Secret string
	EventBus         string
}

// The tag of restored instances; see package backup.
const restoredFor = "deployhooks:restored-for"

// Backups are the statements of the backup function's role. It may delete what it has
// restored, known by its name and tag, and nothing else; with fills also the former
// instance, known by its name, but never one with the environment's identifier.
func Backups(b Backup, l Location) []Statement {
	proof := l.instances("deployhooks-proof-" + b.Instance)
	restored, snapshotsOf := proof, []string{b.Instance}
	// Which parameter and option groups an instance has that nothing is said of: RDS checks
	// them all the same (observed).
	groups := append(l.arns("rds", "subgrp:"+b.SubnetGroup, "og:default:*"), l.arns("rds", "snapshot:*")...)
	parameterGroups := l.arns("rds", "pg:default.*")
	if b.FillFrom != "" {
		restored, snapshotsOf = append(restored, l.instances("deployhooks-fill-"+b.Instance)...), append(snapshotsOf, b.FillFrom)
		parameterGroups = l.arns("rds", "pg:*") // the environment's own
	}
	all := []Statement{
		Allow("ReadInstances", l.instances("*"), "rds:DescribeDBInstances"),
		Allow("ReadSnapshots", append(l.instances(snapshotsOf...), l.arns("rds", "snapshot:*")...), "rds:DescribeDBSnapshots"),
		Allow("RestoreSnapshots", restored, "rds:AddTagsToResource", "rds:RestoreDBInstanceFromDBSnapshot").under("StringEquals", "aws:RequestTag/"+restoredFor, b.Instance),
		Allow("RestoreWithin", append(groups, parameterGroups...), "rds:RestoreDBInstanceFromDBSnapshot"),
		Allow("RemoveRestored", restored, "rds:DeleteDBInstance", "rds:ModifyDBInstance").under("StringEquals", "aws:ResourceTag/"+restoredFor, b.Instance),
		Allow("KeepRecord", []string{l.Table}, "dynamodb:BatchGetItem", "dynamodb:PutItem"),
	}
	all = append(all, l.proofSecret(proof[0])...)
	if b.FillFrom != "" {
		all = append(all,
			Allow("SwapInstances", l.instances(b.Instance, "deployhooks-former-"+b.Instance), "rds:ModifyDBInstance"),
			Allow("RemoveFormer", l.instances("deployhooks-former-"+b.Instance), "rds:DeleteDBInstance"),
			Allow("ReadMasterSecret", []string{b.Secret}, "secretsmanager:GetSecretValue"))
	}
	return append(all, l.notify(config.Hooks{EventBus: b.EventBus})...)
}

// proofSecret is what it takes to restore an instance and to have RDS manage its password, by
// the caller's permissions ("Permissions required for Secrets Manager integration", Amazon RDS
// User Guide; the keys, the network and the secret's tag were observed).
func (l Location) proofSecret(proof string) []Statement {
	secrets, keys := l.arns("secretsmanager", "secret:rds!db-*"), l.arns("kms", "key/*")
	via := func(sid, service string, actions ...string) Statement {
		return Allow(sid, keys, actions...).under("StringEquals", "kms:ViaService", service+"."+l.Region+".amazonaws.com")
	}
	return []Statement{
		Allow("KeepProofSecret", secrets, "secretsmanager:CreateSecret", "secretsmanager:TagResource"),
		Allow("ReadProofSecret", secrets, "secretsmanager:GetSecretValue").under("StringEquals", "aws:ResourceTag/aws:rds:primaryDBInstanceArn", proof),
		via("UseKeysOfInstances", "rds", "kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"),
		via("UseKeysOfSecrets", "secretsmanager", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"),
		Allow("ReadNetwork", everything(), "ec2:DescribeAccountAttributes", "ec2:DescribeAvailabilityZones", "ec2:DescribeInternetGateways",
			"ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcAttribute", "ec2:DescribeVpcs"),
	}
}

// instances are DB instances by their identifiers.
func (l Location) instances(ids ...string) []string {
	var all []string
	for _, id := range ids {
		all = append(all, l.arns("rds", "db:"+id)...)
	}
	return all
}
