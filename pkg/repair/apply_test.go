package repair

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"deployhooks/pkg/repair/setting"
)

// protecting keeps how instances were protected last.
type protecting struct {
	Groups
	protected bool
}

func (p *protecting) SetInstanceProtection(_ context.Context, in *autoscaling.SetInstanceProtectionInput, _ ...func(*autoscaling.Options)) (*autoscaling.SetInstanceProtectionOutput, error) {
	p.protected = *in.ProtectedFromScaleIn
	return &autoscaling.SetInstanceProtectionOutput{}, nil
}

func TestProtectionFromScaleIn(t *testing.T) {
	for kind, want := range map[string]bool{protect: true, unprotect: false} {
		client := &protecting{protected: !want}
		if err := steps[kind].apply(t.Context(), Clients{Groups: client}, setting.Change{Kind: kind, Group: green, Items: []string{"i-1"}}); err != nil || client.protected != want {
			t.Errorf("%s: protected %t, %v: scale-in cuts off the requests of bridged instances, or is blocked for good", kind, client.protected, err)
		}
	}
}
