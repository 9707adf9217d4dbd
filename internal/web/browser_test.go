package web_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var update = flag.Bool("update", false, "write the screenshots of docs/pages.md")

// browser is a window of headless Chromium.
type browser struct {
	*testing.T
	ctx  context.Context
	base string // of the pages

	mu       sync.Mutex
	troubles []string // what the console said
}

// patience is how long a condition may take to come true.
const patience = 30 * time.Second

// chromium finds the browser. In CI a missing one is a failure.
func chromium(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("there is no Chromium: .ci/run installs it")
	}
	t.Skip("there is no Chromium: apt-get install chromium")
	return ""
}

// browse opens a browser on the pages at base.
func browse(t *testing.T, base string) *browser {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(chromium(t)), chromedp.WindowSize(1280, 800), chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("hide-scrollbars", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	alloc, cancelAlloc := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() { cancel(); cancelAlloc() })
	b := &browser{T: t, ctx: ctx, base: base}
	if err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			b.trouble("exception: " + ev.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning {
				var words []string
				for _, a := range ev.Args {
					words = append(words, string(a.Value)+a.Description)
				}
				b.trouble("console: " + strings.Join(words, " "))
			}
		case *log.EventEntryAdded:
			// A form that is refused comes back with its reason under 422.
			refused := strings.Contains(ev.Entry.Text, "status of 422")
			if !refused && (ev.Entry.Level == log.EntryLevelError || ev.Entry.Level == log.EntryLevelWarning) {
				b.trouble(fmt.Sprintf("log: %s %s", ev.Entry.Text, ev.Entry.URL))
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *browser) trouble(says string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubles = append(b.troubles, says)
}

// quiet fails if the console said anything.
func (b *browser) quiet() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, says := range b.troubles {
		b.Error(says)
	}
}

// do runs actions; what does not come true in time fails the test, with the page as it is.
func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ask(b, chromedp.Steps(steps...))
}

// ask runs an action that has an answer.
func ask[T any](b *browser, a chromedp.Action[T]) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	answer, err := chromedp.Run(ctx, a)
	if err != nil {
		where, _ := chromedp.Run(b.ctx, chromedp.Location())
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string]("document.body.innerText"))
		b.mu.Lock()
		defer b.mu.Unlock()
		b.Fatalf("%v\n%s\n%s\n%s", err, where, text, strings.Join(b.troubles, "\n"))
	}
	return answer
}

func (b *browser) open(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.base+path), chromedp.WaitReady("#main"))
}

// sees waits until the page shows texts. A page that is left while it is looked at is
// followed by the next one.
func (b *browser) sees(texts ...string) {
	b.Helper()
	for _, text := range texts {
		shows := chromedp.PollFunction[bool](`(text) => document.body && document.body.innerText.includes(text)`,
			chromedp.WithPollingArgs(text), chromedp.WithPollingTimeout(patience))
		for end := time.Now().Add(patience); ; {
			_, err := chromedp.Run(b.ctx, shows)
			if err == nil {
				break
			}
			if !left(err) || time.Now().After(end) {
				b.Logf("the page does not show %q", text)
				ask(b, func(context.Context, *chromedp.Target) (bool, error) { return false, err })
			}
		}
	}
}

// left reports whether an action failed because the page was left meanwhile.
func left(err error) bool {
	return strings.Contains(err.Error(), "navigated or closed") || strings.Contains(err.Error(), "context was destroyed") ||
		strings.Contains(err.Error(), "Cannot find context")
}

// lacks fails if the page shows a text.
func (b *browser) lacks(text string) {
	b.Helper()
	if all := ask(b, chromedp.Evaluate[string]("document.body.innerText")); strings.Contains(all, text) {
		b.Errorf("the page shows %q:\n%s", text, all)
	}
}

// press presses the button or follows the link with a text, and waits for the next page.
func (b *browser) press(text string) {
	b.Helper()
	b.do(chromedp.Click(fmt.Sprintf(`//main//button[normalize-space()=%q] | //main//a[normalize-space()=%q]`, text, text)))
}

func (b *browser) fill(name, text string) {
	b.Helper()
	sel := fmt.Sprintf("main [name=%q]", name)
	b.do(chromedp.WaitVisible(sel))
	ask(b, chromedp.Evaluate[bool](fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %q; return e.dispatchEvent(new Event("input")) })()`, sel, text)))
}

// snap keeps what the window shows as a picture of the documentation, when that is
// asked for, and otherwise sees to it that nothing is wider than the window.
func (b *browser) snap(plain, name string, width, height int64, dark bool) {
	b.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	metrics := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 700}
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}}
	b.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, metrics)
		if err == nil {
			_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, media)
		}
		return err
	}))
	if wide := ask(b, chromedp.Evaluate[float64](`document.documentElement.scrollWidth - document.documentElement.clientWidth`)); wide > 0 {
		b.Errorf("%s is %v px wider than its window of %d px", name, wide, width)
	}
	if !*update || name != plain && !shown[name] {
		return
	}
	shot := ask(b, chromedp.CaptureScreenshot())
	img, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		b.Fatal(err)
	}
	var small bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, paletted(img)); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("..", "..", "docs", "pages", name+".png"), small.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
}

// snaps keeps a page in the sizes and colors in which people see it.
func (b *browser) snaps(name string) {
	b.Helper()
	b.snap(name, name+"-dark", 1280, 800, true)
	b.snap(name, name+"-small", 375, 800, false)
	b.snap(name, name, 1280, 800, false)
}

// shown are the pages that the documentation shows dark or on a small screen, too.
var shown = map[string]bool{"home-dark": true, "home-small": true, "plan-small": true, "case-dark": true, "expiry-small": true}

// paletted is a picture of a page with the 64 colors that it has most of.
func paletted(img image.Image) image.Image {
	counts := map[color.RGBA]int{}
	r := img.Bounds()
	rgba := image.NewRGBA(r)
	draw.Draw(rgba, r, img, r.Min, draw.Src)
	for i := 0; i < len(rgba.Pix); i += 4 {
		counts[color.RGBA{rgba.Pix[i], rgba.Pix[i+1], rgba.Pix[i+2], 255}]++
	}
	colors := make([]color.RGBA, 0, len(counts))
	for c := range counts {
		colors = append(colors, c)
	}
	slices.SortFunc(colors, func(a, b color.RGBA) int { return counts[b] - counts[a] })
	var palette color.Palette
	for _, c := range colors[:min(64, len(colors))] {
		palette = append(palette, c)
	}
	nearest := map[color.RGBA]uint8{}
	out := image.NewPaletted(r, palette)
	for i, n := 0, 0; i < len(rgba.Pix); i, n = i+4, n+1 {
		c := color.RGBA{rgba.Pix[i], rgba.Pix[i+1], rgba.Pix[i+2], 255}
		at, ok := nearest[c]
		if !ok {
			at = uint8(palette.Index(c))
			nearest[c] = at
		}
		out.Pix[n] = at
	}
	return out
}
