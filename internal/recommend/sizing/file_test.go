package sizing

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

const usageFile = "../../../testdata/usage.csv"

// usageBegins and usageDays are the history of the file.
var usageBegins = time.Date(2026, 8, 31, 0, 0, 0, 0, time.UTC)

const usageDays = 31

// generated is the file: databases that never stop, a web tier that follows the day and
// the week, Windows machines for a load test of four days, containers that grow.
func generated() string {
	var b strings.Builder
	b.WriteString("hour,provider,account,region,service,resource type,platform,tenancy,engine,multi az,quantity,on-demand rate,currency\n")
	row := func(at time.Time, what, quantity, rate string) {
		fmt.Fprintf(&b, "%s,aws,111122223333,us-east-1,%s,%s,%s,USD\n", at.Format(time.RFC3339), what, quantity, rate)
	}
	for h := range usageDays * 24 {
		at := usageBegins.Add(time.Duration(h) * time.Hour)
		hour, weekend := at.Hour(), at.Weekday() == time.Saturday || at.Weekday() == time.Sunday
		row(at, "rds,db.r6g.large,,,postgresql,false", "3", "0.2250")
		row(at, "ec2,m6g.large,Linux/UNIX,default,,", "6", "0.0770")
		web := 2
		if hour >= 7 && hour < 19 && !weekend {
			web = 8 + h%3
		}
		row(at, "ec2,m6g.xlarge,Linux/UNIX,default,,", fmt.Sprint(web), "0.1540")
		if day := h / 24; day >= 10 && day < 14 {
			row(at, "ec2,m5.large,Windows,default,,", "20", "0.1880")
		} else {
			row(at, "ec2,m5.large,Windows,default,,", "2", "0.1880")
		}
		row(at, "fargate,vcpu,,,,", fmt.Sprintf("%d.%02d", 12+h/150, h%100), "0.04048")
	}
	return b.String()
}

// TestUsageFile holds the file that scripts and documents use against its making.
func TestUsageFile(t *testing.T) {
	if *update {
		if err := os.WriteFile(usageFile, []byte(generated()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(usageFile)
	if err != nil || string(got) != generated() {
		t.Errorf("%s is not what it is made of (-update writes it anew): %v", usageFile, err)
	}
}
