import numpy as np

from smoke_ros.evaluation.matching import assign_in_turn


def test_each_takes_its_first_choice_that_is_free_in_each_variant():
    # Frame 0: taker 0 wants 5 then 6, taker 1 wants 5 only. Frame 1: taker 2 wants 7.
    taker = np.array([0, 0, 1, 2])
    option = np.array([5, 6, 5, 7])
    frame = np.array([0, 0, 0, 1])
    allowed = np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]], dtype=bool)
    chosen = assign_in_turn(taker, option, frame, allowed)
    # All allowed: 0 takes 5. Without it, 0 takes 6 and 1 takes 5. With neither, 1 still takes 5.
    expected = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 1], [1, 0, 1]], dtype=bool)
    np.testing.assert_array_equal(chosen, expected)


def test_frames_with_many_turns_beside_frames_with_few():
    rng = np.random.default_rng(0)
    rows = sorted(
        {(f, t, int(o)) for f in range(6) for t in range(f) for o in rng.integers(0, 4, 3)}
    )
    frame, turn, option = np.array(rows).T
    allowed = rng.random((len(rows), 5)) < 0.7
    chosen = assign_in_turn(10 * frame + turn, 10 * frame + option, frame, allowed)
    for variant in range(5):
        served, taken = set(), set()
        for i, (f, t, o) in enumerate(rows):
            has = bool(allowed[i, variant]) and (f, t) not in served and (f, o) not in taken
            assert chosen[i, variant] == has
            if has:
                served.add((f, t))
                taken.add((f, o))


def test_nothing_to_take():
    none = np.zeros(0, dtype=np.int64)
    assert assign_in_turn(none, none, none, np.zeros((0, 3), dtype=bool)).shape == (0, 3)
