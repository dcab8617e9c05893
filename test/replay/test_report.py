"""The report as a page and as JSON, and the command that makes it."""

import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from smoke_ros.cli import main
from smoke_ros.replay import report_player, report_plots, report_tables
from smoke_ros.replay.measure import Measuring, measure_replay
from smoke_ros.replay.records import LoadSample, thumbnail_path
from smoke_ros.replay.report import write_report
from smoke_ros.replay.streams import read_replay
from smoke_ros.replay.thumbnails import Thumbnails

LOAD = (LoadSample(0.0, 100.0, 500.0), LoadSample(1.0, 120.0, 510.0))


def read_jumps(folder):
    return measure_replay(read_replay(folder), Measuring()).whole.steadiness.jumps_m


@pytest.fixture
def live_replay(make_replay, make_frame, make_box, make_label):
    frames = [
        make_frame(
            i, [make_box(z=20.0 + 0.1 * i)], latency_ms=50.0 + i % 7,
            stages_ms={'network': 40.0}, ground_truth=(make_label(z=20.0 + 0.1 * i),),
        )
        for i in range(20)
    ]  # fmt: skip
    frames.append(make_frame(20, status='dropped', reason='<late> & lost'))
    folder = make_replay(frames, mode='live', load=LOAD, problems=('chunk <3> is damaged',))
    thumbnails = Thumbnails(folder, '/image', 4, width=128)
    for frame in frames[:20]:
        thumbnails.offer(frame, np.zeros((375, 1242, 3), np.uint8), frame.camera())
    return folder


def test_report_of_a_live_replay(live_replay, capsys):
    code = main(
        ['report', str(live_replay), '--require', 'latency_p99_ms<=100', '--require',
         'car/recall_percent>=99', '--require', 'frames_dropped==0', '--segments', '4']
    )  # fmt: skip
    printed = capsys.readouterr()
    assert code == 1
    assert 'met: latency_p99_ms' in printed.out
    assert 'NOT MET: frames_dropped' in printed.err
    page = (live_replay / 'report.html').read_text()
    _check_self_contained(page)
    for text in ('1 of 3 requirements not met', 'chunk &lt;3&gt; is damaged', 'abababababab'):
        assert text in page
    assert '&lt;late&gt; &amp; lost' in page
    report = json.loads((live_replay / 'report.json').read_text())
    assert report['metrics']['car/recall_percent']['value'] == 100.0
    assert report['met'] is False
    assert [item['met'] for item in report['requirements']] == [True, True, False]
    assert report['evaluation']['kitti_benchmark']['car/3d/easy']['AP_R40'] > 0.0
    assert [segment['counts']['frames'] for segment in report['segments']] == [5, 5, 5, 6]
    suite = ElementTree.parse(live_replay / 'junit.xml').getroot()[0]
    assert (suite.get('tests'), suite.get('failures')) == ('3', '1')


def test_an_earlier_verdict_does_not_outlive_its_report(live_replay):
    for requirements, is_there in ((['--require', 'frames_dropped==0'], True), ([], False)):
        main(['report', str(live_replay), *requirements])
        assert (live_replay / 'junit.xml').exists() == is_there


@pytest.mark.parametrize(
    ('arguments', 'flashes'),
    [([], 0), (['--same-share', '0', '--same-speed', '4'], 2), (['--same-speed', '6'], 0)],
)
def test_how_far_the_same_box_may_move_can_be_told(
    make_replay, make_frame, make_box, arguments, flashes
):
    # 5 m/s.
    folder = make_replay([make_frame(i, [make_box(x=0.5 * i)]) for i in range(4)])
    assert main(['report', str(folder), *arguments]) == 0
    assert json.loads((folder / 'report.json').read_text())['steadiness']['flashes'] == flashes


def _check_self_contained(page):
    assert '<script src' not in page
    assert '<link' not in page
    sources = re.findall(r'(?:src|href)=["\']([^"\']*)', page)
    assert all(source.startswith(('#', 'data:')) for source in sources), sources
    assert 'url(http' not in page


def test_report_of_frames_that_all_failed(make_replay, make_frame):
    folder = make_replay([make_frame(0, status='failed', reason='no image')])
    assert write_report(folder) == []
    page = (folder / 'report.html').read_text()
    assert 'No frame was processed.' in page
    assert not (folder / 'junit.xml').exists()


@pytest.mark.parametrize(
    ('mode', 'why'),
    [('live', 'too few frames were published'), ('offline', 'only a live replay has it')],
)
def test_a_latency_that_is_missing_is_explained(make_replay, make_frame, capsys, mode, why):
    folder = make_replay([make_frame(0, status='dropped', reason='too slow')], mode=mode)
    assert main(['report', str(folder), '--require', 'latency_p99_ms<=100']) == 1
    assert f'latency_p99_ms has no value: {why}' in capsys.readouterr().err


def test_a_run_that_was_cut_off_is_a_problem(make_replay, make_frame, capsys):
    folder = make_replay([make_frame(0)], ended='')
    assert main(['report', str(folder), '--require', 'problems<=0']) == 1
    assert 'did not come to their end) is 1, required <= 0' in capsys.readouterr().err


def test_labels_of_frames_that_were_all_dropped_are_not_said_to_be_missing(
    make_replay, make_frame, make_label, capsys
):
    lost = make_frame(0, status='dropped', reason='too slow', ground_truth=(make_label(),))
    folder = make_replay([lost], mode='live')
    assert main(['report', str(folder), '--require', 'car/recall_percent>=1']) == 1
    why = 'no frame with ground truth was processed'
    assert f'car/recall_percent has no value: {why}' in capsys.readouterr().err
    notes = json.loads((folder / 'report.json').read_text())['notes']
    assert any(note.startswith('No frame with ground truth was processed') for note in notes)
    assert not any('There is no ground truth' in note for note in notes)


def test_jumps_that_differ_by_rounding_alone_are_drawn(make_replay, make_frame, make_box):
    places = ((0.0, 20.1), (30.0, 33.3), (-30.0, 7.7))
    frames = [make_frame(i, [make_box(x, z + i % 2 / 2) for x, z in places]) for i in range(9)]
    folder = make_replay(frames)
    assert len(np.unique(read_jumps(folder))) > 1
    write_report(folder)


def test_report_of_an_empty_replay(make_replay):
    folder = make_replay([])
    write_report(folder)
    assert json.loads((folder / 'report.json').read_text())['counts']['frames'] == 0


def test_unknown_metric_is_refused_before_anything_is_written(make_replay, make_frame, capsys):
    folder = make_replay([make_frame(0)])
    assert main(['report', str(folder), '--require', 'jiter_ms<3']) == 2
    assert 'did you mean jitter_ms' in capsys.readouterr().err
    assert not (folder / 'report.html').exists()


def test_evaluation_options_are_read(make_replay, make_frame, tmp_path, capsys):
    options = tmp_path / 'options.yaml'
    options.write_text('classes: [Truck]\noverlaps: [0.7]\ndevkit_overlaps: [0.7]\n')
    folder = make_replay([make_frame(0)])
    arguments = ['report', str(folder), '--evaluation', str(options)]
    assert main([*arguments, '--require', 'truck/3d/easy>=0']) == 1
    assert 'truck/3d/easy has no value: there is no ground truth' in capsys.readouterr().err
    assert main([*arguments, '--require', 'car/3d/easy>=0']) == 2


def test_help_has_an_example(capsys):
    for command in ('report', 'compare'):
        with pytest.raises(SystemExit):
            main([command, '--help'])
        assert 'example:\n  smoke-ros ' in capsys.readouterr().out


def test_player_has_a_bounded_number_of_pictures(make_replay, make_frame):
    folder = make_replay([make_frame(i) for i in range(10)])
    for i in range(10):
        path = thumbnail_path(folder, '/image', i)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'\xff\xd8')
    pictured = read_replay(folder).pictured
    html = report_player.format_player(pictured, 4)
    frames = json.loads(re.search(r'json">(.*?)</script>', html).group(1))
    assert [frame['caption'].split()[1] for frame in frames] == ['0', '3', '6', '9']
    assert report_player.format_player([], 4) == ''


def test_player_shows_every_camera(make_replay, make_frame):
    # As a bag has them, in turn: every other picture would be of one camera only.
    folder = make_replay([make_frame(i, topic=topic) for i in range(6) for topic in ('/a', '/b')])
    for i in range(6):
        for topic in ('/a', '/b'):
            path = thumbnail_path(folder, topic, i)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b'\xff\xd8')
    html = report_player.format_player(read_replay(folder).pictured, 6)
    frames = json.loads(re.search(r'json">(.*?)</script>', html).group(1))
    shown = [(frame['topic'], frame['caption'].split()[1]) for frame in frames]
    assert shown == [(topic, i) for topic in ('/a', '/b') for i in ('0', '2', '4')]


def test_lines_over_time_are_of_bounded_length():
    seconds = np.linspace(0.0, 1000.0, 10_000)
    values = np.arange(10_000.0)
    times, worst = report_plots._binned(seconds, values, np.max)
    assert len(times) == len(worst) == report_plots.TIME_BINS
    assert worst[-1] == 9999.0
    assert np.all(np.diff(times) > 0.0)


def test_a_stamp_that_was_never_set_does_not_stretch_the_plots(make_replay, make_frame, make_box):
    stamps = [10**18 + i * 10**8 for i in range(400)]
    stamps[4] = 0
    frames = [
        make_frame(i, [make_box()], stamp_ns=stamp, stages_ms={'total': 5.0})
        for i, stamp in enumerate(stamps)
    ]
    frames.append(make_frame(400, status='dropped', reason='too slow', stamp_ns=0))
    folder = make_replay(frames)
    for i in (4, 5):
        path = thumbnail_path(folder, '/image', i)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'\xff\xd8')
    replay = read_replay(folder)
    starts = report_plots.timeline_starts(replay.streams)
    seconds = report_plots.seconds_of(replay.streams[0], starts)
    assert np.flatnonzero(np.isnan(seconds)).tolist() == [4, 400]
    assert seconds[[0, 399]] == pytest.approx([0.0, 39.9])
    times, worst = report_plots._binned(seconds[:400], np.arange(400.0), np.max)
    assert np.isfinite(times).all() and worst[-1] == 399.0
    write_report(folder)
    page = (folder / 'report.html').read_text()
    assert '1e9</text>' not in page
    pictures = json.loads(re.search(r'json">(.*?)</script>', page).group(1))
    captions = [re.split('  ·  ', picture['caption'])[1] for picture in pictures]
    assert captions == ['no stamp', '0.00 s']


def test_bags_lie_one_after_the_other(make_streams, make_frame):
    frames = [
        make_frame(i, bag=bag, stamp_ns=(start + i) * 10**9)
        for bag, start in (('a', 50), ('b', 10))
        for i in range(3)
    ]
    streams = make_streams(frames)
    starts = report_plots.timeline_starts(streams)
    assert report_plots.seconds_of(streams[0], starts).tolist() == [0.0, 1.0, 2.0]
    assert report_plots.seconds_of(streams[1], starts).tolist() == [2.0, 3.0, 4.0]


def test_rows_are_as_long_as_their_header(make_replay, make_frame, make_box, make_label):
    half_labelled = [
        make_frame(i, [make_box()], ground_truth=(make_label(),) if i < 4 else None)
        for i in range(8)
    ]
    for frames in (half_labelled, [make_frame(i, topic=f'/{i % 2}') for i in range(8)]):
        replay = read_replay(make_replay(frames, f'run{frames[0].topic.strip("/")}'))
        measured = measure_replay(replay, Measuring())
        for table in (
            report_tables.streams_table(replay, measured), report_tables.segments_table(measured),
            report_tables.times_table(measured.whole),
            report_tables.counts_table(measured.whole.counts, 0.25),
            report_tables.steadiness_table(measured.whole.steadiness),
        ):  # fmt: skip
            assert {len(row) for row in table.rows} <= {len(table.header)}, table.title
