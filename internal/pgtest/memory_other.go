//go:build !linux

package pgtest

// Memory is a file system in memory with room for a cluster; "" if there is none.
func Memory() string { return "" }
