"""The page: templates, styles and scripts put together to one file that needs no network."""

import base64
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def data_uri(kind: str, content: bytes) -> str:
    """Return content of a kind such as image/png as a URI that holds it all."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def drawn(plot: Callable[[Path], None]) -> str:
    """Return the figure that a function plots into a file, an SVG, as a data URI."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        plot(path)
        return data_uri("image/svg+xml", path.read_bytes())


def rendered(context: dict[str, Any]) -> str:
    """Return the page as HTML.

    Args:
        context: the values of the templates. All text is escaped.
    """
    return str(_environment().get_template("report.html").render(context))


@cache
def _environment() -> Any:
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def asset(name: str) -> Markup:
        """Return a style or a script of this package as it is."""
        return Markup((_FOLDER / name).read_text(encoding="utf-8"))  # noqa: S704 - our own file

    def number(value: float | None, decimals: int = 0) -> str:
        return "" if value is None else f"{value:,.{decimals}f}"

    environment.globals["asset"] = asset
    environment.filters["number"] = number
    environment.filters["rgb"] = lambda colour: "#" + "".join(f"{part:02x}" for part in colour)
    environment.filters["path"] = _path
    return environment


def _path(parts: list[list[list[tuple[float, float]]]]) -> str:
    """Return the rings of polygons as the data of an SVG path."""
    rings = [ring[:-1] for rings in parts for ring in rings]
    return "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in ring) + "Z" for ring in rings)
