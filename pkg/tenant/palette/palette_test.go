package palette

import (
	"math"
	"strings"
	"testing"
)

func TestContrast(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{
		{"#000000", "#ffffff", 21},
		{"#ffffff", "#000000", 21},
		{"#777777", "#777777", 1},
		{"#777777", "#ffffff", 4.478}, // the grey that just fails
		{"#767676", "#FFFFFF", 4.542}, // the lightest grey that can be read on white
		{"#ff0000", "#ffffff", 3.998},
	} {
		got, err := Contrast(c.a, c.b)
		if err != nil || math.Abs(got-c.want) > 0.001 {
			t.Errorf("contrast of %s and %s is %.4f (%v), and not %.3f", c.a, c.b, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "#fff", "red", "#gggggg", "#+12345", "000000", "#0000000"} {
		if _, err := Contrast(bad, "#ffffff"); err == nil {
			t.Errorf("%q is taken for a colour", bad)
		}
	}
}

func TestCheck(t *testing.T) {
	palette := map[string]string{"text": "#777777", "background": "#ffffff", "primary": "#0b5fff", "onPrimary": "#ffffff", "link": "#0b5fff"}
	faults := Check(palette)
	if len(faults) != 1 || !strings.Contains(faults["text"], "4.47:1") || !strings.Contains(faults["text"], "4.5:1") {
		t.Errorf("grey text on white: %v", faults)
	}
	palette["text"] = "#767676"
	if faults := Check(palette); len(faults) != 0 {
		t.Errorf("a palette that can be read is refused: %v", faults)
	}
	if faults := Check(nil); len(faults) != 0 {
		t.Errorf("no palette: %v", faults)
	}
}
