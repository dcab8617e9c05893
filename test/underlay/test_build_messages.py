"""The builder of message packages: what it reads, plans and says; the built package is tested
in test_vision_msgs.py."""

import sys
from pathlib import Path

import build_messages as build
import pytest

VISION_MSGS = Path(__file__).resolve().parents[2] / 'underlay' / 'vision_msgs'

KINDS = (
    'rosidl_generator_c',
    'rosidl_typesupport_introspection_c',
    'rosidl_typesupport_fastrtps_c',
    'rosidl_typesupport_c',
    'rosidl_generator_py',
)


def make_sources(tmp_path):
    sources = {kind: (tmp_path / kind / 'a.c',) for kind in KINDS}
    entry = tmp_path / '_vision_msgs_s.ep.rosidl_typesupport_c.c'
    return {**sources, 'rosidl_generator_py': (*sources['rosidl_generator_py'], entry)}


def test_reads_the_name_the_dependencies_and_every_definition():
    package = build.read_package(VISION_MSGS)
    assert package.name == 'vision_msgs'
    assert package.dependencies == ('builtin_interfaces', 'std_msgs', 'geometry_msgs')
    assert len(package.interfaces) == 16
    assert 'msg/Detection3DArray.msg' in package.interfaces


def test_a_folder_without_definitions_is_an_error(tmp_path):
    (tmp_path / 'package.xml').write_text('<package/>')
    with pytest.raises(build.BuildError, match=r'expected package\.xml and msg/\*\.msg'):
        build.read_package(tmp_path)


def test_libraries_come_after_those_of_their_package_that_they_need(tmp_path):
    libraries = build.plan_libraries(build.read_package(VISION_MSGS), make_sources(tmp_path))
    made = set()
    for library in libraries:
        own = {need for need in library.needs if need.startswith('vision_msgs')}
        assert own <= made, library.name
        made.add(library.name)
    assert len(libraries) == 6


def test_the_extension_has_the_entry_point_and_the_name_that_python_imports(tmp_path):
    libraries = build.plan_libraries(build.read_package(VISION_MSGS), make_sources(tmp_path))
    extensions = [library for library in libraries if library.is_extension]
    assert [e.file_name for e in extensions] == ['vision_msgs_s__rosidl_typesupport_c.so']
    assert [path.name for path in extensions[0].sources] == [
        '_vision_msgs_s.ep.rosidl_typesupport_c.c'
    ]
    conversions = next(x for x in libraries if x.name == 'vision_msgs__rosidl_generator_py')
    assert conversions.file_name == 'libvision_msgs__rosidl_generator_py.so'
    assert [path.name for path in conversions.sources] == ['a.c']


def test_a_source_that_does_not_compile_is_shown_with_the_compilers_words(tmp_path):
    source = tmp_path / 'wrong.c'
    source.write_text('int main(void) { return missing; }\n')
    with pytest.raises(
        build.BuildError, match=r'wrong\.c(.|\n)*ended with status 1(.|\n)*missing'
    ):
        build.compile_sources([source], [], tmp_path / 'objects')


def test_files_are_installed_with_the_index_entry_last(tmp_path, monkeypatch):
    stage, prefix = tmp_path / 'stage', tmp_path / 'prefix'
    package = build.read_package(VISION_MSGS)
    build.write_index(package, stage / 'share/ament_index/resource_index')
    (stage / 'zzz').write_text('new')
    prefix.mkdir()
    (prefix / 'zzz').write_text('old')
    moved, replace = [], Path.replace

    def note(self, target):
        moved.append(Path(target).relative_to(prefix).as_posix())
        return replace(self, target)

    monkeypatch.setattr(Path, 'replace', note)
    build.install_files(package, stage, prefix)
    assert moved[-1] == 'share/ament_index/resource_index/packages/vision_msgs'
    assert (prefix / 'zzz').read_text() == 'new'
    interfaces = prefix / 'share/ament_index/resource_index/rosidl_interfaces/vision_msgs'
    assert interfaces.read_text().splitlines() == list(package.interfaces)


def test_the_generators_words_are_shown_only_where_they_fail(monkeypatch, capsys):
    def fail(*arguments):
        print('Reading input file')
        raise ValueError('no such type')

    monkeypatch.setattr(build, 'generate_sources', fail)
    before = sys.stdout
    with pytest.raises(ValueError, match='no such type'):
        build.generate_quietly(None, None, None)
    assert sys.stdout is before
    assert 'Reading input file' in capsys.readouterr().err
    monkeypatch.setattr(build, 'generate_sources', lambda *arguments: print('Reading') or {})
    assert build.generate_quietly(None, None, None) == {}
    assert capsys.readouterr() == ('', '')
