"""Line charts as SVG, with nothing but Python."""

from xml.sax.saxutils import escape

COLORS = ["#1b6ca8", "#d1495b", "#2e933c", "#8e5aa8", "#c77d0a", "#4f6d7a", "#00798c", "#8d6a3f"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM, LEGEND = 900, 360, 70, 36, 44, 230


def ticks(most):
    """Round numbers from 0 to at least `most`."""
    if most <= 0:
        return [0, 1]
    step = 1
    while most / step > 6:
        step *= 2 if str(step)[0] in "15" else 2.5
    return [step * i for i in range(int(-(-most // step)) + 1)]


def chart(title, x_label, y_label, series, x_names=None):
    """`series` maps a name to its points (x, y). With `x_names`, x is a place in that list."""
    points = [point for line in series.values() for point in line]
    x_ticks = list(range(len(x_names))) if x_names else ticks(max((x for x, _ in points), default=1))
    y_ticks = ticks(max((y for _, y in points), default=1))
    right, bottom = WIDTH - LEGEND, HEIGHT - BOTTOM
    x_of = lambda x: LEFT + (right - LEFT) * x / max(x_ticks[-1], 1e-9)
    y_of = lambda y: bottom - (bottom - TOP) * y / y_ticks[-1]
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="15">{escape(title)}</text>',
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>',
        f'<text x="16" y="{(TOP + bottom) / 2}" text-anchor="middle" transform="rotate(-90 16 {(TOP + bottom) / 2})">{escape(y_label)}</text>',
    ]
    for y in y_ticks:
        out.append(f'<line x1="{LEFT}" x2="{right}" y1="{y_of(y):.1f}" y2="{y_of(y):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y_of(y) + 4:.1f}" text-anchor="end">{y:g}</text>')
    for x in x_ticks:
        name = x_names[x] if x_names else f"{x:g}"
        out.append(f'<text x="{x_of(x):.1f}" y="{bottom + 16}" text-anchor="middle">{escape(name)}</text>')
    for place, (name, line) in enumerate(series.items()):
        color = COLORS[place % len(COLORS)]
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in line)
        out.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        y = TOP + 18 * place
        out.append(f'<line x1="{right + 14}" x2="{right + 34}" y1="{y}" y2="{y}" stroke="{color}" stroke-width="2"/>')
        out.append(f'<text x="{right + 40}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join(out + ["</svg>", ""])
