package nearest

import "testing"

func TestOf(t *testing.T) {
	names := []string{"title", "locale", "contacts", "x"}
	for word, want := range map[string]string{
		"titel": "title", "contact": "contacts", "Locale": "locale",
		"colour": "", "": "", "y": "", "something else": "",
	} {
		if got := Of(word, names); got != want {
			t.Errorf("the suggestion for %q is %q and not %q", word, got, want)
		}
	}
}
