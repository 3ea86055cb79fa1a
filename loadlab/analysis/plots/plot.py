"""A drawn plot with the sentence that says how to read it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from loadlab.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH: Final = 120
_SIGNATURE_POINTS: Final = 7


@dataclass(frozen=True, eq=False, repr=False)
class Plot:
    """A plot.

    Attributes:
        figure: matplotlib's.
        title: what it shows.
        sentence: how to read it; it stands under the plot and is what a screen reader says.
    """

    figure: Figure
    title: str
    sentence: str

    def signed(self, text: str) -> Plot:
        """The same with a line at its foot: a picture that is passed on alone must say whose it is."""
        self.figure.supxlabel(text, x=0.99, ha="right", fontsize=_SIGNATURE_POINTS, color="#555555")
        return self

    def png(self) -> bytes:
        """The picture."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
        return buffer.getvalue()

    def save(self, path: str | Path) -> None:
        """Write the picture without its sentence; the name's ending says in which format.

        Raises:
            UsageError: there is no such format, or the file can't be written.
        """
        known = sorted(self.figure.canvas.get_supported_filetypes())
        ending = Path(path).suffix.lstrip(".").lower()
        if ending not in known:
            raise UsageError(f"{path} is no name of a picture", fix=f"let it end in .{', .'.join(known)}")
        try:
            self.figure.savefig(path, dpi=_DOTS_PER_INCH)
        except OSError as error:
            raise UsageError(
                f"{path} can't be written: {error.strerror or error}", fix="name a folder that is there"
            ) from error

    def __repr__(self) -> str:
        """One line: what it shows."""
        return f"<{type(self).__name__}: {self.title}>"

    def _repr_html_(self) -> str:
        """The picture and its sentence, with nothing that has to be fetched."""
        picture = base64.b64encode(self.png()).decode("ascii")
        figure = ET.Element("figure")
        described = f"{self.title}. {self.sentence}"
        ET.SubElement(figure, "img", {"src": f"data:image/png;base64,{picture}", "alt": described})
        ET.SubElement(figure, "figcaption").text = self.sentence
        return ET.tostring(figure, encoding="unicode", method="html")


@dataclass(frozen=True)
class Missing:
    """What stands where a run has nothing to draw.

    Attributes:
        why: in a sentence.
    """

    why: str

    def save(self, path: str | Path) -> None:
        """There is nothing to write.

        Raises:
            UsageError: always, with the reason.
        """
        raise UsageError(f"{path} is not written: {self.why}")

    def _repr_html_(self) -> str:
        note = ET.Element("p", {"class": "missing"})
        note.text = self.why
        return ET.tostring(note, encoding="unicode", method="html")


@dataclass(frozen=True)
class Plots:
    """Plots below each other: of each group, say.

    Attributes:
        plots: at least one.
    """

    plots: tuple[Plot, ...]

    def save(self, path: str | Path) -> None:
        """Write the pictures: several as lag-1.png, lag-2.png and so on, in their order.

        Raises:
            UsageError: there is no such format, or a file can't be written.
        """
        named = Path(path)
        if len(self.plots) == 1:
            self.plots[0].save(named)
            return
        for number, plot in enumerate(self.plots, start=1):
            plot.save(named.with_stem(f"{named.stem}-{number}"))

    def _repr_html_(self) -> str:
        return "".join(plot._repr_html_() for plot in self.plots)
