//go:build unix

package pgtest

import (
	"os/exec"
	"syscall"
)

// runs makes a program one of the owner's.
func (o owner) runs(cmd *exec.Cmd) {
	if o != (owner{}) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}}
	}
}
