"""Which pictures are trained on, which choose the epoch, and which are kept for the test."""

from collections.abc import Sequence

import numpy as np

TRAIN, VALIDATION, TEST, LEFT_OUT = 0, 1, 2, 3


def split_by_content(
    digests: Sequence[bytes], classes: Sequence[int], validation_share: float, test_share: float
) -> np.ndarray:
    """Assign each picture to a part by the digest of its pixels.

    Equal pictures go to the same part, so that no duplicate of a training picture is tested on.
    Within a class the digests decide the order, which is as good as chance and always the same;
    every part gets a picture of each class that has three different ones. A picture that lies in
    two classes is left out.

    Args:
        digests: of the pixels of each picture.
        classes: of each picture.
        validation_share: of each class, less than a half.
        test_share: likewise.

    Returns:
        int8 `(num,)` of `TRAIN`, `VALIDATION`, `TEST` and `LEFT_OUT`.
    """
    by_digest: dict[bytes, set[int]] = {}
    for digest, number in zip(digests, classes, strict=True):
        by_digest.setdefault(digest, set()).add(number)
    members: dict[int, list[bytes]] = {}
    part_of: dict[bytes, int] = {}
    for digest, numbers in by_digest.items():
        if len(numbers) > 1:
            part_of[digest] = LEFT_OUT
        else:
            members.setdefault(numbers.pop(), []).append(digest)
    for different in members.values():
        different.sort()
        num_test, num_validation = (
            max(1, round(share * len(different))) if share and len(different) >= 3 else 0
            for share in (test_share, validation_share)
        )
        for rank, digest in enumerate(different):
            if rank < num_test:
                part_of[digest] = TEST
            elif rank < num_test + num_validation:
                part_of[digest] = VALIDATION
            else:
                part_of[digest] = TRAIN
    return np.array([part_of[digest] for digest in digests], np.int8)
