"""A plot as SVG, by hand: logarithmic or linear axes, in light and in dark."""

from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 64, 34, 52, 52

STYLE = """
  svg { --back: #fbfaf8; --text: #23262b; --dim: #6a6f78; --grid: #e3e1dc; --a: #1f6f8b; --b: #c2672b; }
  @media (prefers-color-scheme: dark) {
    svg { --back: #16181c; --text: #e6e4df; --dim: #9a9fa8; --grid: #32363d; --a: #67b7d1; --b: #e59a63; }
  }
  text { font: 13px system-ui, sans-serif; fill: var(--dim); }
  .label { fill: var(--text); }
  .grid { stroke: var(--grid); }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
""".rstrip()

COLORS = ("a", "b")


class Axis:
    """Where a number is, from 0 to 1. On a logarithmic one, 0 stands a step before the first number.

    A tight one ends with the last number, another with the mark behind it.
    """

    def __init__(self, numbers, is_logarithmic, is_tight=False):
        self.is_logarithmic = is_logarithmic
        positive = [number for number in numbers if number > 0] or [1]
        self.has_zero = is_logarithmic and min(numbers) <= 0
        if is_logarithmic:
            self.low, self.high = floor(log10(min(positive))), ceil(log10(max(positive)))
            self.high = max(self.high, self.low + 1)
            if is_tight:
                self.high = max(log10(max(positive)), self.low + 1)
            self.zero = self.low - 1
        else:
            self.step = 10 ** floor(log10(max(positive)))
            self.step /= next(part for part in (1, 2, 5) if max(positive) / self.step * part >= 4 or part == 5)
            self.low, self.high = 0, ceil(max(positive) / self.step) * self.step

    def place(self, number):
        if self.is_logarithmic:
            number = self.zero if number <= 0 else log10(number)
        begin = self.zero if self.has_zero else self.low
        return (number - begin) / (self.high - begin)

    def ticks(self):
        if self.is_logarithmic:
            return [0] * self.has_zero + [10.0**power for power in range(self.low, floor(self.high) + 1)]
        return [self.step * count for count in range(round(self.high / self.step) + 1)]


def number(value):
    """A short text: 0.01, 100, 10,000."""
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.3g}"


def svg(title, below, beside, lines, is_logarithmic):
    """`lines` are labels, each with its points. `below` and `beside` name the axes."""
    points = [point for _, line in lines for point in line]
    across = Axis([x for x, _ in points], is_logarithmic, is_tight=True)
    up = Axis([y for _, y in points], is_logarithmic)

    def x(value):
        return round(LEFT + across.place(value) * (WIDTH - LEFT - RIGHT), 1)

    def y(value):
        return round(HEIGHT - BOTTOM - up.place(value) * (HEIGHT - TOP - BOTTOM), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}\n</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="var(--back)"/>',
    ]
    for tick in up.ticks():
        parts.append(f'<path class="grid" d="M{LEFT} {y(tick)}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(tick) + 4}" text-anchor="end">{number(tick)}</text>')
    for tick in across.ticks():
        parts.append(f'<path class="grid" d="M{x(tick)} {TOP}V{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{x(tick)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{number(tick)}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 12}" text-anchor="end">{escape(below)}</text>')
    parts.append(f'<text class="label" x="12" y="22">{escape(beside)}</text>')
    parts.append(legend(lines))
    for (_, line), color in zip(lines, COLORS):
        path = "L".join(f"{x(a)} {y(b)}" for a, b in line)
        parts.append(f'<path class="line" stroke="var(--{color})" d="M{path}"/>')
        parts += [f'<circle cx="{x(a)}" cy="{y(b)}" r="3.5" fill="var(--{color})"/>' for a, b in line]
    return "\n".join([*parts, "</svg>"]) + "\n"


def legend(lines):
    """The labels at the right, each behind a dot in the color of its line."""
    marks = [
        f'<tspan dx="{16 * bool(index)}" fill="var(--{color})">●</tspan> {escape(label)}'
        for index, ((label, _), color) in enumerate(zip(lines, COLORS))
    ]
    return f'<text class="label" x="{WIDTH - RIGHT}" y="22" text-anchor="end">{"".join(marks)}</text>'
