// Package palette is the rule on a tenant's colours: text can be read on what is behind it.
package palette

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// MinContrast is the least contrast of text with its background: WCAG 2.2, success criterion
// 1.4.3 (level AA).
const MinContrast = 4.5

// pairs are the colours that are read on one another: text, background.
var pairs = [][2]string{{"text", "background"}, {"onPrimary", "primary"}, {"link", "background"}}

// Check lists the pairs of a palette that cannot be read, by the name of the colour to change.
// Colours that are missing or malformed are left to the schema.
func Check(colours map[string]string) map[string]string {
	faults := map[string]string{}
	for _, p := range pairs {
		ratio, err := Contrast(colours[p[0]], colours[p[1]])
		if err == nil && ratio < MinContrast {
			// Rounded down, so that what is refused never reads 4.50.
			faults[p[0]] = fmt.Sprintf("%s on %s %s has a contrast of %.2f:1: at least %.1f:1 is needed (WCAG 2.2, 1.4.3): make one darker or the other lighter",
				colours[p[0]], p[1], colours[p[1]], math.Floor(ratio*100)/100, MinContrast)
		}
	}
	return faults
}

// Contrast is the contrast ratio of two colours, #rrggbb, from 1 to 21: WCAG 2.2, "contrast ratio".
func Contrast(a, b string) (float64, error) {
	la, err := luminance(a)
	if err != nil {
		return 0, err
	}
	lb, err := luminance(b)
	if err != nil {
		return 0, err
	}
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05), nil
}

// luminance is the relative luminance of a colour: WCAG 2.2, "relative luminance".
func luminance(colour string) (float64, error) {
	digits, ok := strings.CutPrefix(colour, "#")
	rgb, err := strconv.ParseUint(digits, 16, 24)
	if !ok || len(digits) != 6 || err != nil {
		return 0, fmt.Errorf("%+.20q is no colour: write #rrggbb", colour)
	}
	linear := func(channel uint64) float64 {
		c := float64(channel&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8) + 0.0722*linear(rgb), nil
}
