import pytest
from perfect_outputs import small_model

from smoke_ros.config.data import DataConfig
from smoke_ros.data.classes import check_classes, label_meanings

KITTI = {'Car': 10, 'Cyclist': 2, 'Pedestrian': 3, 'Van': 4, 'DontCare': 9, 'Tram': 1}


def test_kittis_names_need_no_class_map():
    counts = check_classes(DataConfig(), small_model(), KITTI, KITTI)
    assert counts == {'Car': 10, 'Cyclist': 2, 'Pedestrian': 3}


def test_merged_names_count_for_their_class():
    config = DataConfig(class_map=('Van=Car', 'Tram=background', 'DontCare=ignore'))
    assert check_classes(config, small_model(), KITTI, KITTI)['Car'] == 14


def test_a_name_that_no_class_is_called_is_refused():
    with pytest.raises(ValueError, match=r'the labels have Bus \(7\).*add it to the classes'):
        check_classes(DataConfig(), small_model(), {**KITTI, 'Bus': 7}, KITTI)


def test_a_class_that_is_never_labelled_is_refused():
    labels = {'Car': 1, 'Pedestrian': 2}
    with pytest.raises(
        ValueError, match=r'no Cyclist is labelled with a 3D box, .*; the labels have Car \(1\)'
    ):
        check_classes(DataConfig(), small_model(), labels, labels)
    with pytest.raises(ValueError, match='the labels have nothing'):
        check_classes(DataConfig(), small_model(), {}, {})


def test_a_class_of_the_model_needs_no_entry_even_where_the_default_has_one():
    model = small_model(
        classes=('Van', 'Car'), dimension_reference=((5.0, 2.0, 1.9), (4.0, 1.5, 1.7))
    )
    meanings = label_meanings(DataConfig(), model)
    assert (meanings['Van'], meanings['Truck']) == ('Van', 'background')


@pytest.mark.parametrize(
    ('class_map', 'message'),
    [(('Van=Lorry',), 'Van=Lorry must name a class of the model'),
     (('Car=Cyclist',), 'Car is a class of the model')],
)  # fmt: skip
def test_impossible_meanings(class_map, message):
    with pytest.raises(ValueError, match=message):
        label_meanings(DataConfig(class_map=class_map), small_model())


@pytest.mark.parametrize('entry', ['Van', 'Van=', '=Car'])
def test_malformed_entries(entry):
    with pytest.raises(ValueError, match='entries such as Van=Car'):
        DataConfig(class_map=(entry,))


def test_a_name_is_mapped_once():
    with pytest.raises(ValueError, match='Van once'):
        DataConfig(class_map=('Van=Car', 'Van=ignore'))


def test_a_class_without_a_single_3d_box_is_refused():
    boxes = {name: count for name, count in KITTI.items() if name != 'Cyclist'}
    with pytest.raises(ValueError, match=r'no Cyclist is labelled with a 3D box'):
        check_classes(DataConfig(), small_model(), KITTI, boxes)
