from smoke_ros.evaluation.tables import figure, percent


def test_figures():
    assert [figure(12345.678, 1, ' ms'), figure(0.5, 3), figure(None, 2, ' m')] == [
        '12,345.7 ms', '0.500', '-',
    ]  # fmt: skip
    assert figure(-0.001, 2, ' m') == '0.00 m'


def test_shares_in_percent():
    assert [percent(0.125), percent(1.0), percent(None)] == ['12.5%', '100.0%', '-']
