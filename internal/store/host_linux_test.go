package store

import "testing"

func TestFileSystemsAreToldApart(t *testing.T) {
	const mounts = `22 1 0:20 / / rw - overlay overlay rw
30 22 0:30 / /mnt rw shared:1 - fuse.sshfs host:/x rw
31 30 0:31 / /mnt/own\040disk rw - ext4 /dev/sdb rw
32 22 0:32 / /mnt2 rw - fuseblk /dev/sdc rw
`
	for dir, want := range map[string]string{
		"/": "overlay", "/mnt": "fuse.sshfs", "/mnt/a": "fuse.sshfs", "/mnt/own disk/a": "ext4", "/mnt2/b": "fuseblk", "/mnt3": "overlay",
	} {
		if got := kindOf(mounts, dir); got != want {
			t.Errorf("%s is on %s, want %s", dir, got, want)
		}
	}
	for _, c := range []struct {
		magic      uint32
		kind, want string
	}{
		{0x6969, "nfs4", "nfs"}, {0xFF534D42, "cifs", "cifs"}, {0x01021997, "9p", "9p"}, {fuse, "fuse.sshfs", "fuse.sshfs"},
		{fuse, "virtiofs", "virtiofs"}, {fuse, "fuseblk", ""}, {fuse, "fuse.fuse-overlayfs", ""}, {0xEF53, "ext4", ""}, {0x01021994, "tmpfs", ""},
	} {
		if got := network(c.magic, c.kind); got != c.want {
			t.Errorf("%x %s: %q, want %q", c.magic, c.kind, got, c.want)
		}
	}
	if kind := networkOf(t.TempDir() + "/l.db"); kind != "" {
		t.Errorf("the tests run on %s", kind)
	}
}
