// Package nearest finds what somebody may have meant who wrote a name wrong.
package nearest

// Of returns the name that is nearest to a word, or nothing if none is near: at most 3 letters
// differ and no more than half of the name.
func Of(word string, names []string) string {
	nearest, least := "", 4
	for _, name := range names {
		if d := Distance(word, name); d < least && d <= len(name)/2 {
			nearest, least = name, d
		}
	}
	return nearest
}

// Distance is the number of letters to insert, remove or replace to make one
// word of the other (Levenshtein).
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
