"""A page taken apart: elements with their attributes and their text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "br"}


@dataclass
class Element:
    """An element, its attributes, and the text in it and in its descendants."""

    tag: str
    attributes: dict[str, str]
    text: str = ""


class Page(HTMLParser):
    """All elements of a page in document order; elements that are not closed in order fail the test."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._stack: list[Element] = []
        self.feed(html)
        self.close()
        assert not self._stack, f"<{self._stack[-1].tag}> is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _VOID:
            self._stack.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._stack, f"</{tag}> closes nothing"
        assert self._stack[-1].tag == tag, f"</{tag}> closes <{self._stack[-1].tag}>"
        self._stack.pop()

    def handle_data(self, data: str) -> None:
        for element in self._stack:
            element.text += data

    def all(self, *tags: str) -> list[Element]:
        """The elements of these tags."""
        return [element for element in self.elements if element.tag in tags]

    @property
    def headings(self) -> list[str]:
        """Level and text of each heading."""
        return [f"{h.tag} {' '.join(h.text.split())}" for h in self.all("h1", "h2", "h3", "h4", "h5", "h6")]

    @property
    def text(self) -> str:
        """What is to be read, on one line."""
        (body,) = self.all("body")
        return re.sub(r"\s+", " ", body.text)
