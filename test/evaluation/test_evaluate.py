import dataclasses

import pytest

from smoke_ros.evaluation import EvaluationConfig, evaluate_frames


def test_other_classes_with_their_own_overlaps(make_object):
    config = EvaluationConfig(
        classes=('Truck', 'Excavator'), overlaps=(0.6, 0.4), devkit_overlaps=(0.6, 0.4)
    )
    truth = [[make_object('truck'), make_object('Excavator', x=8.0)] for _ in range(41)]
    found = [[make_object('Truck', score=0.9), make_object('Car', score=0.9)] for _ in range(41)]
    evaluation = evaluate_frames(truth, found, config)
    scores = evaluation.kitti()
    assert len(scores) == 24
    assert scores['truck/3d/easy'] == pytest.approx({'AP_R11': 100.0, 'AP_R40': 100.0})
    assert scores['excavator/3d/easy'] == {'AP_R11': 0.0, 'AP_R40': 0.0}
    assert (evaluation.objects, evaluation.detections, evaluation.frames) == (82, 41, 41)
    assert evaluation.classes[1].benchmark[0].min_overlap == 0.4


def test_the_two_tables_of_overlaps(make_object):
    # Moved by a third of its length: an overlap of 0.5 from above, but nothing wrong in the image.
    truth = [[make_object()] for _ in range(41)]
    found = [[make_object(location=(1.2, 1.0, 20.0), score=0.9)] for _ in range(41)]
    evaluation = evaluate_frames(truth, found)
    key, image = 'car/3d/moderate', 'car/2d/moderate'
    assert evaluation.kitti()[key]['AP_R40'] == pytest.approx(100.0)
    assert evaluation.kitti(benchmark=True)[key]['AP_R40'] == 0.0
    assert evaluation.kitti()[image] == evaluation.kitti(benchmark=True)[image]


def test_notes_say_what_has_no_meaning(make_object):
    truth = [[make_object(), make_object('Cyclist', x=8.0)]] * 3
    found = [[make_object(score=0.9, observation_angle=-10.0)]] * 3
    notes = ' | '.join(evaluate_frames(truth, found).notes())
    assert 'AP of Car is not meaningful (3 easy, 3 moderate, 3 hard)' in notes
    assert 'no Pedestrian is labelled' in notes
    assert 'no Cyclist was detected: its AP is 0' in notes
    assert 'detections of Car without alpha (-10): AOS is not given' in notes


def test_no_notes_where_all_is_well(make_object):
    config = EvaluationConfig(classes=('Car',), overlaps=(0.7,), devkit_overlaps=(0.5,))
    evaluation = evaluate_frames([[make_object()]] * 41, [[make_object(score=0.9)]] * 41, config)
    assert evaluation.notes() == []
    assert evaluation.false_boxes_per_frame == 0.0


def test_a_segment_is_scored_like_frames_of_their_own(make_object):
    truth = [[make_object(z=10.0 + i)] for i in range(50)]
    found = [[make_object(z=10.5 + i, score=0.5)] for i in range(50)]
    segment = evaluate_frames(truth[10:20], found[10:20])
    assert segment.frames == 10
    assert segment.classes[0].errors.depth.bias_m == pytest.approx(0.5)


def test_no_frames_at_all():
    evaluation = evaluate_frames([], [])
    assert evaluation.false_boxes_per_frame is None
    assert evaluation.kitti()['car/3d/hard'] == {'AP_R11': 0.0, 'AP_R40': 0.0}
    assert 'there are no frames: nothing was scored' in evaluation.notes()


def test_frames_have_to_match():
    with pytest.raises(ValueError, match='as many frames, got 2 and 1'):
        evaluate_frames([[], []], [[]])


def test_labels_without_a_3d_box_are_told_of(make_object):
    whole = make_object()
    flat = make_object(location=(-1000.0,) * 3, dimensions=(-1.0,) * 3)
    evaluation = evaluate_frames([[whole, flat]], [[dataclasses.replace(whole, score=0.9)]])
    assert evaluation.classes[0].without_box == 1
    text = '1 of 2 labelled Car have no 3D box: AP from above and in space counts them as missed'
    assert any(note.startswith(text) for note in evaluation.notes())
    assert not any('3D box' in note for note in evaluate_frames([[whole]], [[]]).notes())


def test_detections_without_a_2d_box_are_told_of(make_object):
    found = make_object(score=0.9, bbox_xyxy_px=(0.0, 0.0, 0.0, 0.0))
    notes = evaluate_frames([[make_object()]], [[found]]).notes()
    assert any(note.startswith('1 of 1 detections of Car have no 2D box') for note in notes)
