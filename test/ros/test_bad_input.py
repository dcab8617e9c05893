"""Each kind of bad input costs its frame, is said clearly, and the node goes on."""

import math

import numpy as np
import pytest

pytest.importorskip('rclpy')


def k_with(index, value):
    k = [50.0, 0.0, 32.0, 0.0, 50.0, 24.0, 0.0, 0.0, 1.0]
    k[index] = value
    return k


IMAGES = {
    'unknown encoding': ({'encoding': 'bgr9'}, "unknown encoding 'bgr9'"),
    'wrong encoding': ({'encoding': 'rgba8'}, 'step must be at least 256'),
    'depth image': ({'encoding': '16UC1'}, 'is what depth images have'),
    'empty data': ({'data': b''}, 'must be 9216 bytes, got 0'),
    'short data': ({'data': bytes(100)}, 'must be 9216 bytes, got 100'),
    'step of zero': ({'step': 0}, 'step must be at least 192'),
    'wrong step': ({'step': 200}, 'must be 9600 bytes, got 9216'),
    'no pixels': ({'width': 0, 'height': 0}, 'the image is empty'),
    'one pixel': ({'width': 1, 'height': 1, 'step': 3, 'data': b'abc'}, '1x1 pixels are too few'),
}
CAMERAS = {
    'not calibrated': ({'k': [0.0] * 9}, 'error', 'the camera is not calibrated (K[0] = 0)'),
    'NaN focal length': ({'k': k_with(0, math.nan)}, 'warning', 'K must be finite'),
    'infinite centre': ({'k': k_with(2, math.inf)}, 'warning', 'K must be finite'),
    'negative focal length': ({'k': k_with(4, -50.0)}, 'warning', 'must be positive, got fx'),
    'other aspect': ({'width': 64, 'height': 64}, 'warning', 'the aspect ratios differ'),
    'no size': (
        {'width': 0, 'height': 0}, 'warning',
        'must say the size of the image that it is for, got 0x0 pixels',
    ),
    'unknown distortion': (
        {'distortion_model': 'fancy', 'd': [0.1] * 5}, 'warning', 'distortion model must be one',
    ),
    'wrong number of coefficients': ({'d': [0.1] * 3}, 'warning', 'plumb_bob takes 4 or 5'),
    'NaN distortion': ({'d': [math.nan] * 5}, 'warning', 'must be finite'),
}  # fmt: skip


def check_that_it_goes_on(bench, level, words):
    """The bad frame had stamp 1."""
    assert bench.wait(lambda: bench.statistics().frames_refused == 1)
    assert bench.log.has(level, words)
    assert bench.log.has(level, 'image on /image left out: ')
    assert words in bench.fresh_status().message
    assert bench.status().level == {'error': b'\x02', 'warning': b'\x01'}[level]
    assert bench.answer(2.0) is not None
    assert [message.header.stamp.sec for message in bench.detections] == [2]
    assert len(bench.detector.images) == 1
    bench.fresh_status()
    assert words in bench.values()['last_error']


@pytest.mark.parametrize('kind', IMAGES)
def test_image(start_node, make, kind):
    fields, words = IMAGES[kind]
    bench = start_node()
    bench.connect()
    bench.send(1.0, image=make.image(1.0, **fields))
    check_that_it_goes_on(bench, 'warning', words)


@pytest.mark.parametrize('kind', CAMERAS)
def test_camera_info(start_node, make, kind):
    fields, level, words = CAMERAS[kind]
    bench = start_node()
    bench.connect()
    bench.send(1.0, info=make.camera_info(1.0, **fields))
    check_that_it_goes_on(bench, level, words)


@pytest.mark.parametrize('error', [RuntimeError('CUDA out of memory'), ValueError('cannot be')])
def test_a_detector_that_fails(start_node, error):
    bench = start_node()
    bench.connect()
    bench.detector.error = error
    bench.send(1.0)
    assert bench.wait(lambda: bench.statistics().frames_refused == 1)
    bench.detector.error = None
    assert bench.answer(2.0) is not None
    level = 'warning' if isinstance(error, ValueError) else 'error'
    assert bench.log.has(level, str(error))
    assert [message.header.stamp.sec for message in bench.detections] == [2]


def test_an_impossible_stamp(start_node, make):
    bench = start_node()
    bench.connect()
    image = make.image(1.0)
    image.header.stamp.sec = -5
    bench.send(1.0, image=image)
    check_that_it_goes_on(bench, 'warning', 'the stamp -5 s 0 ns is not a time')


def test_a_calibration_of_another_size_is_scaled_to_the_image(start_node, make):
    bench = start_node()
    bench.connect()
    k = (2 * np.array(make.camera_info().k)).tolist()
    k[8] = 1.0
    assert bench.answer(1.0, info=make.camera_info(1.0, width=128, height=96, k=k)) is not None
    np.testing.assert_allclose(bench.detector.cameras[-1].K.ravel(), make.camera_info().k)


def test_an_8k_image(start_node, make):
    bench = start_node()
    bench.connect()
    size = {'width': 7680, 'height': 5760}
    image = make.image(1.0, **size, encoding='mono8', step=7680, data=bytes(7680 * 5760))
    assert bench.answer(1.0, image=image) is not None
    assert bench.detector.images[-1].shape == (5760, 7680, 3)


def test_reasons_do_not_hide_each_other(start_node, make):
    bench = start_node(warning_period=1000.0)
    bench.connect()
    assert bench.answer(5.0) is not None
    bench.send(4.9)
    assert bench.wait(lambda: bench.statistics().frames_refused == 1)
    bench.send(6.0, image=make.image(6.0, encoding='bgr9'))
    assert bench.wait(lambda: bench.statistics().frames_refused == 2)
    odd = make.image(7.0)
    odd.header.stamp.sec = -5
    bench.images.publish(odd)
    assert bench.wait(lambda: bench.statistics().frames_refused == 3)
    for words in ('it is older', 'unknown encoding', 'is not a time'):
        assert bench.log.has('warning', words), words


def test_warnings_are_throttled_and_counted(start_node, make):
    bench = start_node(warning_period=1000.0)
    bench.connect()
    for number in range(1, 6):
        bench.send(float(number), image=make.image(float(number), data=b''))
        assert bench.wait(lambda n=number: bench.statistics().frames_refused == n)
    assert sum('must be 9216 bytes' in line for _, line in bench.log.lines) == 1
