package store

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// networkOf names the file system of a path if several hosts can share it; "" if it
// is one of this host's own, or cannot be told. It is a variable for tests.
var networkOf = func(path string) string {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return ""
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return ""
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return ""
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		mounts = nil
	}
	return network(uint32(fs.Type), kindOf(string(mounts), dir))
}

// magics are the file systems of the network by their number in statfs(2).
var magics = map[uint32]string{
	0x6969: "nfs", 0x517B: "smb", 0xFF534D42: "cifs", 0xFE534D42: "smb2", 0x01021997: "9p", 0x00C36400: "ceph", 0x5346414F: "afs",
	0x6B414653: "kafs", 0x0BD00BD0: "lustre", 0x01161970: "gfs2", 0x7461636F: "ocfs2", 0x73757245: "coda", 0x564C: "ncp",
}

// fuse is the number of all file systems in user space; these of them are shared.
const fuse = 0x65735546

var shared = []string{
	"virtiofs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.glusterfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.juicefs",
	"fuse.davfs", "fuse.davfs2", "fuse.mfs", "fuse.lizardfs", "fuse.blobfuse", "fuse.blobfuse2", "fuse.goofys", "fuse.mount-s3", "fuse.grpcfuse",
	"fuse.smbnetfs", "fuse.curlftpfs", "fuse.nfs", "fuse.seaweedfs", "fuse.vmhgfs-fuse", "fuse.osxfs",
}

func network(magic uint32, kind string) string {
	if name, ok := magics[magic]; ok {
		return name
	}
	if magic == fuse && slices.Contains(shared, kind) {
		return kind
	}
	return ""
}

// kindOf returns the type of the mount that holds a directory, from the text of
// mountinfo: the last of the longest that match.
func kindOf(mounts, dir string) (kind string) {
	longest := -1
	lines := bufio.NewScanner(strings.NewReader(mounts))
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		fields, types := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(types) == 0 {
			continue
		}
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4])
		if in := at == "/" || dir == at || strings.HasPrefix(dir, at+"/"); in && len(at) >= longest {
			longest, kind = len(at), types[0]
		}
	}
	return kind
}
