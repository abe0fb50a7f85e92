"""The digits of scikit-learn: 1,797 images of 8 x 8 pixels that need no download."""

from __future__ import annotations

import numpy as np

from edgegap.data.array import ArraySource, array_source
from edgegap.errors import DataError

TEST_IMAGES = 500
PARTS = ("train", "test")


def open_digits(part: str, classes: tuple[str, ...] | None) -> ArraySource:
    """`train` (1,297 images) or `test` (500) of the digits, uint8 [N, 8, 8, 1].

    Values 0 to 16 become pixels by rounding value * 255 / 16. The split is the same everywhere and needs no random
    numbers: of all images in the order (class, position), the k-th is a test image when the whole part of
    k * 500 / 1797 rises at it. So each class gives its share, spread evenly over its images. Both parts keep the
    data set's own order.

    Raises:
        DataError: another part, or scikit-learn is not installed.
    """
    spec = f"digits:{part}"
    if part not in PARTS:
        raise DataError(f"no {spec}", hint=f"The digits have {' and '.join(f'digits:{name}' for name in PARTS)}.")
    try:
        from sklearn.datasets import load_digits  # noqa: PLC0415 - an extra, and a second to import
    except ImportError as error:
        raise DataError(
            f"the digits come with scikit-learn, which cannot be imported: {error}",
            where=spec,
            hint="pip install 'edgegap[demo]'",
        ) from error
    digits = load_digits()
    quota = np.arange(len(digits.target) + 1) * TEST_IMAGES // len(digits.target)
    in_test = np.empty(len(digits.target), dtype=bool)
    in_test[np.argsort(digits.target, kind="stable")] = np.diff(quota) > 0
    chosen = in_test if part == "test" else ~in_test
    images = np.rint(digits.images[chosen] * 255 / 16).astype(np.uint8)[..., np.newaxis]
    return array_source(spec, images, digits.target[chosen], tuple("0123456789"), classes)
