package main

import (
	"cmp"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// contenders have colours of Okabe and Ito, which the colour-blind tell apart too.
var contenders = []struct {
	name string
	ink  color.RGBA
}{
	{"floor", color.RGBA{0, 0, 0, 255}},
	{"plumb", color.RGBA{0, 114, 178, 255}},
	{"batch", color.RGBA{0, 158, 115, 255}},
	{"script", color.RGBA{213, 94, 0, 255}},
	{"mininet", color.RGBA{204, 121, 167, 255}},
}

// operations are those that are drawn.
var operations = []struct {
	name   string
	dashes []vg.Length
}{
	{"up", nil},
	{"down", []vg.Length{5, 4}},
}

// kind is that of the shapes whose size is the axis.
const kind = "hosts-"

// plot draws how the times of up and down grow with the number of hosts on a bridge.
func (r report) plot() (*plot.Plot, error) {
	if len(r.sizes()) == 0 {
		return nil, errors.New("no shape is a " + kind + "N")
	}
	p := r.axes()
	for _, c := range contenders {
		for _, op := range operations {
			points := r.points(c.name, op.name)
			if len(points) == 0 {
				continue
			}
			line, dots, err := plotter.NewLinePoints(points)
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", c.name, op.name, err)
			}
			line.Color, line.Width, line.Dashes = c.ink, vg.Points(1.5), op.dashes
			dots.Color, dots.Shape, dots.Radius = c.ink, draw.CircleGlyph{}, vg.Points(2.5)
			p.Add(line, dots)
			if op.dashes == nil {
				p.Legend.Add(c.name, line, dots)
			}
		}
	}
	p.Y.Min, p.Y.Max = math.Pow(10, math.Floor(math.Log10(p.Y.Min))), math.Pow(10, math.Ceil(math.Log10(p.Y.Max)))
	return p, nil
}

// axes is the plot without its lines.
func (r report) axes() *plot.Plot {
	p := plot.New()
	p.Title.Text = "Namespaces on one bridge: to build (solid) and to remove (dashed)"
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text, p.Y.Label.Text = "namespaces", "seconds"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks(r.sizes()), decades{}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs, p.Legend.YOffs = vg.Points(6), vg.Points(-4)
	p.Legend.YPosition = draw.PosCenter
	for _, style := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		style.Font.Variant, style.Font.Size = "Sans", vg.Points(10)
	}
	p.Add(plotter.NewGrid())
	return p
}

// write writes the plot as SVG, with a margin, on white.
func write(p *plot.Plot, out io.Writer) error {
	const margin = 12
	svg := vgsvg.New(18*vg.Centimeter, 12*vg.Centimeter)
	canvas := draw.New(svg)
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Rectangle.Path())
	p.Draw(draw.Crop(canvas, margin, -margin, margin, -margin))
	_, err := svg.WriteTo(out)
	return err
}

// points are the medians of an operation in seconds, by the number of namespaces.
func (r report) points(contender, op string) plotter.XYs {
	var points plotter.XYs
	for _, f := range r.Medians {
		if f.Contender == contender && f.Op == op && strings.HasPrefix(f.Shape, kind) {
			points = append(points, plotter.XY{X: float64(f.Namespaces), Y: f.Milliseconds / 1000})
		}
	}
	slices.SortFunc(points, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
	return points
}

// sizes are the numbers of namespaces that were measured.
func (r report) sizes() []int {
	var sizes []int
	for _, f := range r.Medians {
		if strings.HasPrefix(f.Shape, kind) && !slices.Contains(sizes, f.Namespaces) {
			sizes = append(sizes, f.Namespaces)
		}
	}
	return sizes
}

// ticks are marks at these numbers.
func ticks(numbers []int) plot.ConstantTicks {
	var t plot.ConstantTicks
	for _, n := range numbers {
		t = append(t, plot.Tick{Value: float64(n), Label: strconv.Itoa(n)})
	}
	return t
}

// decades marks the powers of ten, and without a label the numbers between them.
type decades struct{}

// Ticks implements plot.Ticker.
func (decades) Ticks(low, high float64) []plot.Tick {
	var t []plot.Tick
	for power := math.Floor(math.Log10(low)); power <= math.Ceil(math.Log10(high)); power++ {
		one := math.Pow(10, power)
		t = append(t, plot.Tick{Value: one, Label: strconv.FormatFloat(one, 'f', -1, 64)})
		for n := 2; n < 10; n++ {
			t = append(t, plot.Tick{Value: float64(n) * one})
		}
	}
	return t
}
