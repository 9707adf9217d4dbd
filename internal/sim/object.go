package sim

import (
	"strconv"
	"strings"
	"time"
)

// object is a blob of Azure or an object of Cloud Storage. Both clouds create one
// atomically where there is none, if they are asked to do no more than that.
type object struct {
	Provider   string    `json:"provider"`
	Store      string    `json:"store"` // ACCOUNT/CONTAINER of Azure, or a bucket
	Name       string    `json:"name"`
	Text       string    `json:"text"`
	Type       string    `json:"type,omitempty"` // of its content
	Generation int64     `json:"generation"`     // greater than any before it; microseconds, as Google's are
	At         time.Time `json:"at"`
}

type objectKey struct{ provider, store, name string }

func (o *object) key() objectKey { return objectKey{o.Provider, o.Store, o.Name} }

// foldObject applies a change of one object.
func (w *world) foldObject(o *object) {
	if o != nil {
		w.objects[o.key()] = o
	}
}

// put writes an object in the place of the one that is there, if any.
func (c *call) put(store, name, text, kind string) *object {
	o := &object{Provider: c.service.cloud(), Store: store, Name: name, Text: text, Type: kind, Generation: c.now.UnixMicro(), At: c.now}
	if old := c.world.objects[o.key()]; old != nil {
		o.Generation = max(o.Generation, old.Generation+1)
	}
	c.out.Object = o
	return o
}

// etag is the version of an object in a header.
func (o *object) etag(seed uint64) string {
	digits := strings.ToUpper(strings.ReplaceAll(drawUUID(seed, "etag", o.Provider, o.Store, o.Name, strconv.FormatInt(o.Generation, 10)), "-", ""))
	return `"0x8` + digits[:14] + `"`
}
