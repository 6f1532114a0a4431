package simulator

import (
	"sort"
	"sync/atomic"
)

// table keeps records by ascending id. A list that was handed out never changes: the table copies its rows before the
// first change after that.
type table[T any] struct {
	rows   []*T
	id     func(*T) int64
	shared atomic.Bool
}

// all hands out the rows; call it under a lock that keeps writers away.
func (t *table[T]) all() []*T {
	t.shared.Store(true)
	return t.rows[:len(t.rows):len(t.rows)]
}

func (t *table[T]) get(id int64) *T {
	if i, ok := t.find(id); ok {
		return t.rows[i]
	}
	return nil
}

func (t *table[T]) find(id int64) (int, bool) {
	i := sort.Search(len(t.rows), func(i int) bool { return t.id(t.rows[i]) >= id })
	return i, i < len(t.rows) && t.id(t.rows[i]) == id
}

// put adds the record, or takes the place of the one with its id.
func (t *table[T]) put(record *T) {
	i, ok := t.find(t.id(record))
	if ok {
		t.own()
		t.rows[i] = record
		return
	}
	if i == len(t.rows) {
		t.rows = append(t.rows, record)
		return
	}
	t.own()
	t.rows = append(t.rows, nil)
	copy(t.rows[i+1:], t.rows[i:])
	t.rows[i] = record
}

func (t *table[T]) drop(id int64) bool {
	i, ok := t.find(id)
	if !ok {
		return false
	}
	t.own()
	t.rows = append(t.rows[:i], t.rows[i+1:]...)
	return true
}

// edit replaces a record by a changed copy and returns it, or nil where there is none.
func (t *table[T]) edit(id int64, f func(*T)) *T {
	old := t.get(id)
	if old == nil {
		return nil
	}
	fresh := *old
	f(&fresh)
	t.put(&fresh)
	return &fresh
}

func (t *table[T]) own() {
	if t.shared.Swap(false) {
		t.rows = append(make([]*T, 0, len(t.rows)+len(t.rows)/8), t.rows...)
	}
}
