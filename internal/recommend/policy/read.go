package policy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bursar/internal/cloud"
	"bursar/internal/money"
	"bursar/internal/purchase"
	"bursar/internal/recommend"
)

var (
	keys = []string{
		"version", "name", "purpose", "tolerance", "filters", "terms", "mix", "coverage", "recent", "rebuy", "ladder", "caps", "blackout", "approvals", "auto_approve",
	}
	nameShape    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	patternShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._()/-]*\*?$`)
	percentShape = regexp.MustCompile(`^([0-9]{1,3})(?:\.([0-9]{1,2}))?%$`)
	daysShape    = regexp.MustCompile(`^([1-9][0-9]{0,3})(d|w)$`)
	perHourShape = regexp.MustCompile(`^(.*[^ ]) ?/ ?h$`)
	versionShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$`)
	dateShape    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

const (
	maxTolerance = 1_000 // as in a plan file
	maxPeople    = 50
	maxTranches  = 1_000
	maxMonths    = 36
)

// Read reads a policy file. A mistake is a *recommend.Error, and the policy is nil then.
func Read(file string, data []byte) (*Policy, error) {
	root, err := recommend.ReadYAML(file, "policy", data)
	if err != nil {
		return nil, err
	}
	top, err := root.Keys("the policy", keys...)
	if err != nil {
		return nil, err
	}
	version, err := top.Need("version", "version: 1")
	if err != nil {
		return nil, err
	}
	if n, err := version.Whole(0, 1<<30); err != nil || n != 1 {
		return nil, version.Errorf("is not a version that is read: write version: 1")
	}
	p := &Policy{File: file}
	named, err := top.Need("name", "name: databases")
	if err != nil {
		return nil, err
	}
	if p.Name, err = shaped(named, nameShape, "is not a name of small letters, digits and hyphens, at most 40, such as databases"); err != nil {
		return nil, err
	}
	for _, read := range []struct {
		key string
		to  func(recommend.Node) error
	}{
		{"purpose", func(n recommend.Node) (err error) { p.Purpose, err = n.Line(recommend.MaxPurpose); return err }},
		{"tolerance", p.readTolerance}, {"filters", p.readFilters}, {"terms", p.readTerms}, {"mix", p.readMix}, {"coverage", p.readCoverage},
		{"recent", func(n recommend.Node) (err error) { p.Recent, err = readDays(n); return err }},
		{"rebuy", func(n recommend.Node) (err error) { p.Rebuy, err = readDays(n); return err }},
		{"ladder", p.readLadder}, {"caps", p.readCaps}, {"blackout", p.readBlackouts}, {"approvals", p.readApprovals}, {"auto_approve", p.readAuto},
	} {
		n, ok := top.Get(read.key)
		if !ok {
			continue
		}
		if err := read.to(n); err != nil {
			return nil, err
		}
	}
	if err := p.together(); err != nil {
		return nil, err
	}
	return p, nil
}

// together refuses rules that are legal each, but not together.
func (p *Policy) together() error {
	for _, part := range p.Mix {
		for _, t := range p.Terms {
			if t.Service == part.Service {
				return &recommend.Error{Position: part.At, Problem: "is a mix for " + orAll(part.Service) + ", whose terms stand on line " + strconv.Itoa(t.At.Line) + " already: write one of them"}
			}
		}
	}
	if p.Auto == nil {
		return nil
	}
	wrong := func(problem string) error { return &recommend.Error{Position: p.Auto.At, Problem: problem} }
	for _, a := range p.Approvals {
		order, err := p.Auto.UpTo.Cmp(a.Above)
		switch {
		case err != nil:
			return wrong("up_to is in " + p.Auto.UpTo.Currency() + " and approvals are in " + a.Above.Currency() + ": write both in one currency")
		case order > 0 && a.Needed > 1:
			return wrong("approves up to " + p.Auto.UpTo.String() + " alone, and line " + strconv.Itoa(a.At.Line) + " demands " + strconv.Itoa(a.Needed) + " people above " + a.Above.String() + ": lower up_to to that")
		}
	}
	return nil
}

func shaped(n recommend.Node, shape *regexp.Regexp, problem string) (string, error) {
	text, err := n.Digits()
	if err != nil {
		return "", err
	}
	if !shape.MatchString(text) {
		return "", n.Errorf("%q %s", cut(text), problem)
	}
	return text, nil
}

func cut(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return text
}

// basisPoints reads a per cent with at most two decimals.
func basisPoints(n recommend.Node, least, most int64) (int64, error) {
	text, err := n.Text()
	if err != nil {
		return 0, err
	}
	m := percentShape.FindStringSubmatch(text)
	if m == nil {
		return 0, n.Errorf("%q is not a percentage such as 25%%", cut(text))
	}
	bp, _ := strconv.ParseInt(m[1]+(m[2] + "00")[:2], 10, 64) // at most 5 digits
	if bp < least || bp > most {
		return 0, n.Errorf("%s is not from %s to %s", text, percent(least), percent(most))
	}
	return bp, nil
}

// percent writes hundredths of a per cent.
func percent(bp int64) string { return hundredths(bp) + "%" }

// hundredths writes 250 as "2.5".
func hundredths(n int64) string {
	text := strconv.FormatInt(n/100, 10)
	if rest := n % 100; rest > 0 {
		text += "." + strings.TrimRight(strconv.FormatInt(100+rest, 10)[1:], "0")
	}
	return text
}

func readDays(n recommend.Node) (Days, error) {
	text, err := n.Text()
	if err != nil {
		return Days{}, err
	}
	m := daysShape.FindStringSubmatch(text)
	if m == nil {
		return Days{}, n.Errorf("%q is not a number of days or weeks such as 30d or 4w", cut(text))
	}
	days, _ := strconv.Atoi(m[1])
	if m[2] == "w" {
		days *= 7
	}
	return Days{days, n.At()}, nil
}

func readAmount(n recommend.Node) (money.Amount, error) {
	text, err := n.Text()
	if err != nil {
		return money.Amount{}, err
	}
	a, err := recommend.Money(text)
	if err != nil {
		return a, n.Errorf("%v", err)
	}
	return a, nil
}

func (p *Policy) readTolerance(n recommend.Node) error {
	bp, err := basisPoints(n, 0, maxTolerance)
	if err != nil {
		return err
	}
	v := int(bp)
	p.Tolerance = &v
	return nil
}

func (p *Policy) readFilters(n recommend.Node) error {
	known := make([]string, 0, len(subjects)+4)
	for _, s := range subjects {
		known = append(known, s.key)
	}
	m, err := n.Keys("filters", append(known, "extended_support", "min_savings", "min_savings_percent", "max_break_even")...)
	if err != nil {
		return err
	}
	for _, s := range subjects {
		v, ok := m.Get(s.key)
		if !ok {
			continue
		}
		in, err := v.Keys("a filter", "only", "never")
		if err != nil {
			return err
		}
		before := len(p.filters)
		for _, never := range []bool{false, true} {
			list, ok := in.Get(map[bool]string{false: "only", true: "never"}[never])
			if !ok {
				continue
			}
			f := filter{subject: s, never: never, at: list.At()}
			if f.patterns, err = readList(list, patternShape, "is not a name, with a star at its end at most"); err != nil {
				return err
			}
			p.filters = append(p.filters, f)
		}
		if len(p.filters) == before {
			return v.Errorf("is empty: write only or never and a list")
		}
	}
	if v, ok := m.Get("extended_support"); ok {
		if err := p.readExtended(v); err != nil {
			return err
		}
	}
	if v, ok := m.Get("min_savings"); ok {
		if p.savings.amount, err = readAmount(v); err != nil {
			return err
		}
		p.savings.at = v.At()
	}
	if v, ok := m.Get("min_savings_percent"); ok {
		bp, err := basisPoints(v, 1, 9_999)
		if err != nil {
			return err
		}
		p.percent = &limit{bp, v.At()}
	}
	if v, ok := m.Get("max_break_even"); ok {
		months, err := v.Whole(0, maxMonths)
		if err != nil {
			return err
		}
		p.months = &limit{months * 100, v.At()}
	}
	return nil
}

func readList(n recommend.Node, shape *regexp.Regexp, problem string) ([]string, error) {
	items, err := n.List()
	if err != nil {
		return nil, err
	}
	list := make([]string, len(items))
	for i, item := range items {
		if list[i], err = shaped(item, shape, problem); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (p *Policy) readExtended(n recommend.Node) error {
	items, err := n.List()
	if err != nil {
		return err
	}
	for _, item := range items {
		m, err := item.Keys("an entry of extended_support", "engine", "versions")
		if err != nil {
			return err
		}
		engine, err := m.Need("engine", "engine: mysql")
		if err != nil {
			return err
		}
		versions, err := m.Need("versions", `versions: ["5.7"]`)
		if err != nil {
			return err
		}
		e := extended{at: item.At()}
		if e.engine, err = shaped(engine, patternShape, "is not the name of an engine"); err != nil {
			return err
		}
		if e.versions, err = readList(versions, versionShape, "is not a version such as 5.7, in quotes"); err != nil {
			return err
		}
		p.extended = append(p.extended, e)
	}
	return nil
}

func (p *Policy) readTerms(n recommend.Node) error {
	items, err := n.List()
	if err != nil {
		return err
	}
	for _, item := range items {
		t, _, err := readTerm(item, "terms")
		if err != nil {
			return err
		}
		if err := twice(item, p.Terms, t); err != nil {
			return err
		}
		p.Terms = append(p.Terms, t)
	}
	return nil
}

// readTerm reads a term and a payment option, and the keys that stand beside them.
func readTerm(item recommend.Node, what string, more ...string) (t Terms, m recommend.Keys, err error) {
	if m, err = item.Keys(what, append([]string{"service", "term", "payment"}, more...)...); err != nil {
		return t, m, err
	}
	t.At = item.At()
	if t.Service, err = optionalService(m); err != nil {
		return t, m, err
	}
	v, err := m.Need("term", "term: 1y")
	if err != nil {
		return t, m, err
	}
	text, err := v.Text()
	if err != nil {
		return t, m, err
	}
	switch text {
	case cloud.OneYear.String():
		t.Term = cloud.OneYear
	case cloud.ThreeYears.String():
		t.Term = cloud.ThreeYears
	default:
		return t, m, v.Errorf("%q is not a term: use 1y or 3y", cut(text))
	}
	if v, err = m.Need("payment", "payment: no-upfront"); err != nil {
		return t, m, err
	}
	if text, err = v.Text(); err != nil {
		return t, m, err
	}
	if t.Payment, err = cloud.ParsePayment(text); err != nil || string(t.Payment) != text {
		return t, m, v.Errorf("%q is not a payment option: use all-upfront, partial-upfront, no-upfront or monthly", cut(text))
	}
	return t, m, nil
}

// twice refuses terms that stand there already.
func twice(item recommend.Node, list []Terms, t Terms) error {
	for _, earlier := range list {
		if earlier.Service == t.Service && earlier.Term == t.Term && earlier.Payment == t.Payment {
			return item.Errorf("stands on line %d already", earlier.At.Line)
		}
	}
	return nil
}

// readMix reads parts, which are whole for each service that they name.
func (p *Policy) readMix(n recommend.Node) error {
	items, err := n.List()
	if err != nil {
		return err
	}
	sums := map[cloud.Service]int{}
	var read []Terms
	for _, item := range items {
		t, m, err := readTerm(item, "mix", "part")
		if err != nil {
			return err
		}
		if err := twice(item, read, t); err != nil {
			return err
		}
		read = append(read, t)
		v, err := m.Need("part", "part: 60%")
		if err != nil {
			return err
		}
		bp, err := basisPoints(v, 100, 10_000)
		if err != nil {
			return err
		}
		if bp%100 != 0 {
			return v.Errorf("is not a whole percentage such as 60%%")
		}
		p.Mix = append(p.Mix, Part{t, int(bp / 100)})
		sums[t.Service] += int(bp / 100)
	}
	for _, part := range p.Mix {
		if sum := sums[part.Service]; sum != 100 {
			return n.Errorf("has parts of %s that are %d%% together: they must be 100%%", orAll(part.Service), sum)
		}
	}
	return nil
}

func orAll(s cloud.Service) string {
	if s == "" {
		return "all services"
	}
	return string(s)
}

func optionalService(m recommend.Keys) (cloud.Service, error) {
	v, ok := m.Get("service")
	if !ok {
		return "", nil
	}
	name, err := v.Text()
	if err != nil {
		return "", err
	}
	if !slices.Contains(recommend.Services(), cloud.Service(name)) {
		return "", v.Errorf("%q is not a service that is bought", cut(name))
	}
	return cloud.Service(name), nil
}

func optionalAccount(m recommend.Keys) (cloud.Account, error) {
	v, ok := m.Get("account")
	if !ok {
		return "", nil
	}
	name, err := shaped(v, patternShape, "is not an account")
	if err == nil && strings.HasSuffix(name, "*") {
		err = v.Errorf("%q is not one account", cut(name))
	}
	return cloud.Account(name), err
}

func (p *Policy) readCoverage(n recommend.Node) error {
	items, err := n.List()
	if err != nil {
		return err
	}
	for _, item := range items {
		m, err := item.Keys("a coverage", "account", "service", "percent")
		if err != nil {
			return err
		}
		c := Coverage{At: item.At()}
		if c.Account, err = optionalAccount(m); err != nil {
			return err
		}
		if c.Service, err = optionalService(m); err != nil {
			return err
		}
		v, err := m.Need("percent", "percent: 80%")
		if err != nil {
			return err
		}
		bp, err := basisPoints(v, 100, 10_000)
		if err != nil {
			return err
		}
		if bp%100 != 0 {
			return v.Errorf("%s is not a whole percentage", percent(bp))
		}
		c.Percent = int(bp / 100)
		for _, earlier := range p.Coverage {
			if (earlier.Account == "" || earlier.Account == c.Account) && (earlier.Service == "" || earlier.Service == c.Service) {
				return item.Errorf("is never reached: line %d matches before it", earlier.At.Line)
			}
		}
		p.Coverage = append(p.Coverage, c)
	}
	return nil
}

func (p *Policy) readLadder(n recommend.Node) error {
	m, err := n.Keys("a ladder", "tranches", "step", "interval")
	if err != nil {
		return err
	}
	l := &Ladder{At: n.At(), stepAt: n.At()}
	tranches, has := m.Get("tranches")
	if has {
		count, err := tranches.Whole(2, maxTranches)
		if err != nil {
			return err
		}
		l.Tranches, l.Num, l.Den, l.stepAt = int(count), 1, count, tranches.At()
	}
	switch step, ok := m.Get("step"); {
	case !ok && !has:
		return n.Errorf("needs tranches, such as tranches: 4, or step, such as step: 25%%")
	case ok:
		if err := l.readStep(step); err != nil {
			return err
		}
	}
	v, err := m.Need("interval", "interval: 30d")
	if err != nil {
		return err
	}
	days, err := readDays(v)
	l.Interval = days.N
	p.Ladder = l
	return err
}

func (l *Ladder) readStep(n recommend.Node) error {
	l.stepAt = n.At()
	text, err := n.Text()
	if err != nil {
		return err
	}
	if m := perHourShape.FindStringSubmatch(text); m != nil {
		l.Num, l.Den = 0, 0
		if l.PerHour, err = recommend.Money(m[1]); err != nil {
			return n.Errorf("%v", err)
		}
		return nil
	}
	if !strings.HasSuffix(text, "%") {
		return n.Errorf("%q is neither a percentage such as 25%% nor an amount per hour such as 2.50 USD/h", cut(text))
	}
	if l.Num, err = basisPoints(n, 1, 10_000); err != nil {
		return err
	}
	l.Den = 10_000
	if l.Tranches > 0 && l.Num*int64(l.Tranches-1) >= l.Den {
		return n.Errorf("%s is all after fewer than %d tranches", percent(l.Num), l.Tranches)
	}
	return nil
}

func (p *Policy) readCaps(n recommend.Node) error {
	items, err := n.List()
	if err != nil {
		return err
	}
	for _, item := range items {
		m, err := item.Keys("a cap", "of", "per", "account", "most")
		if err != nil {
			return err
		}
		c := Cap{At: item.At(), rule: "caps"}
		of, err := oneOf(m, "of", string(purchase.OfTotal), string(purchase.OfUpfront), string(purchase.OfHourly))
		if err != nil {
			return err
		}
		per, err := oneOf(m, "per", string(PerRun), string(PerMonth), string(PerAccount))
		if err != nil {
			return err
		}
		c.Of, c.Per = purchase.Measure(of), Per(per)
		if c.Account, err = optionalAccount(m); err != nil {
			return err
		}
		v, err := m.Need("most", "most: 25000 USD")
		if err != nil {
			return err
		}
		if c.Most, err = readAmount(v); err != nil {
			return err
		}
		if _, err := c.Most.Millionths(); err != nil {
			return v.Errorf("%s is too large", c.Most)
		}
		p.Caps = append(p.Caps, c)
	}
	return nil
}

func oneOf(m recommend.Keys, key string, words ...string) (string, error) {
	n, err := m.Need(key, key+": "+words[0])
	if err != nil {
		return "", err
	}
	text, err := n.Text()
	if err == nil && !slices.Contains(words, text) {
		err = n.Errorf("%q is not one of %s", cut(text), strings.Join(words, ", "))
	}
	return text, err
}

func (p *Policy) readBlackouts(n recommend.Node) error {
	items, err := n.List()
	if err != nil {
		return err
	}
	for _, item := range items {
		m, err := item.Keys("a blackout", "from", "to", "why")
		if err != nil {
			return err
		}
		b := Blackout{At: item.At()}
		if b.From, err = readDate(m, "from"); err != nil {
			return err
		}
		if b.To, err = readDate(m, "to"); err != nil {
			return err
		}
		if b.To.Before(b.From) {
			to, _ := m.Get("to")
			return to.Errorf("%s is before from, %s", day(b.To), day(b.From))
		}
		if v, ok := m.Get("why"); ok {
			if b.Why, err = v.Line(200); err != nil {
				return err
			}
		}
		p.Blackouts = append(p.Blackouts, b)
	}
	return nil
}

func readDate(m recommend.Keys, key string) (time.Time, error) {
	n, err := m.Need(key, key+": 2026-12-20")
	if err != nil {
		return time.Time{}, err
	}
	text, err := n.Text()
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil || !dateShape.MatchString(text) {
		return time.Time{}, n.Errorf("%q is not a day such as 2026-12-20", cut(text))
	}
	return t, nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func (p *Policy) readApprovals(n recommend.Node) error {
	items, err := n.List()
	if err != nil {
		return err
	}
	for _, item := range items {
		m, err := item.Keys("an approval", "above", "needed", "approvers")
		if err != nil {
			return err
		}
		a := Approval{At: item.At(), Needed: 1}
		if a.Above, err = readAbove(m); err != nil {
			return err
		}
		if v, ok := m.Get("needed"); ok {
			needed, err := v.Whole(1, maxPeople)
			if err != nil {
				return err
			}
			a.Needed = int(needed)
		}
		if err := a.readPeople(m); err != nil {
			return err
		}
		for _, earlier := range p.Approvals {
			order, err := a.Above.Cmp(earlier.Above)
			switch {
			case err != nil:
				return item.Errorf("is in %s and line %d in %s: write all in one currency", a.Above.Currency(), earlier.At.Line, earlier.Above.Currency())
			case order <= 0:
				return item.Errorf("is not above that of line %d: write the smallest amount first", earlier.At.Line)
			case a.Needed < earlier.Needed:
				return item.Errorf("needs fewer people than line %d, for more money", earlier.At.Line)
			}
		}
		p.Approvals = append(p.Approvals, a)
	}
	return nil
}

// readAbove reads an amount that may be zero.
func readAbove(m recommend.Keys) (money.Amount, error) {
	n, err := m.Need("above", "above: 0 USD")
	if err != nil {
		return money.Amount{}, err
	}
	text, err := n.Text()
	if err != nil {
		return money.Amount{}, err
	}
	if number, currency, ok := strings.Cut(text, " "); ok && strings.Trim(number, "0.") == "" {
		zero, err := money.Parse(number, currency)
		if err != nil {
			return zero, n.Errorf("%v", err)
		}
		return zero, nil
	}
	return readAmount(n)
}

func (a *Approval) readPeople(m recommend.Keys) error {
	list, ok := m.Get("approvers")
	if !ok {
		return nil
	}
	items, err := list.List()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, item := range items {
		name, err := item.Line(120)
		if err != nil {
			return err
		}
		key := purchase.PersonKey(name)
		switch {
		case seen[key]:
			return item.Errorf("%s is named twice: case does not matter", name)
		case strings.HasPrefix(key, ReservedPrefix):
			return item.Errorf("%s is no person: write auto_approve for what is approved without one", name)
		}
		seen[key] = true
		a.Approvers = append(a.Approvers, name)
	}
	if a.Needed > len(a.Approvers) {
		return list.Errorf("names %d people and %d are needed", len(a.Approvers), a.Needed)
	}
	return nil
}

func (p *Policy) readAuto(n recommend.Node) error {
	m, err := n.Keys("auto_approve", "up_to", "buy")
	if err != nil {
		return err
	}
	v, err := m.Need("up_to", "up_to: 500 USD")
	if err != nil {
		return err
	}
	a := &Auto{At: n.At()}
	if a.UpTo, err = readAmount(v); err != nil {
		return err
	}
	if v, ok := m.Get("buy"); ok {
		if a.Buy, err = v.Bool(); err != nil {
			return err
		}
	}
	p.Auto = a
	return nil
}
