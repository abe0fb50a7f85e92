"""Random networks keep every promise. EDGEGAP_FUZZ=1000 tries that many new ones instead of the usual ones."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings

from .networks import Network, networks
from .promises import check
from .regressions import REGRESSIONS

LEAST_SQNR = 10.0
"""dB, on the images that calibrated the network. The usual is 30 to 45; factors that differ by 2 ** 8 cost the rest."""

_COUNT = os.environ.get("EDGEGAP_FUZZ")


@settings(
    max_examples=int(_COUNT or 150),
    derandomize=_COUNT is None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(networks)
def test_a_random_network_keeps_every_promise(network: Network) -> None:
    assert check(network) > LEAST_SQNR


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_network_that_broke_a_promise_once_keeps_it(name: str) -> None:
    assert check(REGRESSIONS[name]) > LEAST_SQNR
