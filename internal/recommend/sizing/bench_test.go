package sizing

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	benchPools = 500
	benchHours = 365 * 24
)

// rowsOf writes a year of 500 pools as it is read, hour after hour.
type rowsOf struct {
	pool, hour int
	buf        []byte
	hours      string
	pools      []string
}

func newRows() *rowsOf {
	r := &rowsOf{buf: []byte("hour,provider,account,region,service,resource type,platform,tenancy,quantity,on-demand rate,currency\n")}
	for i := range benchPools {
		r.pools = append(r.pools, fmt.Sprintf("aws,%012d,us-east-1,ec2,m%dg.large,Linux/UNIX,default,", 100_000_000_000+i/10, i%10))
	}
	return r
}

func (r *rowsOf) Read(p []byte) (int, error) {
	for len(r.buf) < len(p) && r.hour < benchHours {
		if r.pool == 0 {
			r.hours = hourTime(490_000 + r.hour).Format(time.RFC3339)
		}
		r.buf = append(append(append(r.buf, r.hours...), ','), r.pools[r.pool]...)
		n := 40 + (r.pool*7+r.hour*13)%23 + r.hour%24
		r.buf = append(strconv.AppendInt(r.buf, int64(n), 10), ".25,0.0770,USD\n"...)
		if r.pool++; r.pool == benchPools {
			r.pool = 0
			r.hour++
		}
	}
	if len(r.buf) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.buf)
	r.buf = r.buf[:copy(r.buf, r.buf[n:])]
	return n, nil
}

// BenchmarkSizing reads a year of hourly usage of 500 pools, 4.4 million rows, and
// sizes it. It reports the rows per second and the most memory that the process had
// from the system.
func BenchmarkSizing(b *testing.B) {
	for b.Loop() {
		u, err := Read("usage.csv", newRows(), "")
		if err != nil {
			b.Fatal(err)
		}
		o := Defaults()
		o.AsOf, o.Services, o.Prices = u.Until(), Sized("aws"), Discounted(3000, 2500)
		r, err := Size(u, o)
		if err != nil || len(r.Proposals) < benchPools {
			b.Fatal(len(r.Proposals), err)
		}
	}
	b.ReportMetric(float64(benchPools*benchHours*b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(peakMiB(), "MiB-peak")
}

// peakMiB is the most memory that the process was in, and where the system does not
// tell, what Go has from it.
func peakMiB() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
				kib, err := strconv.ParseFloat(f[1], 64)
				if err == nil {
					return kib / 1024
				}
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys) / (1 << 20)
}
