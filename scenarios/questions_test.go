package scenarios

import "testing"

// TestQuestionsDiffer: no two questions about a subject are the same, whatever a careless rule might think of their variants.
func TestQuestionsDiffer(t *testing.T) {
	seen := map[any]uint64{}
	for n := range uint64(3 * len(variants())) {
		q := about("this", n)
		if first, twice := seen[q]; twice {
			t.Errorf("questions %d and %d are the same: %+v", first, n, q)
		}
		seen[q] = n
		if q != about("this", n) || q == about("that", n) {
			t.Errorf("question %d: %+v", n, q)
		}
	}
}
