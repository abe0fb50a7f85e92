"""Random networks keep every promise. EDGEGAP_FUZZ=1000 tries that many new ones instead of the usual ones."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, reject, settings

from edgegap.errors import UnsupportedOpError

from .networks import Network, networks
from .promises import check
from .regressions import REFUSED, REGRESSIONS

LEAST_SQNR = 15.0
"""dB, on the images that calibrated the network; 30 to 45 are usual.

Where channels differ by a factor of up to 2 ** 8, one scale per tensor may leave hardly any steps to the small ones:
there the noise may only not be larger than the signal.
"""

_COUNT = os.environ.get("EDGEGAP_FUZZ")


@settings(
    max_examples=int(_COUNT or 300),
    derandomize=_COUNT is None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(networks)
def test_a_random_network_keeps_every_promise(network: Network) -> None:
    try:
        sqnr = check(network)
    except UnsupportedOpError as error:
        if "no grid clips it alike" not in error.what:
            raise
        reject()
    assert sqnr > (LEAST_SQNR if network.wild <= 1 else 0)


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_network_that_broke_a_promise_once_keeps_it(name: str) -> None:
    assert check(REGRESSIONS[name]) > LEAST_SQNR


def test_a_clip_that_no_grid_makes_free_is_refused_naming_it() -> None:
    with pytest.raises(UnsupportedOpError, match="no grid clips it alike") as caught:
        check(REFUSED)
    assert "Clip node 'clip_" in str(caught.value.where)
