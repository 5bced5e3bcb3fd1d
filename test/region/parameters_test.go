package region_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"deployhooks/test/region"
)

func putParameter(r *region.Region, name, value string, overwrite bool) error {
	return second(r.SSM().PutParameter(ctx, &ssm.PutParameterInput{Name: &name, Value: &value, Type: types.ParameterTypeString, Overwrite: &overwrite}))
}

func TestParameters(t *testing.T) {
	r := region.New(region.Options{})
	for _, tc := range []struct {
		name, value string
		overwrite   bool
		code        string
	}{
		{"/deployhooks/shop/web/group", "blue", false, ""},
		{"/deployhooks/shop/web/group", "green", false, "ParameterAlreadyExists"},
		{"/deployhooks/shop/web/group", "green", true, ""},
		{"/deployhooks/other", "x", true, ""},
		{"/deployhooks/läden", "x", true, "ValidationException"},
		{"/aws/service", "x", true, "ValidationException"},
		{"deployhooks/web", "x", true, "ValidationException"},
		{"/deployhooks//web", "x", true, "ValidationException"},
		{"/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "x", true, "HierarchyLevelLimitExceededException"},
		{"/deployhooks/long", strings.Repeat("x", 4097), true, "ValidationException"},
	} {
		if err := putParameter(r, tc.name, tc.value, tc.overwrite); code(err) != tc.code {
			t.Errorf("putting %s: %v, want %q", tc.name, err, tc.code)
		}
	}
	out, err := r.SSM().GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/deployhooks/shop/web/group")})
	if err != nil || *out.Parameter.Value != "green" || out.Parameter.Version != 2 {
		t.Errorf("read %+v, %v", out, err)
	}
	if got := r.Parameter("/deployhooks/shop/web/group"); got != "green" {
		t.Errorf("read %q by hand", got)
	}
	if err := second(r.SSM().GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String("/none")})); code(err) != "ParameterNotFound" {
		t.Errorf("a parameter that is not there gives %v", err)
	}
}

func TestParametersByPath(t *testing.T) {
	r := region.New(region.Options{PageSize: 2})
	for _, name := range []string{"/deployhooks/a", "/deployhooks/b", "/deployhooks/c", "/deployhooks/c/d", "/deployhooksx/e"} {
		if err := putParameter(r, name, "x", false); err != nil {
			t.Fatal(err)
		}
	}
	for recursive, want := range map[bool]int{false: 3, true: 4} {
		var got int
		p := ssm.NewGetParametersByPathPaginator(r.SSM(), &ssm.GetParametersByPathInput{Path: aws.String("/deployhooks"), Recursive: &recursive})
		for p.HasMorePages() {
			out, err := p.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got += len(out.Parameters)
		}
		if got != want {
			t.Errorf("recursive %t: %d parameters, want %d", recursive, got, want)
		}
	}
}
