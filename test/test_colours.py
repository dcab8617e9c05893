from smoke_ros.colours import CLASS_COLOURS, class_colour


def test_known_classes_differ():
    assert len(set(CLASS_COLOURS.values())) == len(CLASS_COLOURS)
    assert class_colour('Car') == CLASS_COLOURS['Car']


def test_a_new_class_gets_a_lasting_colour_of_its_own():
    # The figures pin that the colour is made of the name alone, in every process.
    assert tuple(round(value, 3) for value in class_colour('Forklift')) == (0.872, 0.3, 1.0)
    assert class_colour('Forklift') != class_colour('Crane')


def test_all_are_between_0_and_1():
    for name in (*CLASS_COLOURS, 'Forklift', ''):
        assert all(0.0 <= value <= 1.0 for value in class_colour(name))
