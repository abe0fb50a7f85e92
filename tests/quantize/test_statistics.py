"""Histograms and statistics: nothing that was seen is lost, in whichever order and portions it comes."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ops.seeded import many

from edgegap.quantize.statistics import Histogram, Statistics

portions = st.lists(
    st.builds(
        lambda values, exponent: (values * np.float32(2.0**exponent)).astype(np.float32),
        arrays(np.float32, st.integers(1, 40), elements=st.floats(-1, 1, width=32, allow_subnormal=False)),
        st.integers(-15, 15),
    ),
    min_size=1,
    max_size=5,
)


def histogram_of(*batches: np.ndarray) -> Histogram:
    histogram = Histogram()
    for batch in batches:
        histogram.update(batch)
    return histogram


@many(portions)
def test_the_counts_are_numpys_over_the_final_range(batches) -> None:
    histogram, values = histogram_of(*batches), np.concatenate(batches).astype(np.float64)
    bins, end = len(histogram.counts), 2.0**histogram.exponent
    assert np.abs(values).max() <= end
    # numpy counts the right end of the range in, and so does the last bin
    expected, _ = np.histogram(values, bins=bins, range=(-end, end))
    np.testing.assert_array_equal(histogram.counts, expected)


@many(portions)
def test_every_value_lies_within_half_a_bin_of_a_counted_centre(batches) -> None:
    histogram, values = histogram_of(*batches), np.concatenate(batches)
    width = 2.0 ** (histogram.exponent + 1) / len(histogram.counts)
    counted = histogram.centres()[histogram.counts > 0]
    assert (np.abs(values[:, None] - counted).min(axis=1) <= width / 2 * (1 + 1e-6)).all()


@many(portions, portions)
def test_a_merge_is_the_histogram_of_both(left, right) -> None:
    merged = histogram_of(*left)
    merged.merge(histogram_of(*right))
    together = histogram_of(*left, *right)
    assert merged.exponent == together.exponent
    np.testing.assert_array_equal(merged.counts, together.counts)


@many(portions)
def test_a_merge_leaves_the_other_as_it_was(batches) -> None:
    other = histogram_of(*batches)
    exponent, counts = other.exponent, other.counts.copy()
    big = histogram_of(np.array([1e6], np.float32))
    big.merge(other)
    assert other.exponent == exponent
    np.testing.assert_array_equal(other.counts, counts)
    assert big.counts.sum() == counts.sum() + 1


def test_an_empty_histogram_adds_nothing() -> None:
    histogram = histogram_of(np.array([1.0, -3.0], np.float32))
    histogram.merge(Histogram())
    assert histogram.counts.sum() == 2
    empty = Histogram()
    empty.merge(histogram)
    np.testing.assert_array_equal(empty.counts, histogram.counts)


@many(arrays(np.float32, (6, 3, 4, 5), elements=st.floats(-100, 100, width=32)), st.integers(1, 5))
def test_batches_of_any_size_give_the_same_statistics(images, first: int) -> None:
    parts, whole = Statistics(), Statistics()
    for batch in (images[:first], images[first:]):
        parts.update(batch, detailed=True)
    whole.update(images, detailed=True)
    assert (parts.lo, parts.hi, parts.images) == (whole.lo, whole.hi, 6) == (images.min(), images.max(), 6)
    assert parts.histogram.exponent == whole.histogram.exponent
    np.testing.assert_array_equal(parts.histogram.counts, whole.histogram.counts)


@many(arrays(np.float32, (2, 3, 4), elements=st.floats(-10, 10, width=32)), st.floats(-20, 20, width=32))
def test_merged_statistics_span_both(values, other: float) -> None:
    left, right = Statistics(), Statistics()
    left.update(values, detailed=True)
    right.update(np.full((1, 2), other, np.float32), detailed=True)
    merged = left.merged(right)
    assert (merged.lo, merged.hi) == (min(values.min(), other), max(values.max(), other))
    assert merged.histogram.counts.sum() == left.histogram.counts.sum() + right.histogram.counts.sum()


def test_a_nan_shows_in_the_range() -> None:
    seen = Statistics()
    seen.update(np.array([[1.0, 2.0]], np.float32), detailed=True)
    seen.update(np.array([[np.nan, 2.0]], np.float32), detailed=True)
    seen.update(np.array([[1.0, 2.0]], np.float32), detailed=True)
    assert not np.isfinite(seen.hi - seen.lo)


def test_the_sample_of_a_large_map_visits_every_channel_and_column() -> None:
    """64 channels of 64 x 64: each channel and column has a value of its own, and all of them are seen."""
    columns = np.broadcast_to(np.arange(64, dtype=np.float32), (1, 64, 64, 64))
    for batch in (columns, columns.swapaxes(1, 3)):
        seen = Statistics()
        seen.update(np.ascontiguousarray(batch), detailed=True)
        assert np.count_nonzero(seen.histogram.counts) == 64


@many(arrays(np.float32, 30, elements=st.floats(-9, 9, width=32)), arrays(np.int8, 30, elements=st.integers(0, 5)))
def test_a_weight_counts_like_a_value_that_comes_as_often(values, weights) -> None:
    weighted, repeated = Histogram(), histogram_of(np.append(np.repeat(values, weights), values))
    weighted.update(values, weights + 1.0)
    assert weighted.exponent == repeated.exponent
    np.testing.assert_array_equal(weighted.counts, repeated.counts)


def test_merged_statistics_hold_the_weights_of_both() -> None:
    parts = [Statistics(), Statistics()]
    for part, weight in zip(parts, (2.0, 3.0), strict=True):
        part.update(np.ones((1, 4), np.float32), detailed=True)
        part.update_weighted(np.ones((1, 4), np.float32), np.full((1, 4), weight))
    assert parts[0].merged(parts[1]).weighted.counts.sum() == 20
