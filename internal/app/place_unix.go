//go:build unix

package app

import (
	"os"
	"strconv"
	"syscall"
)

// fileMark tells a file from its copies on the same file system: a move within it
// keeps the number, a copy gets another one. The device is no part of it, because a
// reboot may number devices anew.
func fileMark(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(uint64(st.Ino), 10), nil //nolint:unconvert // of another width elsewhere
	}
	return "", nil
}
