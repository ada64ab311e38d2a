package evidence

// None is the place of a record that is not there.
const None = int32(-1)

// IDs are the places of records by their ids. They are not changed any more once they are made.
type IDs struct {
	places map[string]int32 // of records that share an id, the first
	twice  []string         // ids that a record shares with an earlier one
}

// NewIDs takes the ids of records, by the places of the records.
func NewIDs[T any](records []T, id func(*T) string) *IDs {
	ids := &IDs{places: make(map[string]int32, len(records))}
	for i := range records {
		id := id(&records[i])
		if _, known := ids.places[id]; known {
			ids.twice = append(ids.twice, id)
		} else {
			ids.places[id] = int32(i)
		}
	}
	return ids
}

// Twice is the first id that two records have, if any do.
func (ids *IDs) Twice() (id string, found bool) {
	if len(ids.twice) == 0 {
		return "", false
	}
	return ids.twice[0], true
}

// Place is where the record with that id is; None if there is no such record.
func (ids *IDs) Place(id string) int32 {
	if place, known := ids.places[id]; known {
		return place
	}
	return None
}

// Places gives for each record the place of the one that it names; None if there is no such record.
func Places[T any](ids *IDs, records []T, names func(*T) string) []int32 {
	places, last := make([]int32, len(records)), ""
	for i := range records {
		if name := names(&records[i]); i > 0 && name == last { // as hits of one call do
			places[i] = places[i-1]
		} else {
			places[i], last = ids.Place(name), name
		}
	}
	return places
}

// RequestIDs are the ids of the requests of a run.
func RequestIDs(run *Run) *IDs { return Derive(run, newRequestIDs).IDs }

type requestIDs struct{ *IDs }

func newRequestIDs(run *Run) requestIDs {
	return requestIDs{NewIDs(Requests.Of(run), func(r *Request) string { return r.ID })}
}
