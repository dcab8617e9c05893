import pytest

from smoke_ros.config.evaluation import EvaluationConfig


def test_neighbours_by_class_whatever_the_case():
    config = EvaluationConfig()
    assert config.neighbours_of('car') == ('Van',)
    assert config.neighbours_of('Cyclist') == ()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'classes': ('Car',)}, 'overlaps must have one figure for each of the 1 classes, got 3'),
        ({'classes': ('Car', 'car', 'Van')}, 'classes must be different names'),
        ({'classes': (), 'overlaps': (), 'devkit_overlaps': ()}, 'classes must be different'),
        ({'overlaps': (0.7, 0.5, 1.0)}, 'overlaps of Cyclist must be between 0 and 1, got 1.0'),
        ({'devkit_overlaps': (0.5,)}, 'devkit_overlaps must have one figure'),
        ({'score_threshold': 1.5}, 'score_threshold must be 0 to 1, got 1.5'),
        ({'neighbours': (('Car',),)}, 'neighbours must be pairs of class names'),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        EvaluationConfig(**changes)
