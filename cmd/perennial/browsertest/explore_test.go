package browsertest

import (
	"slices"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// exploreChart reads a chart by pointer and by keys, and looks closer at a part of it and at all of it again.
func (b *browser) exploreChart(d demo) {
	b.t.Helper()
	b.do(chromedp.Navigate(d.url+"/shops/alder/retention"), chromedp.WaitVisible(chromedp.CSS(".plot.alive canvas")))
	says := evaluate[[]string](b, `JSON.parse(document.querySelector(".plot").dataset.plot).says`)
	reads := func() string { return b.text(".plot .readout") }
	told := func() string {
		return evaluate[string](b, `document.querySelector(".plot .area").getAttribute("aria-valuetext")`)
	}
	require.Equal(b.t, says[len(says)-1], reads(), "the last value is read first")
	press := func(key string) { b.do(chromedp.SendKeys(chromedp.CSS(".plot .area"), key)) }
	press(kb.ArrowLeft)
	require.Equal(b.t, says[len(says)-2], reads())
	press(kb.Home)
	press(kb.ArrowLeft)
	require.Equal(b.t, []string{says[0], says[0]}, []string{reads(), told()})

	left, right, y := b.stretch(".plot .u-over")
	b.do(chromedp.MouseEvent(chromedp.MouseMoved, (left+right)/2, y))
	middle := slices.Index(says, reads())
	require.InDelta(b.t, float64(len(says))/2, float64(middle), float64(len(says))/10+1)
	require.False(b.t, evaluate[bool](b, zoomed))
	b.do(chromedp.DragAndDropXY(left+(right-left)*0.1, y, left+(right-left)*0.4, y))
	b.picture("explored-light")
	require.True(b.t, evaluate[bool](b, zoomed), "a part is looked at")
	b.requireUsable("retention, a part of a chart")
	b.do(chromedp.Click(chromedp.CSS(".plot .whole")))
	require.False(b.t, evaluate[bool](b, zoomed))

	b.on("print")
	require.True(b.t, evaluate[bool](b, `document.querySelector(".plot svg").checkVisibility() && !document.querySelector(".plot canvas").checkVisibility()`), "on paper")
	b.on("screen")
	require.Empty(b.t, b.heard())
}

// zoomed says whether all of the chart may be asked for again.
const zoomed = `!document.querySelector(".plot .whole").hidden`

// stretch is how far something reaches from left to right, and its middle height.
func (b *browser) stretch(selector string) (left, right, y float64) {
	b.t.Helper()
	box := evaluate[[]float64](b, `(() => {
		const area = document.querySelector("`+selector+`");
		area.scrollIntoView(false);
		const box = area.getBoundingClientRect();
		return [box.left, box.right, (box.top + box.bottom) / 2];
	})()`)
	return box[0], box[1], box[2]
}

// on looks at the page on a screen or in print.
func (b *browser) on(medium string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: medium})
	require.NoError(b.t, err)
}
