"""docs/coverage.md, drawn from the rows of `coverage.py`."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import Any

from output import describe, markdown

Row = dict[str, Any]

_FIGURES = ("differ", "not fast", "TRANSPOSE", "s", "MiB", "SQNR, dB")
_LIMIT_MIB, _LIMIT_PARAMETERS = 4096, 200_000_000
_COMMAND = "python benchmarks/coverage.py --json coverage.jsonl --recipe fast --write-docs"
_HEAD = f"""\
# Which networks go through

The CNN classifiers of torchvision, all of them, and of timm, one or two of each convolutional family
([the list, and what is left out](../benchmarks/coverage_networks.txt)), through `edgegap export --int8`, each in a
process of its own. This page is what one command writes:

```sh
{_COMMAND}
```

The weights are random, made to behave: BatchNorm has the statistics of the calibration photos and a bias of 1, residual
branches that start switched off take part, and a network without normalization is scaled layer by layer. So the page
says what goes through, what it costs and whether both files agree; what int8 costs on trained weights, `edgegap check`
tells. GoogLeNet and Inception are built without their auxiliary heads.

- **differ**: output integers that differ between `int8.onnx` in ONNX Runtime and `int8.tflite` in LiteRT, of all.
- **not fast**: ops that ONNX Runtime computes in float, or LiteRT outside XNNPACK.
- **TRANSPOSE**: those in `int8.tflite`.
- **s**, **MiB**: the whole command with imports and proof; memory of all its processes, summed.
- **SQNR**: power of the float logits over that of what int8 changes."""


def page(rows: list[Row], listed: list[str]) -> str:
    """The page.

    Args:
        rows: in the order of the list.
        listed: the names of all networks on it.
    """
    parts = [_HEAD, "## In all", _totals(rows, listed)]
    for suite in dict.fromkeys(name.split()[0] for name in listed):
        of_suite = [row for row in rows if row["network"].startswith(f"{suite} ")]
        if of_suite:
            parts += [f"## {suite}", markdown([_line(row) for row in of_suite])]
    refused = [row for row in rows if "refusal" in row]
    if refused:
        parts += ["## Refused", "\n".join(_groups(refused))]
    failed = [f"- {row['network']}: {row['error']}" for row in rows if "error" in row]
    if failed:
        parts += ["## Not measured", "\n".join(failed)]
    return "\n\n".join([*parts, *_provenance(rows)])


def _totals(rows: list[Row], listed: list[str]) -> str:
    lines = []
    for suite in dict.fromkeys(name.split()[0] for name in listed):
        names = [name for name in listed if name.startswith(f"{suite} ")]
        exported = [row for row in rows if row["network"] in names and "exactness" in row]
        exact = sum(row["exactness"] == "exact" for row in exported)
        measured = sum(row["network"] in names for row in rows)
        missing = "" if measured == len(names) else f" ({measured} measured so far)"
        lines.append(f"- {suite}: **{len(exported)} of {len(names)}** exported{missing}, {exact} of them `exact`.")
    exported = [row for row in rows if "exactness" in row]
    if not exported:
        return "\n".join(lines)
    beyond = [row["network"] for row in exported if _is_beyond(row)]
    largest = max(exported, key=lambda row: row["peak_mib"])
    heavy = [
        row["network"]
        for row in exported
        if row["peak_mib"] > _LIMIT_MIB and row.get("parameters", 0) < _LIMIT_PARAMETERS
    ]
    return "\n".join(
        [
            *lines,
            f"- Beyond their bound: {', '.join(beyond) or 'none'}.",
            f"- Median time {median(row['seconds'] for row in exported):.1f} s "
            f"({median(row['cpu_seconds'] for row in exported):.1f} CPU s).",
            f"- Most memory {largest['peak_mib']:,.0f} MiB ({largest['network']}); over 4 GiB below "
            f"200 million parameters: {', '.join(heavy) or 'none'}.",
        ]
    )


def _is_beyond(row: Row) -> bool:
    identity = row["identity"]
    return identity["bound_lsb"] is not None and identity["max_lsb"] > identity["bound_lsb"]


def _line(row: Row) -> dict[str, str]:
    """One line of a suite's table."""
    cells = {
        "network": row["network"].split()[1] + ("" if row["size"] == 224 else f" ({row['size']})"),
        "parameters, M": f"{row['parameters'] / 1e6:.1f}" if "parameters" in row else "",
    }
    if "exactness" not in row:
        why = "not measured" if "error" in row else f"refused: {_sentence(row['refusal'])}"
        return cells | {
            "int8": _cell(why),
            **dict.fromkeys(("differ", "not fast", "TRANSPOSE", "s", "MiB", "SQNR, dB"), ""),
        }
    identity = row["identity"]
    differ = f"{identity['different']:,} / {identity['compared']:,}"
    return cells | {
        "int8": _cell(_exactness(row)),
        "differ": differ + (f" (by {identity['max_lsb']})" if identity["different"] else ""),
        "not fast": _counted(row["float_ops"]),
        "TRANSPOSE": "no file" if row["transposes"] is None else str(row["transposes"]),
        "s": f"{row['seconds']:.1f}",
        "MiB": f"{row['peak_mib']:,.0f}",
        "SQNR, dB": "" if row["sqnr_db"] is None else f"{row['sqnr_db']:.1f}",
    }


def _exactness(row: Row) -> str:
    """'exact', or the first op that is not, its bound, and how many there are."""
    inexact = row["inexact"]
    if not inexact:
        return f"`{row['exactness']}`"
    first, more = inexact[0], len(inexact) - 1
    bound = "no bound" if first["lsb"] is None else f"{first['lsb']} LSB"
    return f"{bound} from {first['where']}: {first['why']}" + (f"; {more} more" if more else "")


def _sentence(refusal: Row) -> str:
    place = refusal["module"] or refusal["node"]
    return _reason(refusal) + (f" ({place})" if place else "")


def _reason(refusal: Row) -> str:
    """Why, with the op in front where that does not name it."""
    op, why = refusal["op"], refusal["why"]
    return str(why) if op is None or op in why else f"{op}: {why}"


def _counted(ops: list[Row]) -> str:
    counts = Counter(op["op"] for op in ops)
    return ", ".join(f"{count} {op}" for op, count in counts.most_common()) or "0"


def _groups(refused: list[Row]) -> list[str]:
    """Refusals by reason, the commonest first."""
    groups: dict[str, list[str]] = {}
    for row in refused:
        groups.setdefault(_reason(row["refusal"]), []).append(row["network"])
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return [f"- {len(networks)}: {reason} ({', '.join(networks)})" for reason, networks in ordered]


def _provenance(rows: list[Row]) -> list[str]:
    """When, on what, with what; one line for each machine that rows come from."""
    if not rows:
        return []
    dates = sorted({row["date"] for row in rows})
    suites = sorted({f"{row['network'].split()[0]} {row['made_by']}" for row in rows if "made_by" in row})
    images = sorted({str(row["images"]) for row in rows})
    machines = {str({**row["machine"], "load_1_min": 0}): describe(row["machine"]) for row in rows}
    recipes = sorted({row["recipe"] for row in rows})
    when = f"Measured {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, recipe {' or '.join(recipes)}"
    return [f"{when}, {' or '.join(images)} images. {', '.join(suites)}. {'; '.join(machines.values())}."]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
