"""Rerun recordings, where rerun-sdk is installed, and what is said where it is not."""

import sys
from unittest.mock import MagicMock

import numpy as np
import pytest

from smoke_ros.data.kitti import dont_care
from smoke_ros.replay.rerun_log import RerunLog


def test_missing_package_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, 'rerun', None)
    with pytest.raises(ValueError, match='pip install rerun-sdk'):
        RerunLog(tmp_path / 'drive.rrd', ['/image'])
    assert not list(tmp_path.iterdir())


def test_what_has_no_3d_box_is_not_drawn(monkeypatch, tmp_path, make_frame, make_label):
    rerun = MagicMock()
    monkeypatch.setitem(sys.modules, 'rerun', rerun)
    monkeypatch.setitem(sys.modules, 'rerun.blueprint', rerun.blueprint)
    labels = (dont_care((1.0, 2.0, 30.0, 40.0)), make_label())
    with RerunLog(tmp_path / 'drive.rrd', ['/image']) as log:
        log.log(make_frame(0, ground_truth=labels), np.zeros((375, 1242, 3), np.uint8))
    truth = rerun.Boxes3D.call_args_list[-1].kwargs
    np.testing.assert_allclose(truth['centers'], [[0.0, 1.0, 20.0]])
    np.testing.assert_allclose(truth['half_sizes'], [[2.0, 0.75, 0.9]])


def test_recording_holds_image_boxes_and_view_from_above(
    tmp_path, make_frame, make_box, make_label
):
    pytest.importorskip('rerun', reason='rerun-sdk is optional and not installed')
    path = tmp_path / 'out' / 'drive.rrd'
    picture = np.full((375, 1242, 3), 90, np.uint8)
    with RerunLog(path, ['/image']) as log:
        log.log(make_frame(0, [make_box()], ground_truth=(make_label(),)), picture)
        log.log(make_frame(1), picture)
    content = path.read_bytes()
    for name in (b'image/detections', b'image/ground_truth', b'image/birds_eye', b'Pinhole'):
        assert name in content
