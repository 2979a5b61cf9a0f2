"""Instances by size: the right rows in the right order, or an error."""

import numpy as np
import pandas as pd
import pytest

from rbmnotes.experiments.instances import instances_by_size

TABLE = pd.DataFrame(
    [
        {"snr": snr, "channel": channel, "d": d, "instance": i, "overlap": 100 * snr + d + i}
        for snr in (1.5, 0.5)
        for channel in ("a", "b")
        for d, count in ((20, 2), (10, 3))
        for i in reversed(range(count))
    ]
)


def test_rows_of_one_point_by_size_and_instance():
    sizes, instances = instances_by_size(TABLE, "overlap", snr=0.5, channel="b")
    assert sizes.tolist() == [10, 20]
    np.testing.assert_array_equal(instances[0], [60, 61, 62])
    np.testing.assert_array_equal(instances[1], [70, 71])


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"snr": 0.7}, "no rows at {'snr': 0.7}"),
        ({"snr": 0.5}, "several points of one size at {'snr': 0.5}"),
        ({}, "several points"),
    ],
)
def test_no_point_or_several_are_refused(point, message):
    with pytest.raises(ValueError, match=message):
        instances_by_size(TABLE, "overlap", **point)
