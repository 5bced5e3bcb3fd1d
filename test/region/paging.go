package region

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// page cuts one page out of a list. asked is the caller's page size (0 means
// none), limit is AWS's; bad is the service's error for a token that it did
// not hand out.
func page[T any](r *Region, all []T, token *string, asked int32, limit int, bad error) ([]T, *string, error) {
	size := limit
	if asked > 0 {
		size = min(size, int(asked))
	}
	if r.options.PageSize > 0 {
		size = min(size, r.options.PageSize)
	}
	from := 0
	if token != nil && *token != "" {
		n, ok := strings.CutPrefix(*token, "page-from-")
		i, err := strconv.Atoi(n)
		if !ok || err != nil || i < 0 {
			return nil, nil, bad
		}
		from = min(i, len(all)) // the list may have shrunk since
	}
	to := min(from+size, len(all))
	if to == len(all) {
		return all[from:], nil, nil
	}
	next := "page-from-" + strconv.Itoa(to)
	return all[from:to], &next, nil
}

// sorted are a map's values in the order of its keys, for everything that
// goes through all of them: a region does the same in every run.
func sorted[K cmp.Ordered, V any](m map[K]V) []V {
	values := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		values = append(values, m[k])
	}
	return values
}
