import math
from dataclasses import dataclass

import pytest
import yaml

from smoke_ros.config.model import ModelConfig
from smoke_ros.config.options import check, from_mapping, option, read_yaml


@dataclass(frozen=True)
class Kitchen:
    heat: float = option(180.0, 'how hot', unit='degC', low=50, high=250)
    pans: int = option(2, 'how many', low=1)
    fuel: str = option('gas', 'what burns', choices=('gas', 'wood'))
    names: tuple[str, ...] = option((), 'who cooks')
    times: tuple[float, ...] = option((1.0,), 'when')
    pairs: tuple[tuple[str, str], ...] = option((('salt', 'pepper'),), 'what goes together')
    sizes: tuple[tuple[float, float], ...] = option(((0.5, 0.3),), 'of tables')

    def __post_init__(self):
        check(self)


def test_absent_options_keep_their_default():
    assert from_mapping(Kitchen, {}, 'k.yaml') == Kitchen()


def test_lists_become_tuples_and_whole_numbers_floats():
    kitchen = from_mapping(Kitchen, {'heat': 200, 'names': ['a', 'b']}, 'k.yaml')
    assert kitchen == Kitchen(heat=200.0, names=('a', 'b'))
    assert isinstance(kitchen.heat, float)


@pytest.mark.parametrize(('text', 'value'), [('6e1', 60.0), ('6.5e+1', 65.0), ('750e-1', 75.0)])
def test_a_number_with_an_exponent_is_a_float_though_yaml_disagrees(text, value):
    assert from_mapping(Kitchen, yaml.safe_load(f'heat: {text}'), 'here').heat == value


def test_exponents_in_lists_are_floats_too_but_not_in_words():
    mapping = yaml.safe_load('times: [6e3, 8.5e3, 9]')
    assert from_mapping(Kitchen, mapping, 'here').times == (6000.0, 8500.0, 9)
    mapping = yaml.safe_load('names: [6e3]')
    assert from_mapping(Kitchen, mapping, 'here').names == ('6e3',)
    mapping = yaml.safe_load('sizes: [[5e-1, 1]]')
    assert from_mapping(Kitchen, mapping, 'here').sizes == ((0.5, 1),)


@pytest.mark.parametrize(
    ('mapping', 'message'),
    [
        (
            {'heatt': 1.0},
            'k.yaml: unknown option heatt; known are heat, pans, fuel, names, times, pairs, sizes',
        ),
        (
            {3: 1.0},
            'k.yaml: unknown option 3; known are heat, pans, fuel, names, times, pairs, sizes',
        ),
        ({'heat': 300.0}, 'k.yaml: heat must be 50 to 250 degC, got 300.0'),
        ({'heat': math.nan}, 'k.yaml: heat must be finite, got nan'),
        ({'pans': 0}, 'k.yaml: pans must be at least 1, got 0'),
        ({'pans': 1.5}, 'k.yaml: pans must be of type int, got 1.5'),
        ({'pans': True}, 'k.yaml: pans must be of type int, got True'),
        ({'fuel': 'coal'}, "k.yaml: fuel must be one of 'gas', 'wood', got 'coal'"),
        ({'names': 'a'}, "k.yaml: names must be a list, such as [a], got 'a'"),
        ({'names': [None]}, 'k.yaml: names must have elements of type str, got nothing'),
        ({'heat': None}, 'k.yaml: heat must be of type float, got nothing'),
        ({'times': [1.0, 'noon']}, "k.yaml: times must have elements of type float, got 'noon'"),
        ({'times': [1.0, True]}, 'k.yaml: times must have elements of type float, got True'),
        ({'pairs': [['salt', 3]]}, 'k.yaml: pairs must have elements of type str, got 3'),
        (
            {'pairs': ['salt', 'pepper']},
            "k.yaml: pairs must have lists as elements, such as [salt, pepper], got 'salt'",
        ),
        ({'sizes': [2]}, 'k.yaml: sizes must have lists as elements, such as [0.5, 0.3], got 2'),
        ({'sizes': [[1, 'm']]}, "k.yaml: sizes must have elements of type float, got 'm'"),
    ],
)
def test_what_is_wrong_is_named(mapping, message):
    with pytest.raises(ValueError) as caught:
        from_mapping(Kitchen, mapping, 'k.yaml')
    assert str(caught.value) == message


def test_binary_data_is_no_yaml_file(tmp_path):
    (tmp_path / 'a.yaml').write_bytes(b'\x89PNG\xff')
    with pytest.raises(ValueError, match=r'a\.yaml: expected text, got binary data'):
        read_yaml(tmp_path / 'a.yaml')


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'classes': ()}, 'classes must be different names'),
        ({'classes': ('Car', 'Car')}, 'classes must be different names'),
        ({'classes': ('Car',)}, 'one entry for each of the 1 classes, got 3'),
        ({'input_width': 1000}, 'input_width must be a multiple of 32, got 1000'),
    ],
)
def test_a_model_that_cannot_be_built_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig(**changes)
