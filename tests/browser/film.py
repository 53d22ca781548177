"""What is seen of a page over time, as an animated picture."""

from __future__ import annotations

import time
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page

__all__ = ["Film"]

# All that a GIF has.
_COLOURS = 256
# A hand on its way to a button: so many frames, of so many seconds, and a moment before it clicks.
_STEPS, _STEP_SECONDS, _REST_SECONDS = 8, 0.05, 0.25
_LETTER_SECONDS = 0.06

# A browser without a screen has no pointer.
_POINTER = """
() => {
    const pointer = document.createElement("div");
    pointer.id = "pointer";
    pointer.innerHTML = `<svg width="20" height="26" viewBox="0 0 20 26">
        <path d="M2 1.5v19l4.6-4.2 3 7 3.6-1.6-3-6.8 6.2-.4z"
            fill="#111" stroke="#fff" stroke-width="1.6"/></svg>`;
    pointer.style = "position: fixed; z-index: 99999; pointer-events: none; left: 0; top: 0";
    document.body.append(pointer);
}
"""
_MOVE = """
([x, y]) => {
    document.getElementById("pointer").style.transform = `translate(${x - 2}px, ${y - 2}px)`;
}
"""
_TEXT = """
(element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const { left, width, top, height } = range.getBoundingClientRect();
    return [left, width, top + height / 2];
}
"""


class Film:
    """A recording of one element of a page, which stays where it is."""

    def __init__(self, page: Page, shown: Locator) -> None:
        self._page = page
        box = shown.bounding_box()
        assert box is not None
        self._clip = box
        self._frames: list[tuple[bytes, float]] = []
        page.evaluate(_POINTER)
        self._at = (box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.4)
        self._move(*self._at)

    def shoot(self, seconds: float) -> None:
        """One frame that is seen so long."""
        self._frames.append((self._page.screenshot(clip=self._clip), seconds))

    def roll(self, seconds: float) -> None:
        """As many frames as can be taken in this time, each seen as long as that took."""
        end = time.monotonic() + seconds
        while (begin := time.monotonic()) < end:
            picture = self._page.screenshot(clip=self._clip)
            self._frames.append((picture, time.monotonic() - begin))

    def click(self, target: Locator, part: float = 0.5) -> None:
        """Go there as a hand does, slow at both ends; click so far to the right of its text."""
        left, width, y = target.evaluate(_TEXT)
        x = left + width * part
        from_x, from_y = self._at
        for step in range(1, _STEPS + 1):
            way = step / _STEPS
            way *= way * (3 - 2 * way)
            self._move(from_x + (x - from_x) * way, from_y + (y - from_y) * way)
            self.shoot(_STEP_SECONDS if step < _STEPS else _REST_SECONDS)
        self._page.mouse.click(x, y)

    def type(self, text: str) -> None:
        """Letter by letter, where the caret is."""
        for letter in text:
            self._page.keyboard.insert_text(letter)
            self.shoot(_LETTER_SECONDS)

    def write(self, path: Path) -> None:
        """Make one frame of what has not changed; one palette for all, so that nothing flickers."""
        pictures = [Image.open(BytesIO(data)).convert("RGB") for data, _ in self._frames]
        palette = _palette(pictures)
        frames: list[Image.Image] = []
        times: list[float] = []
        for picture, (_, seconds) in zip(pictures, self._frames, strict=True):
            frame = picture.quantize(palette=palette, dither=Image.Dither.NONE)
            if frames and frame.tobytes() == frames[-1].tobytes():
                times[-1] += seconds
            else:
                frames.append(frame)
                times.append(seconds)
        frames[0].save(
            path,
            save_all=True,
            append_images=frames[1:],
            duration=[round(each * 1000) for each in times],
            loop=0,
        )

    def _move(self, x: float, y: float) -> None:
        self._at = (x, y)
        self._page.mouse.move(x, y)
        self._page.evaluate(_MOVE, [x, y])


def _palette(pictures: list[Image.Image]) -> Image.Image:
    """The colours of frames from begin to end."""
    width, height = pictures[0].size
    chosen = [pictures[(len(pictures) - 1) * part // 5] for part in range(6)]
    sample = Image.new("RGB", (width, height * len(chosen)))
    for place, picture in enumerate(chosen):
        sample.paste(picture, (0, height * place))
    return sample.quantize(_COLOURS, dither=Image.Dither.NONE)
