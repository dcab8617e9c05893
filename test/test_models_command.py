"""``smoke-ros models``: what is listed, and what is fetched."""

import hashlib

import pytest
import yaml

from smoke_ros import models_command
from smoke_ros.cli import main


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A model for each place that weights may be at; the cache is empty."""
    (tmp_path / 'small.pth').write_bytes(b'x' * 300_000)
    served = tmp_path / 'served.pth'
    served.write_bytes(b'weights')
    common = {'classes': ['Car'], 'input_size': [64, 32], 'training_focal_px': 50.0,
              'family': 'smoke_ros', 'split': 'a street', 'licence': 'MIT'}  # fmt: skip
    path = tmp_path / 'registry.yaml'
    path.write_text(yaml.safe_dump({
        'small': {'source': 'small.pth', **common},
        'lost': {'source': 'lost.pth', **common},
        'far': {'source': served.as_uri(), 'file': 'far.pth', **common,
                'sha256': hashlib.sha256(b'weights').hexdigest()},
        'byhand': {'source': 'manual', 'file': 'hand.pth', 'instructions': 'Ask.', **common},
        'random': {'source': 'random', **common},
    }, sort_keys=False))  # fmt: skip
    monkeypatch.setattr(models_command, 'resource', lambda name: path)
    monkeypatch.setenv('SMOKE_ROS_CACHE', str(tmp_path / 'cache'))
    return path


def weights(capsys):
    """Return what was printed of each model's weights."""
    rows = capsys.readouterr().out.splitlines()
    return [row.split(maxsplit=1)[1] for row in rows if row.startswith('  weights ')]


def test_all_are_listed_with_where_their_weights_are(registry, tmp_path, capsys):
    assert main(['models']) == 0
    assert weights(capsys) == [
        f'{tmp_path}/small.pth, 0.3 MB',
        f'{tmp_path}/lost.pth is missing',
        f'not here: downloaded when first used, or with --fetch, to {tmp_path}/cache/far.pth',
        f'not here: Ask. Put the file at {tmp_path}/cache/hand.pth',
        'made when loaded',
    ]


def test_some_are_described(registry, capsys):
    assert main(['models', 'random']) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == 'random' and len(said) == 7
    assert said[1].split(maxsplit=2) == ['trained', 'on', 'a street']
    assert said[3].split(maxsplit=1)[1] == '64x32, focal length 50.0 px in training'


def test_weights_are_fetched_ahead(registry, tmp_path, capsys):
    assert main(['models', 'far', 'small', 'random', '--fetch']) == 0
    assert (tmp_path / 'cache' / 'far.pth').read_bytes() == b'weights'
    assert weights(capsys)[0] == f'{tmp_path}/cache/far.pth, 0.0 MB'


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['far', 'unknown'], 'no model unknown: models/registry.yaml has small, lost, far'),
        (['--fetch'], '--fetch takes the names'),
        (['byhand', '--fetch'], 'model byhand has to be fetched by hand: Ask.'),
    ],
)
def test_refusals(registry, arguments, words, capsys):
    assert main(['models', *arguments]) == 2
    assert words in capsys.readouterr().err
