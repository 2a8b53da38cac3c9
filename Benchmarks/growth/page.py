"""Plots and tables, from results into a page: what stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`."""

from collections import Counter

from . import plot


def gather(curve, results):
    """For each series its values with their results, those without any left out."""
    return [(series, found) for series in curve.series if (found := _of(curve, series, results))]


def _of(curve, series, results):
    by_value = {value: [] for value in series.values}
    for result in results:
        if (result["curve"], result["series"]) == (curve.name, series.label) and result["value"] in by_value:
            by_value[result["value"]].append(result)
    return {value: some for value, some in by_value.items() if some}


def plots(curve, results):
    """Names of files and what is in them."""
    known = gather(curve, results)
    for figure in curve.figures:
        if figure.plot is None:
            continue
        lines = [(series.label, [(value, figure.of(some)) for value, some in found.items()]) for series, found in known]
        name = curve.name if figure is curve.figures[0] else f"{curve.name}-memory"
        if known and min(len(line) for _, line in lines) > 1 and len(curve.series[0].values) > 2:
            title = f"{figure.plot} by {curve.unit}"
            yield f"{name}.svg", plot.svg(title, curve.unit, figure.plot, lines, curve.is_logarithmic)


def table(curve, results):
    """Markdown: a row for each value, for each series its figures."""
    known = gather(curve, results)
    columns = [(series, found, figure) for series, found in known for figure in curve.figures]
    heads = [f"{series.label}: {figure.heading}" if len(known) > 1 else figure.heading for series, _, figure in columns]
    rows = [[curve.unit, *heads], ["---:"] * (len(columns) + 1)]
    for value in sorted({value for _, found in known for value in found}):
        cells = [figure.of(found.get(value, [])) for _, found, figure in columns]
        rows.append([f"{value:,}", *("" if cell is None else text(cell) for cell in cells)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def repetitions(results):
    """How many results each value has: `3`, or `2 to 3` where time was up."""
    counts = Counter((result["curve"], result["series"], result["value"]) for result in results)
    fewest, most = min(counts.values(), default=0), max(counts.values(), default=0)
    return f"{most}" if fewest == most else f"{fewest} to {most}"


def text(number):
    """Three digits."""
    if number >= 100 or number == 0:
        return f"{number:,.0f}"
    return f"{number:.3g}" if number >= 0.01 else f"{number:.4f}"


def slope(curve, results):
    """What one more connection takes, by least squares, and what 100,000 would, in a sentence."""
    ((_, found),) = gather(curve, results)
    by_heading = {figure.heading: figure for figure in curve.figures}
    points = {
        heading: [(value, by_heading[heading].of(some)) for value, some in found.items()]
        for heading in ("MB at most", "% of a core")
    }
    (memory, base), (share, idle) = fit(points["MB at most"]), fit(points["% of a core"])
    return (
        f"By least squares a connection takes {memory * 1e6:,.0f} bytes of the process and {share * 1e4:.1f} µs a second. "
        f"100,000 would take {(base + memory * 1e5) / 1000:.2f} GB and {(idle + share * 1e5) / 100:.1f} cores."
    )


def fit(points):
    """Slope and beginning of the line that is nearest to the points."""
    count = len(points)
    middle_x, middle_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    slope = sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0
    return slope, middle_y - slope * middle_x


def fill(page, name, content):
    """The page with other content between the two marks."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, found, rest = page.partition(begin)
    _, also, tail = rest.partition(end)
    if not (found and also):
        raise ValueError(f"no {begin} and {end} in the page")
    return f"{head}{begin}\n{content}\n{end}{tail}"
