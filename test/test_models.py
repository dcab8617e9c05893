"""Named models: the registry, the download and the cache, against a local HTTP server."""

import hashlib
import http.server
import threading
from dataclasses import replace

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from smoke_ros.checkpoint import save_checkpoint
from smoke_ros.config.model import FAMILIES, ModelConfig
from smoke_ros.errors import CheckpointError
from smoke_ros.models import ModelEntry, cache_folder, fetch, load_model, read_registry
from smoke_ros.network.smoke import build_network
from smoke_ros.resources import resource

CONTENT = b'weights' * 100_000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; under /cut it hangs up half way, elsewhere there is nothing.

    Under /cut_chunk it hangs up within a chunk, under /nonsense it does not speak HTTP.
    """

    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path == '/nonsense':
            self.wfile.write(b'welcome to the hotel\r\n\r\n')
            return
        if self.path == '/cut_chunk':
            self.protocol_version = 'HTTP/1.1'
            self.send_response(200)
            self.send_header('Transfer-Encoding', 'chunked')
            self.end_headers()
            self.wfile.write(b'ff\r\nweights')
            return
        if self.path not in ('/weights.pth', '/cut'):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header('Content-Length', str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path == '/weights.pth' else CONTENT[: len(CONTENT) // 2])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.HTTPServer(('127.0.0.1', 0), Handler) as running:
        running.requests = []
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def entry(server):
    return ModelEntry(
        name='mine', source=f'http://127.0.0.1:{server.server_port}/weights.pth',
        file='weights.pth', sha256=hashlib.sha256(CONTENT).hexdigest(),
    )  # fmt: skip


def test_a_model_is_downloaded_once(entry, server, tmp_path):
    for _ in range(2):
        path = fetch(entry, tmp_path)
        assert path.read_bytes() == CONTENT
    assert server.requests == ['/weights.pth']
    assert [p.name for p in tmp_path.iterdir()] == ['weights.pth']


def test_the_start_of_a_hash_is_enough(entry, tmp_path):
    assert fetch(replace(entry, sha256=entry.sha256[:8]), tmp_path).exists()


def test_a_download_with_another_hash_is_not_kept(entry, tmp_path):
    with pytest.raises(
        CheckpointError, match=r'expected SHA-256 0000\.\.\., got [0-9a-f]{64}'
    ) as caught:
        fetch(replace(entry, sha256='0000'), tmp_path)
    # There is nothing to remove; such as a network's page to log in on would come again.
    assert 'remove' not in str(caught.value)
    assert f'put it at {tmp_path / "weights.pth"}' in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_half_a_download_is_not_kept(entry, tmp_path):
    cut = replace(entry, source=entry.source.replace('weights.pth', 'cut'))
    with pytest.raises(FileNotFoundError, match='could not download'):
        fetch(cut, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_in_the_cache_is_not_used(entry, tmp_path):
    (tmp_path / 'weights.pth').write_bytes(CONTENT[:1000])
    with pytest.raises(CheckpointError, match=r'remove .*weights\.pth and fetch it again'):
        fetch(entry, tmp_path)


def test_without_a_network_the_error_says_which_file_to_put_where(entry, tmp_path):
    gone = replace(entry, source='http://127.0.0.1:9/weights.pth')
    with pytest.raises(FileNotFoundError) as caught:
        fetch(gone, tmp_path)
    assert gone.source in str(caught.value)
    assert f'put it at {tmp_path / "weights.pth"}' in str(caught.value)


def test_a_cache_that_cannot_be_written_to_is_said_before_the_download(entry, server, tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(FileNotFoundError, match=r'cannot be kept .*set SMOKE_ROS_CACHE'):
        fetch(entry, tmp_path / 'file' / 'cache')
    assert server.requests == []


@pytest.mark.parametrize('place', ['cut_chunk', 'nonsense'])
def test_what_breaks_the_protocol_is_said_likewise(entry, server, tmp_path, place):
    source = f'http://127.0.0.1:{server.server_port}/{place}'
    with pytest.raises(FileNotFoundError, match=rf'could not download .*{place}.* put it at '):
        fetch(replace(entry, source=source), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_model_to_fetch_by_hand_says_how(tmp_path):
    entry = ModelEntry(name='theirs', source='manual', file='a.pth', instructions='Ask them.')
    with pytest.raises(FileNotFoundError, match=r'by hand: Ask them\. Put the file at .*a\.pth'):
        fetch(entry, tmp_path)
    (tmp_path / 'a.pth').write_bytes(b'x')
    assert fetch(entry, tmp_path) == tmp_path / 'a.pth'


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv('SMOKE_ROS_CACHE', raising=False)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert cache_folder() == tmp_path / 'smoke_ros'
    monkeypatch.setenv('SMOKE_ROS_CACHE', str(tmp_path / 'elsewhere'))
    assert cache_folder() == tmp_path / 'elsewhere'


def test_the_shipped_registry_agrees_with_the_families():
    entries = read_registry(resource('models/registry.yaml'))
    assert {'kitti_dla34_mmdet3d', 'kitti_dla34_official', 'random'} <= set(entries)
    for entry in entries.values():
        assert entry.licence and entry.split and entry.classes
        if entry.family in FAMILIES:
            model = FAMILIES[entry.family]
            assert entry.classes == model.classes
            assert entry.input_size == (model.input_width, model.input_height)
            assert entry.training_focal_px * 1280 / 1242 == pytest.approx(model.reference_focal_px)


def test_the_bundled_model_is_as_light_as_it_has_to_be():
    """At most 12 MB, 6 M parameters and 8 GFLOP, at the input size that its entry states."""
    path = resource('models/demo.pth')
    assert path.stat().st_size < 12e6
    loaded = load_model('demo')
    network, model = loaded.network, loaded.config
    entry = read_registry(resource('models/registry.yaml'))['demo']
    assert entry.input_size == (model.input_width, model.input_height)
    assert entry.classes == model.classes
    assert sum(p.numel() for p in network.parameters()) < 6e6
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network.eval()(torch.zeros(1, 3, model.input_height, model.input_width))
    assert 1e9 < counter.get_total_flops() < 8e9


@pytest.fixture
def own_registry(tmp_path):
    """A registry with one small model of ours beside it."""
    model = ModelConfig(input_width=128, input_height=64)
    save_checkpoint(tmp_path / 'small.pth', build_network(model), model)
    entry = {'source': 'small.pth', 'classes': list(model.classes), 'input_size': [128, 64]}
    path = tmp_path / 'registry.yaml'
    path.write_text(yaml.safe_dump({'small': entry}))
    return path


def test_a_model_beside_the_registry_loads_by_name(own_registry):
    loaded = load_model('small', own_registry)
    assert (loaded.name, loaded.config.input_width) == ('small', 128)
    assert len(loaded.sha256) == 64


def test_a_registry_that_says_something_else_than_the_file_is_refused(own_registry):
    own_registry.write_text(own_registry.read_text().replace('Cyclist', 'Rider'))
    with pytest.raises(CheckpointError, match='the registry says'):
        load_model('small', own_registry)


def test_an_unknown_model_names_the_known(tmp_path):
    with pytest.raises(ValueError, match=r"no model 'kiti'.*kitti_dla34_mmdet3d.*random"):
        load_model('kiti')


def test_an_unknown_field_of_the_registry_is_named(tmp_path):
    path = tmp_path / 'registry.yaml'
    path.write_text('mine: {sourcce: here.pth}')
    with pytest.raises(ValueError, match=r'registry\.yaml: mine: unknown option sourcce'):
        read_registry(path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'expected models by name, got nothing'),
        ('[1]', r'expected models by name, got \[1\]'),
        ('mine:', 'mine: expected its fields, got nothing'),
        ('mine: here.pth', "mine: expected its fields, got 'here.pth'"),
        ('mine: [', 'expected YAML'),
    ],
)
def test_a_registry_that_is_none_is_refused(tmp_path, text, message):
    path = tmp_path / 'registry.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match=rf'registry\.yaml: {message}'):
        read_registry(path)


def test_random_weights_are_the_same_every_time_and_leave_the_generator_alone():
    import torch

    state = torch.random.get_rng_state()
    first, second = (load_model('random').network.state_dict() for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(first[name], second[name]) for name in first)
