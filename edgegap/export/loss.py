"""Whether the calibration images already show that int8 loses too much: one line with the layer and the remedy.

Both int8 files run on some calibration images anyway, to be proved; this looks at their answers once more. It is an
alarm for a quantization that failed, and no measurement: `edgegap check` measures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from edgegap.export.auto import recipes_of
from edgegap.export.settings import ExportSettings
from edgegap.quantize.noise import Cost, Noise
from edgegap.quantize.sensitivity import Part

EXPECTED = 0.05
"""The share of answers that int8 may change. On the README's networks it is 0.5 to 3 % with the recipe `default`."""

SIGNIFICANT = 0.01

LEAST_SNR_DB = 10.0
"""The SNR at which white noise on the logits changes 5 to 23 % of the answers of those networks."""


@dataclass(frozen=True)
class Seen:
    """The logits of some calibration images.

    Args:
        reference: of the float network, [n, classes].
        logits: of the int8 network, [n, classes].
        labels: int64 [n], -1 where there is none.
    """

    reference: NDArray[np.floating]
    logits: NDArray[np.floating]
    labels: NDArray[np.int64]

    @property
    def cost(self) -> Cost:
        """What int8 does to them."""
        noise = Noise()
        noise.add(self.reference, self.logits)
        return noise.cost()

    @property
    def is_alarming(self) -> bool:
        """Whether int8 loses more than it usually does, beyond the chance of few images.

        So it is where more answers changed than 5 % make likely (exact one-sided binomial test at 1 %: 6 of 32), or
        where the noise of the logits is over a tenth of their power: that shows what 32 answers are too few for.
        """
        cost = self.cost
        p = bdtrc(cost.changed - 1, len(self.labels), EXPECTED)  # of so many changed answers, or more
        return bool(p < SIGNIFICANT) or (cost.snr_db is not None and cost.snr_db < LEAST_SNR_DB)

    def notice(self, worst: Part | None, remedy: str) -> str:
        """The line.

        Args:
            worst: the part that costs most; None where nothing can tell.
            remedy: what to try.
        """
        cost, known = self.cost, self.labels >= 0
        text = f"int8 changes the answer on {cost.changed} of {len(known)} calibration images"
        if cost.snr_db is not None:
            text += f", its logits have an SNR of {cost.snr_db:.1f} dB"
        if known.any():
            before, after = ((z.argmax(1) == self.labels)[known].sum() for z in (self.reference, self.logits))
            text += f", and of {known.sum()} labels float has {before} right and int8 {after}"
        if worst is None:
            return f"{text}: {remedy} (--report-sensitivity, which needs torch and time, would name the layer)"
        path = f" (module {worst.module})" if worst.module else ""
        alone = "" if worst.snr_db is None else f", {worst.snr_db:.1f} dB alone"
        return f"{text}; most is due to the {worst.kind} of {worst.op} '{worst.name}'{path}{alone}: {remedy}"


def remedy(settings: ExportSettings, *, imported: bool) -> str:
    """What to try against a loss.

    Args:
        settings: the call.
        imported: whether the quantization came with the network.
    """
    if imported:
        return "give the float network, with --int8, to let EdgeGAP quantize it"
    if all(recipe.ranges != "margin" for recipe in recipes_of(settings.recipe)):
        return "try --recipe default"
    ranking = "" if settings.report_sensitivity else " or see --report-sensitivity"
    return f"give more and more typical images (--calib, --samples), keep such layers in float (--max-drop){ranking}"
