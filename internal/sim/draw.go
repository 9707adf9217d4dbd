package sim

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// digest hashes the seed and the given parts; everything random in the
// simulator comes from it, so that equal seeds make equal worlds.
func digest(seed uint64, parts ...string) [32]byte {
	h := sha256.New()
	var word [8]byte
	binary.BigEndian.PutUint64(word[:], seed)
	h.Write(word[:])
	for _, p := range parts {
		binary.BigEndian.PutUint64(word[:], uint64(len(p)))
		h.Write(word[:])
		h.Write([]byte(p))
	}
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

// draw returns a number in [0, n); n must be positive.
func draw(n uint64, seed uint64, parts ...string) uint64 {
	sum := digest(seed, parts...)
	return binary.BigEndian.Uint64(sum[:8]) % n
}

// drawDuration returns a duration in [low, high], whole milliseconds.
func drawDuration(low, high time.Duration, seed uint64, parts ...string) time.Duration {
	if high <= low {
		return low
	}
	span := uint64((high-low)/time.Millisecond) + 1
	return low + time.Duration(draw(span, seed, parts...))*time.Millisecond
}

// drawUUID returns a UUID of version 4 form.
func drawUUID(seed uint64, parts ...string) string {
	sum := digest(seed, parts...)
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	x := hex.EncodeToString(b)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// drawID returns an IAM-like unique id: a four-letter prefix and n characters of
// the base 32 alphabet.
func drawID(prefix string, n int, seed uint64, parts ...string) string {
	sum := digest(seed, parts...)
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:n]
}

// drawSecret returns n characters of base 64.
func drawSecret(n int, seed uint64, parts ...string) string {
	var b strings.Builder
	for b.Len() < n {
		sum := digest(seed, append(parts, string(rune('a'+b.Len()%26)), hex.EncodeToString([]byte{byte(b.Len() >> 8), byte(b.Len())}))...)
		b.WriteString(base64.RawStdEncoding.EncodeToString(sum[:]))
	}
	return b.String()[:n]
}
