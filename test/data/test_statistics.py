import numpy as np
import pytest
import yaml

from smoke_ros.cli import main
from smoke_ros.config.model import ModelConfig
from smoke_ros.config.options import from_mapping
from smoke_ros.data.layout import KittiFolder
from smoke_ros.data.statistics import format_model_config, measure


def test_sizes_and_depths(kitti_root):
    folder = KittiFolder(kitti_root)
    statistics = measure(folder, folder.frames(), ['Car', 'Cyclist'])
    car, cyclist = statistics.classes
    assert (car.name, car.count, cyclist.count) == ('Car', 2, 1)
    np.testing.assert_allclose(car.dimensions, (4.1, 1.55, 1.75))
    assert (car.depth_mean_m, car.depth_std_m) == pytest.approx((20.0, 5.0))
    depths = (15.0, 25.0, 12.0)
    assert statistics.depth_mean_m == pytest.approx(np.mean(depths))
    assert statistics.depth_std_m == pytest.approx(np.std(depths))
    assert statistics.relative_focal == pytest.approx(200 / 256)
    assert statistics.frames == 4


def test_all_names_but_dont_care_are_measured_by_default(kitti_root):
    folder = KittiFolder(kitti_root)
    names = [part.name for part in measure(folder, folder.frames()).classes]
    assert names == ['Car', 'Cyclist', 'Pedestrian', 'Van']


def test_merged_names(kitti_root):
    folder = KittiFolder(kitti_root)
    (car,) = measure(folder, folder.frames(), ['Car'], {'Van': 'Car'}).classes
    assert (car.count, car.dimensions[0]) == (3, pytest.approx((4.0 + 4.2 + 5.0) / 3))


def test_what_is_mapped_to_no_class_is_none(kitti_root):
    folder = KittiFolder(kitti_root)
    merged = {'Van': 'background', 'Cyclist': 'ignore'}
    names = [part.name for part in measure(folder, folder.frames(), merged=merged).classes]
    assert names == ['Car', 'Pedestrian']


def test_a_class_that_is_not_there(kitti_root):
    folder = KittiFolder(kitti_root)
    with pytest.raises(ValueError, match='no Bus is labelled; the labels have Car, Cyclist'):
        measure(folder, folder.frames(), ['Bus'])


def test_a_name_that_is_counted_as_what_is_not_measured(kitti_root):
    folder = KittiFolder(kitti_root)
    merged = {'Van': 'Carr', 'Cyclist': 'ignore'}
    with pytest.raises(ValueError, match=r'^Van=Carr: expected the name .* \(Car\), background'):
        measure(folder, folder.frames(), ['Car'], merged)
    # Where all names are measured, it makes a class.
    names = [part.name for part in measure(folder, folder.frames(), merged=merged).classes]
    assert names == ['Car', 'Carr', 'Pedestrian']


def test_objects_without_a_box_count_but_are_not_measured(kitti_root):
    label = kitti_root / 'training/label_2/c.txt'
    label.write_text('Car 0 0 0 1 1 9 9 -1 -1 -1 -1000 -1000 -1000 0\n')
    folder = KittiFolder(kitti_root)
    (car,) = measure(folder, folder.frames(), ['Car', 'Car']).classes
    assert (car.count, car.boxes, car.dimensions[0]) == (3, 2, pytest.approx(4.1))
    label.write_text('Bus 0 0 0 1 1 9 9 -1 -1 -1 -1000 -1000 -1000 0\n')
    with pytest.raises(ValueError, match='no Bus is labelled with a 3D box'):
        format_model_config(measure(folder, folder.frames(), ['Bus']), (256, 96))


def test_the_command_prints_and_writes_a_model_config(kitti_root, tmp_path, capsys):
    out = tmp_path / 'model.yaml'
    arguments = ['dataset', 'stats', str(kitti_root), '--class', 'Car', '--class', 'Cyclist',
                 '--input-width', '256', '--input-height', '96', '--out', str(out)]  # fmt: skip
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert '4 frames' in printed
    assert printed.splitlines()[2].split() == ['Car', '2', '4.10', '1.55', '1.75', '20.00', '5.00']
    model = from_mapping(ModelConfig, yaml.safe_load(out.read_text()), str(out))
    assert model.classes == ('Car', 'Cyclist')
    assert model.dimension_reference == ((4.1, 1.55, 1.75), (1.8, 1.8, 0.6))
    assert model.depth_reference == (17.33, 5.56)
    assert (model.input_width, model.reference_focal_px) == (256, 200.0)


def test_the_command_refuses(kitti_root, tmp_path, capsys):
    assert main(['dataset', 'stats', str(tmp_path / 'nowhere')]) == 2
    assert "expected a data set in KITTI's layout" in capsys.readouterr().err
    assert main(['dataset', 'stats', str(kitti_root), '--class', 'Bus']) == 2
    assert 'no Bus is labelled' in capsys.readouterr().err
    arguments = ['dataset', 'stats', str(kitti_root), '--input-width', '250', '--out', 'x']
    assert main(arguments) == 2
    assert 'input_width must be a multiple of 32' in capsys.readouterr().err
