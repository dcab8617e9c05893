"""What the node does in which state, driven over DDS as a lifecycle manager does it."""

import gc
import pickle
import threading
import weakref

import pytest

pytest.importorskip('rclpy')

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from visualization_msgs.msg import Marker, MarkerArray

from smoke_ros.detector import Detector


class Manager:
    """Asks for transitions over DDS."""

    def __init__(self, bench):
        self.bench = bench
        self.change = bench.peer.create_client(ChangeState, 'smoke_node/change_state')
        self.get = bench.peer.create_client(GetState, 'smoke_node/get_state')
        assert bench.wait(lambda: self.change.service_is_ready() and self.get.service_is_ready())

    def call(self, client, request):
        future = client.call_async(request)
        assert self.bench.wait(future.done)
        return future.result()

    def do(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(self.change, request).success

    @property
    def state(self) -> str:
        return self.call(self.get, GetState.Request()).current_state.label


def threads_of_the_node() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == 'smoke_worker']


def test_the_whole_life(start_node):
    bench = start_node(activate=False, autostart=False)
    assert bench.node.start()
    manager = Manager(bench)
    assert manager.state == 'unconfigured'
    for _ in range(2):  # everything can be done again
        assert manager.do(Transition.TRANSITION_CONFIGURE)
        assert manager.state == 'inactive'
        assert bench.node.count_subscribers('image') == 0
        assert manager.do(Transition.TRANSITION_ACTIVATE)
        assert manager.state == 'active'
        assert len(threads_of_the_node()) == 1
        bench.connect()
        assert bench.answer(1.0) is not None
        assert manager.do(Transition.TRANSITION_DEACTIVATE)
        assert manager.state == 'inactive'
        assert threads_of_the_node() == []
        assert bench.wait(lambda: bench.images.get_subscription_count() == 0)
        assert manager.do(Transition.TRANSITION_CLEANUP)
        assert manager.state == 'unconfigured'
        assert bench.wait(lambda: bench.peer.count_publishers('smoke_node/detections') == 0)
    assert manager.do(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN)
    assert manager.state == 'finalized'


def test_cleanup_lets_go_of_the_model(start_node):
    bench = start_node(activate=False)

    class Weights:
        pass

    bench.detector.weights = Weights()
    weights = weakref.ref(bench.detector.weights)
    detectors = [bench.detector]
    bench.node._load_detector = lambda *_, **__: detectors.pop()
    bench.detector = None
    assert bench.node.start()
    bench.node.trigger_deactivate()
    gc.collect()
    assert weights() is not None
    bench.node.trigger_cleanup()
    gc.collect()
    assert weights() is None


@pytest.mark.parametrize('state', ['unconfigured', 'active'])
def test_a_transition_that_the_state_lacks_is_refused_and_the_node_goes_on(start_node, state):
    bench = start_node(activate=state == 'active')
    manager = Manager(bench)
    impossible = Transition.TRANSITION_ACTIVATE
    assert not manager.do(impossible)
    assert bench.log.has('warning', f'transition {impossible} is not possible while {state}')
    assert manager.state == state


class CodeInside:
    """Pickles into a call."""

    def __reduce__(self):
        return (print, ('code ran',))


@pytest.mark.parametrize(
    ('parameters', 'words'),
    [
        ({'model': 'no_such_model'}, "no model 'no_such_model'"),
        ({'model': '{folder}/truncated.pth'}, 'truncated.pth'),
        ({'model': '{folder}/code.pth'}, 'code.pth: refused'),
        ({'model': 'random', 'device': 'cuda:99'}, "device 'cuda:99' is not there"),
        ({'model': 'random', 'camera_info_url': '/no/such.yaml'}, '/no/such.yaml'),
        ({'model': 'random', 'camera_info_url': '{folder}/empty.yaml'}, 'not calibrated'),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_sentence(
    start_node, make, tmp_path, capsys, parameters, words
):
    (tmp_path / 'truncated.pth').write_bytes(b'PK\x03\x04' + bytes(1000))
    (tmp_path / 'code.pth').write_bytes(pickle.dumps({'state_dict': CodeInside()}, 2))
    (tmp_path / 'empty.yaml').write_text(make.calibration_yaml(fx=0.0), encoding='utf-8')
    named = {name: text.format(folder=tmp_path) for name, text in parameters.items()}
    bench = start_node(activate=False, **named)
    bench.node._load_detector = Detector.from_model
    assert not bench.node.start()
    errors = [line for level, line in bench.log.lines if level == 'error']
    assert len(errors) == 1
    assert words in errors[0]
    assert '\n' not in errors[0]
    assert 'code ran' not in capsys.readouterr().out
    assert bench.node.count_publishers('smoke_node/detections') == 0


def test_a_failed_configuration_can_be_repeated(start_node):
    bench = start_node(activate=False)
    bench.node._load_detector = lambda *_, **__: (_ for _ in ()).throw(ValueError('no such model'))
    manager = Manager(bench)
    assert not manager.do(Transition.TRANSITION_CONFIGURE)
    assert manager.state == 'unconfigured'
    assert bench.log.has('error', 'cannot be configured: no such model')
    bench.node._load_detector = lambda *_, **__: bench.detector
    assert manager.do(Transition.TRANSITION_CONFIGURE)
    assert manager.state == 'inactive'


def test_deactivation_waits_for_the_frame_in_hand_and_clears_the_view(start_node):
    bench = start_node()
    markers = bench.listen(MarkerArray, 'smoke_node/markers')
    bench.connect()
    publisher = bench.node._streams[0]._markers
    assert bench.wait(lambda: publisher.get_subscription_count() > 0)
    bench.detector.idle.clear()
    bench.send(1.0)
    assert bench.wait(lambda: bench.detector.images)
    threading.Timer(0.1, bench.detector.idle.set).start()
    assert Manager(bench).do(Transition.TRANSITION_DEACTIVATE)
    assert bench.wait(lambda: len(markers) == 2)
    assert [m.action for m in markers[1].markers] == [Marker.DELETEALL]
    assert len(bench.detections) == 1


def test_shutdown_from_active(start_node):
    bench = start_node()
    manager = Manager(bench)
    assert manager.do(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert manager.state == 'finalized'
    assert threads_of_the_node() == []


def test_the_start_says_what_runs(start_node):
    bench = start_node()
    said = 'running fake, trained on nothing (random weights), on cpu (engine fake, float32);'
    assert bench.log.has('info', said)


def test_random_weights_are_warned_of(start_node):
    bench = start_node(activate=False)
    bench.detector.info.name = 'random'
    assert bench.node.start()
    assert bench.log.has('warning', 'the model has random weights')
