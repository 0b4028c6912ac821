"""Plain charts as SVG text: lines on logarithmic axes, and counts over time."""

# pyright: basic

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 70, 90, 40, 50
COLOURS = ("#1f6feb", "#8b949e", "#bf3989")
Line = Sequence[tuple[float, float]]
_Name = tuple[tuple[float, float], str, str]


def draw(title: str, axes: tuple[str, str], lines: Mapping[str, Line]) -> str:
    """The chart of these lines, each named at its end.

    Every ``x`` of the first line, and the powers of ten on the other axis, have a
    label.
    """
    xs = [x for line in lines.values() for x, _ in line]
    ys = [y for line in lines.values() for _, y in line]
    low = 10.0 ** math.floor(math.log10(min(ys)))
    high = 10.0 ** math.ceil(math.log10(max(ys)))

    def place(x: float, y: float) -> tuple[float, float]:
        across = math.log(x / min(xs)) / math.log(max(xs) / min(xs))
        up = math.log(y / low) / math.log(high / low)
        width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + across * width, HEIGHT - BOTTOM - up * height

    parts = [_text(WIDTH / 2, 20, title, "middle", bold=True)]
    parts.append(_text(WIDTH / 2, HEIGHT - 10, axes[0], "middle"))
    parts.append(_text(8, TOP - 10, axes[1], "start"))
    for power in range(round(math.log10(low)), round(math.log10(high)) + 1):
        _, y = place(min(xs), 10.0**power)
        parts.append(_stroke([(LEFT, y), (WIDTH - RIGHT, y)], "#d0d7de", 1))
        parts.append(_text(LEFT - 8, y + 4, f"{10.0**power:,g}", "end"))
    for x, _ in next(iter(lines.values())):
        across, base = place(x, low)
        parts.append(_text(across, base + 18, f"{x:,g}", "middle"))
    names: list[_Name] = []
    # The last is drawn first: a name is more use than a line that hides another.
    for colour, (name, line) in reversed(list(zip(COLOURS, lines.items()))):  # noqa: B905 - there are colours enough
        points = [place(x, y) for x, y in line]
        parts.append(_stroke(points, colour, 2))
        names.append((points[-1], name, colour))
    return _finish(parts, names)


def draw_counts(
    title: str, moments: Mapping[str, Sequence[float]], seconds: float
) -> str:
    """How many there were of each kind by each moment, in steps."""
    most = max(len(each) for each in moments.values())
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100) if most / step <= 10)

    def place(x: float, y: float) -> tuple[float, float]:
        width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + x / seconds * width, HEIGHT - BOTTOM - y / most * height

    parts = [_text(WIDTH / 2, 20, title, "middle", bold=True)]
    parts.append(_text(WIDTH / 2, HEIGHT - 10, "seconds", "middle"))
    parts.append(_text(8, TOP - 10, "calls so far", "start"))
    for count in range(0, most + 1, step):
        _, y = place(0, count)
        parts.append(_stroke([(LEFT, y), (WIDTH - RIGHT, y)], "#d0d7de", 1))
        parts.append(_text(LEFT - 8, y + 4, f"{count}", "end"))
    for second in range(math.floor(seconds) + 1):
        across, base = place(second, 0)
        parts.append(_text(across, base + 18, f"{second}", "middle"))
    names: list[_Name] = []
    for colour, (name, each) in reversed(list(zip(COLOURS, moments.items()))):  # noqa: B905 - there are colours enough
        points = [place(0, 0)]
        for count, moment in enumerate(sorted(each)):
            points += [place(moment, count), place(moment, count + 1)]
        points.append(place(seconds, len(each)))
        parts.append(_stroke(points, colour, 2))
        names.append((points[-1], name, colour))
    return _finish(parts, names)


def _finish(parts: list[str], names: list[_Name]) -> str:
    """The picture, with the name of each line at its end."""
    lowest = 0.0
    for (x, y), name, colour in sorted(names, key=lambda each: each[0][1]):
        # Lines that end beside each other have their names one below the other.
        lowest = max(y + 4, lowest + 14)
        parts.append(_text(x + 6, lowest, name, "start", colour=colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _stroke(points: Line, colour: str, width: int) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )


def _text(
    x: float, y: float, text: str, anchor: str, *, bold: bool = False, colour: str = ""
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
        f'fill="{colour or "#24292f"}"{weight}>{escape(text)}</text>'
    )
