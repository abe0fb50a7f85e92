"""`edgegap report`: the records of bundles as a page, as Markdown, or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from edgegap.disk import disk_errors
from edgegap.report.records import read_bundle

Format = Literal["html", "markdown", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)


def report(bundles: Sequence[Path], form: Format) -> str:
    """The report on one bundle, or on several side by side.

    Args:
        bundles: folders, at least one.
        form: 'json' has all records of each bundle: {"schema": "edgegap.report/1", "bundles": [...]}.

    Raises:
        BundleError: a folder that is no bundle, a file that was altered, a record that is not one; names the file.
    """
    records = [read_bundle(folder) for folder in bundles]
    if form == "json":
        whole = {"schema": "edgegap.report/1", "bundles": [bundle.to_json() for bundle in records]}
        return json.dumps(whole, indent=1) + "\n"
    if form == "markdown":
        from edgegap.report.markdown import render_markdown  # noqa: PLC0415  # Markdown and JSON need no plots

        return render_markdown(records)
    from edgegap.report.page import render_page  # noqa: PLC0415  # matplotlib is slow to import

    return render_page(records)


def write_report(path: Path, text: str) -> int:
    """Write a report, whole or not at all.

    Returns:
        Its size in bytes.

    Raises:
        DiskError: no space, no permission, no such folder.
    """
    # A lone surrogate, which a file name may hold, has no UTF-8.
    content = text.encode("utf-8", "replace")
    partial = path.with_name(f".{path.name}.partial")
    with disk_errors(path, "Choose another file with -o."):
        try:
            partial.write_bytes(content)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return len(content)
