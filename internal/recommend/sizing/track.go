package sizing

// track holds a value for each hour from the first that was touched to the last.
// Hours are counted from 1970.
type track[T any] struct {
	first int
	v     []T
}

// at returns the place of an hour, and makes it.
func (t *track[T]) at(hour int) *T {
	switch i := hour - t.first; {
	case len(t.v) == 0:
		t.first = hour
		t.v = append(t.v, *new(T))
	case i < 0:
		// Room in front for as much again, so that a file in reverse order costs no more.
		grown := make([]T, len(t.v)-i, len(t.v)+max(-i, len(t.v)))
		copy(grown[-i:], t.v)
		t.first, t.v = hour, grown
	case i >= len(t.v):
		for range i - len(t.v) + 1 {
			t.v = append(t.v, *new(T))
		}
	}
	return &t.v[hour-t.first]
}

// get returns the value of an hour, the zero value where none is.
func (t *track[T]) get(hour int) (v T) {
	if i := hour - t.first; i >= 0 && i < len(t.v) {
		return t.v[i]
	}
	return v
}

// cost is how many hours at makes in order to hold one more.
func (t *track[T]) cost(hour int) int {
	switch i := hour - t.first; {
	case len(t.v) == 0:
		return 1
	case i < 0:
		return -i
	default:
		return max(0, i-len(t.v)+1)
	}
}
