"""Shares, intervals, differences and p-values as text, for tables and reports."""

import math


def percent(share: float | None, digits: int = 1) -> str:
    """A share in [0, 1] as "43.8 %", in one piece; a dash for none."""
    if share is None or math.isnan(share):
        return "–"
    return f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def interval(bounds: tuple[float, float] | None) -> str:
    """An interval of shares as "28.2 to 60.7 %"; a dash for none."""
    if bounds is None:
        return "–"
    low, high = (f"{100 * bound:.1f}" for bound in bounds)
    return f"{low} to {high}\N{NO-BREAK SPACE}%"


def points(change: float) -> str:
    """A difference of shares in percentage points, as "+3.1"; a dash for none."""
    return "–" if math.isnan(change) else signed(100 * change)


def signed(value: float) -> str:
    """A number with one digit and its sign, a true minus; zero has none."""
    text = f"{value:+.1f}".replace("-", "−")
    return "0.0" if text[1:] == "0.0" else text


def area(value: float) -> str:
    """An area under a ROC curve as "0.873"; a dash for none."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def p_value(p: float) -> str:
    """A p-value with as many digits as it is worth."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
