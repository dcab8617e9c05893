"""Which sections of a file of parameters are a node's, as ROS takes them."""

import pytest

from smoke_ros.ros.parameter_files import read_parameters


@pytest.fixture
def read(tmp_path):
    def read(text, node='/front/smoke_node'):
        (tmp_path / 'node.yaml').write_text(text)
        return read_parameters(tmp_path / 'node.yaml', node)

    return read


@pytest.mark.parametrize(
    'name', ['/**', '/front/smoke_node', '/*/smoke_node', '/**/smoke_node', 'front/smoke_node']
)
def test_a_section_of_the_node(read, name):
    text = f'{name}: {{ros__parameters: {{model: a, cameras: [left]}}}}'
    assert read(text) == {'model': 'a', 'cameras': ['left']}


def test_namespaces_may_be_levels_and_the_last_section_counts(read):
    text = (
        '/**: {ros__parameters: {model: every, device: cpu}}\n'
        'front: {smoke_node: {ros__parameters: {model: front}}}\n'
        'rear: {smoke_node: {ros__parameters: {model: rear}}}\n'
        '/front/smoke_node_2: {ros__parameters: {model: other}}\n'
    )
    assert read(text) == {'model': 'front', 'device': 'cpu'}
    assert read(text, '/rear/smoke_node') == {'model': 'rear', 'device': 'cpu'}


@pytest.mark.parametrize(
    ('text', 'got'),
    [('smoke_node: {ros__parameters: {model: a}}', 'those of /smoke_node'), ('', 'none'),
     ('model: a', 'none'), ('[a, b]', 'none')],
)  # fmt: skip
def test_a_file_without_one_is_refused(read, text, got):
    with pytest.raises(ValueError, match=rf'expected parameters of /front/smoke_node.*got {got}$'):
        read(text)


def test_an_empty_section_is_one(read):
    assert read('/**: {ros__parameters: }') == {}
