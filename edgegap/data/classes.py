"""Names of classes and their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edgegap.errors import DataError


def read_classes(path: Path) -> tuple[str, ...]:
    """The first word of each line that is not blank: the class's name (and its folder's), in class order.

    Raises:
        DataError: no such file, not UTF-8 text, no class in it, or one twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}", where=str(path), hint="Check the path of the classes file."
        ) from error
    except UnicodeDecodeError as error:
        raise DataError("not UTF-8 text", where=str(path), hint="Give a text file with one class a line.") from error
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        name = next(iter(line.split()), None)
        if name is None:
            continue
        if name in seen:
            raise DataError(
                f"class {name!r} is also on line {seen[name]}",
                where=f"{path}:{number}",
                hint="The first word of a line names its class and occurs once.",
            )
        seen[name] = number
    if not seen:
        raise DataError("no class in it", where=str(path), hint="Give a text file with one class a line.")
    return tuple(seen)


def read_titles(path: Path) -> tuple[str, ...]:
    """What to call each class of a file that `read_classes` accepts: the words after the first, up to a comma.

    The first word itself where there are no more, and beside the others where two classes would be called the same.
    """
    lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    titles = [line[-1].split(",")[0].strip() or line[0] for line in lines]
    count = Counter(titles)
    return tuple(
        title if count[title] == 1 else f"{title} ({line[0]})" for title, line in zip(titles, lines, strict=True)
    )


def class_indices(names: Sequence[str], classes: tuple[str, ...], where: str) -> list[int]:
    """The index in `classes` of each of the data's own class `names`.

    Raises:
        DataError: names that are not among `classes`; the first few are in the message.
    """
    index = {name: position for position, name in enumerate(classes)}
    missing = [name for name in names if name not in index]
    if missing:
        some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise DataError(
            f"{len(missing)} of its {len(names)} classes are not in the classes file: {some}",
            where=where,
            hint="The first word of each line of the classes file is the name of a class of the data.",
        )
    return [index[name] for name in names]
