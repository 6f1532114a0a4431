package postgres

// places finds where people are in a list. Ids are close together, so blocks of neighbours are found in a fraction of the
// time that a map of everybody takes.
type places map[int64]*[blockSize]int32

// blockSize is how many neighbouring ids share a block.
const blockSize = 64

func (p places) put(person int64, place int) {
	block := p[person/blockSize]
	if block == nil {
		block = new([blockSize]int32)
		p[person/blockSize] = block
	}
	block[person%blockSize] = int32(place) + 1
}

func (p places) get(person int64) (int, bool) {
	block := p[person/blockSize]
	if block == nil || block[person%blockSize] == 0 {
		return 0, false
	}
	return int(block[person%blockSize]) - 1, true
}
