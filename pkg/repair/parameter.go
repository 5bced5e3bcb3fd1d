package repair

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// publish writes the name of the current Auto Scaling group to the deployment
// group's SSM parameter, because every release changes the name.
func (r *Repairer) publish(ctx context.Context, k Key, group string) error {
	name := ParameterName(r.cfg.ParameterPrefix, k)
	_, err := r.clients.Parameters.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Value: &group, Type: ssmtypes.ParameterTypeString, Overwrite: aws.Bool(true),
	})
	if err != nil {
		return fmt.Errorf("publish %s: %w", name, err)
	}
	return nil
}

// ParameterName is the SSM parameter that holds the name of the deployment group's
// current Auto Scaling group:
//
//	<prefix>/<application>/<deployment group>/auto-scaling-group
//
// Parameter names take letters, digits and _.- only (PutParameter, AWS Systems
// Manager API Reference). A name with anything else has it replaced by - and ends in
// eight hex digits of its SHA-256, so that no two names meet.
func ParameterName(prefix string, k Key) string {
	return strings.TrimRight(prefix, "/") + "/" + segment(k.Application) + "/" + segment(k.DeploymentGroup) + "/auto-scaling-group"
}

func segment(name string) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("_.-", r):
			return r
		}
		return '-'
	}, name)
	if clean == name {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	return clean + "-" + hex.EncodeToString(sum[:4])
}
