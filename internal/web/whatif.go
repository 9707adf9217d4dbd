package web

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"bursar/internal/api"
	"bursar/internal/auth"
	"bursar/internal/money"
)

func (s *site) whatIfPages() {
	s.get("/what-if", auth.Read, s.askWhatIf)
	s.post("/what-if", auth.ReadAny, s.showWhatIf)
}

// usageFile bounds a file of usage that is sent to the page, with its form.
const usageFile = 8<<20 + 64<<10

// whatIfForm is what somebody has filled in.
type whatIfForm struct {
	file, coverage, discount, planDiscount, term, payment, held, attributes, asOf string
	problem                                                                       string
}

// defaults of the form.
func newWhatIfForm() whatIfForm {
	return whatIfForm{term: "1y", payment: "no-upfront", held: "usage"}
}

func (s *site) askWhatIf(w http.ResponseWriter, r *http.Request, v view) error {
	return s.show(w, r, http.StatusOK, whatIfPage(v.titled("what-if", "What-if"), newWhatIfForm(), nil))
}

// slider is where the slider of coverage stands: at its left end, 0, is the knee.
func (f whatIfForm) slider() string { return cmp.Or(f.coverage, "0") }

// covers says the coverage that is asked for.
func (f whatIfForm) covers() string {
	if f.coverage == "" {
		return "the knee, what saves most"
	}
	return f.coverage + "%"
}

// showWhatIf sizes the file that was sent. Nothing is stored, and nothing is done: the
// answer is the page itself.
func (s *site) showWhatIf(w http.ResponseWriter, r *http.Request, v view) error {
	v = v.titled("what-if", "What-if")
	v.wide = true
	f := newWhatIfForm()
	refuse := func(err error) error {
		f.problem = sentence(err)
		return s.show(w, r, status(err), whatIfPage(v, f, nil))
	}
	r.Body = http.MaxBytesReader(w, r.Body, usageFile)
	if err := r.ParseMultipartForm(usageFile); err != nil {
		return refuse(errors.New("the file is missing, or larger than 8 MB: bursar what-if takes larger ones"))
	}
	text := func(name string) string { return strings.TrimSpace(r.FormValue(name)) }
	f = whatIfForm{
		coverage: strings.TrimSuffix(text("coverage"), "%"), discount: text("discount"), planDiscount: text("plan_discount"), term: text("term"), payment: text("payment"),
		held: text("held"), attributes: text("attributes"), asOf: text("as_of"),
	}
	if f.coverage == "0" {
		f.coverage = ""
	}
	upload, head, err := r.FormFile("file")
	if err != nil {
		return refuse(errors.New("choose the file of usage"))
	}
	defer upload.Close() //nolint:errcheck // read only
	f.file = filepath.Base(head.Filename)
	ask, err := f.request(upload)
	if err != nil {
		return refuse(err)
	}
	report, err := s.Service.WhatIf(r.Context(), ask)
	if err != nil {
		return refuse(err)
	}
	return s.show(w, r, http.StatusOK, whatIfPage(v, f, plots(report)))
}

func (f whatIfForm) request(content io.Reader) (api.WhatIfRequest, error) {
	ask := api.WhatIfRequest{
		Usage: f.file, Content: content, Prices: "catalog", PlanDiscount: f.planDiscount, Term: f.term, Payment: f.payment, Held: f.held, AsOf: f.asOf,
		SpikeDays: 14, MinDays: 30, MaxAge: 72 * time.Hour, RebuyDays: 30, Gaps: "refuse",
	}
	if f.discount != "" {
		ask.Prices, ask.Discount = "discount", f.discount
	}
	if f.coverage != "" {
		n, err := strconv.Atoi(f.coverage)
		if err != nil || n < 1 || n > 100 {
			return ask, fmt.Errorf("coverage: %q is not a whole number of per cent from 1 to 100", f.coverage)
		}
		ask.Coverage = n
	}
	for part := range strings.FieldsFuncSeq(f.attributes, func(r rune) bool { return r == ',' || r == ' ' }) {
		ask.Attributes = append(ask.Attributes, part)
	}
	return ask, nil
}

// sized is a page of what usage carries.
type sized struct {
	api.WhatIf
	pools    []poolPlot
	together []money.Amount // savings of all proposals, by currency
}

// poolPlot is a pool with its plots.
type poolPlot struct {
	api.UsagePool
	width   int // of the plot of days
	days    []bar3
	held    string // points of the line of what is held by day
	covered string // likewise with what is proposed
	top     string // the level at the upper edge
	minimum int    // height of the hour of least usage

	curve          string // points of the savings by quantity
	zero           int    // height of no savings
	knee, proposed int    // places of quantities; -1 for none
	most           money.Amount
}

// bar3 is a day: what every hour of it used, and what some did besides.
type bar3 struct{ x, base, baseHeight, flex, flexHeight int }

// plotHeight and plotWidth are the size of plots in their own units.
const (
	plotHeight = 240
	plotWidth  = 1000
)

func plots(r api.WhatIf) *sized {
	v := &sized{WhatIf: r}
	sum := purse{}
	for _, p := range r.Proposals {
		if err := sum.add(p.Savings); err != nil {
			sum = purse{} // beyond what an amount holds: the lines stand alone
			break
		}
	}
	v.together = sum.list()
	for _, p := range r.Pools {
		plot := poolPlot{UsagePool: p, knee: -1, proposed: -1}
		plot.drawDays()
		plot.drawCurve()
		v.pools = append(v.pools, plot)
	}
	return v
}

// number is a decimal as an exact fraction; 0 for what is none.
func number(text string) *big.Rat {
	if r, ok := new(big.Rat).SetString(text); ok {
		return r
	}
	return new(big.Rat)
}

// part is size * a / b, rounded to the nearest whole number.
func part(size int, a, b *big.Rat) int {
	if b.Sign() == 0 {
		return 0
	}
	q := new(big.Rat).Mul(big.NewRat(int64(size), 1), new(big.Rat).Quo(a, b))
	n, _ := strconv.Atoi(q.FloatString(0))
	return n
}

// drawDays draws the usage by day against the line of what is held, and of what would
// be with the proposal.
func (p *poolPlot) drawDays() {
	top, covers := new(big.Rat), number(p.Covers)
	for _, d := range p.Days {
		for _, x := range []*big.Rat{number(d.Maximum), new(big.Rat).Add(number(d.Held), covers)} {
			if x.Cmp(top) > 0 {
				top = x
			}
		}
	}
	p.top = strings.TrimSuffix(strings.TrimRight(top.FloatString(4), "0"), ".")
	const step = 10
	p.width = max(step, step*len(p.Days))
	y := func(level *big.Rat) int { return plotHeight - part(plotHeight-4, level, top) }
	p.minimum = y(number(p.Minimum))
	var held, covered []string
	for i, d := range p.Days {
		low, high := y(number(d.Minimum)), y(number(d.Maximum))
		p.days = append(p.days, bar3{x: i * step, base: low, baseHeight: plotHeight - low, flex: high, flexHeight: low - high})
		h := number(d.Held)
		a, b := y(h), y(new(big.Rat).Add(h, covers))
		held = append(held, fmt.Sprintf("%d,%d %d,%d", i*step, a, (i+1)*step, a))
		covered = append(covered, fmt.Sprintf("%d,%d %d,%d", i*step, b, (i+1)*step, b))
	}
	p.held, p.covered = strings.Join(held, " "), strings.Join(covered, " ")
}

// drawCurve draws the savings by quantity.
func (p *poolPlot) drawCurve() {
	if len(p.Curve) == 0 {
		return
	}
	last := new(big.Rat).SetInt64(p.Curve[len(p.Curve)-1].Quantity)
	high, low := new(big.Rat), new(big.Rat)
	p.most = p.Curve[0].Savings
	for _, c := range p.Curve {
		s := number(c.Savings.Decimal())
		if s.Cmp(high) > 0 {
			high, p.most = s, c.Savings
		}
		if s.Cmp(low) < 0 {
			low = s
		}
	}
	span := new(big.Rat).Sub(high, low)
	x := func(n int64) int { return part(plotWidth, new(big.Rat).SetInt64(n), last) }
	y := func(s *big.Rat) int { return plotHeight - 2 - part(plotHeight-4, new(big.Rat).Sub(s, low), span) }
	var points []string
	for _, c := range p.Curve {
		points = append(points, fmt.Sprintf("%d,%d", x(c.Quantity), y(number(c.Savings.Decimal()))))
	}
	p.curve, p.zero = strings.Join(points, " "), y(new(big.Rat))
	p.knee = x(p.Knee)
	if p.Chosen > 0 {
		p.proposed = min(plotWidth, x(p.Chosen))
	}
}

// measureAt is how a quantity of the curve reads.
func (p poolPlot) measureAt(n int64) string {
	if i := slices.IndexFunc(p.Curve, func(c api.CurvePoint) bool { return c.Quantity == n }); i >= 0 {
		return p.Curve[i].Measure
	}
	return strconv.FormatInt(n, 10)
}

// signed is a percentage that may be below zero.
func signed(bp int) string {
	if bp < 0 {
		return "-" + percent(-bp)
	}
	return percent(bp)
}

// asked makes an element ask with the whole form and show the result in its place, so
// that the file stays chosen.
func asked() templ.Attributes {
	return templ.Attributes{"hx-post": "/what-if", "hx-encoding": "multipart/form-data", "hx-target": "#result", "hx-select": "#result", "hx-select-oob": "#coverage", "hx-swap": "outerHTML"}
}
