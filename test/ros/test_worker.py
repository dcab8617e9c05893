import threading

from smoke_ros.ros.worker import NewestFrames, Worker


def test_the_newest_frame_wins():
    frames = NewestFrames()
    assert [frames.put('front', n) for n in range(3)] == [False, True, True]
    assert frames.put('rear', 9) is False
    assert frames.take() == {'front': 2, 'rear': 9}
    assert frames.put('front', 3) is False


def test_take_waits_for_a_frame():
    frames, taken = NewestFrames(), []
    thread = threading.Thread(target=lambda: taken.append(frames.take()))
    thread.start()
    frames.put('front', 1)
    thread.join(10)
    assert taken == [{'front': 1}]


def test_close_wakes_who_waits_and_leaves_the_rest():
    frames, taken = NewestFrames(), []
    thread = threading.Thread(target=lambda: taken.append(frames.take()))
    thread.start()
    frames.close()
    thread.join(10)
    frames.put('front', 1)
    assert (taken, frames.take()) == ([None], None)


def test_worker_finishes_what_it_began_and_nothing_else():
    begun, may_end, done = threading.Event(), threading.Event(), []

    def process(frames):
        begun.set()
        assert may_end.wait(10)
        done.append(frames)

    worker = Worker(process)
    worker.put('front', 1)
    assert begun.wait(10)
    assert worker.put('front', 2) is False
    assert worker.put('front', 3) is True
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    while not worker._frames._closed:
        stopping.join(0.001)
    may_end.set()
    stopping.join(10)
    assert not stopping.is_alive()
    assert done == [{'front': 1}]
