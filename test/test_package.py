"""What the package says of itself agrees: version, imports, requirements, package.xml, docs."""

import ast
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import smoke_ros

ROOT = Path(__file__).resolve().parent.parent

# Where the name that is imported is not the rosdep key.
ROSDEP_KEYS = {
    'PIL': 'python3-pil',
    'cv2': 'python3-opencv',
    'lz4': 'python3-rosbags-pip',  # which brings it; rosdep has no key of its own for it
    'matplotlib': 'python3-matplotlib',
    'numpy': 'python3-numpy',
    'psutil': 'python3-psutil',
    'rosbags': 'python3-rosbags-pip',
    'torch': 'python3-pytorch-pip',
    'tqdm': 'python3-tqdm',
    'yaml': 'python3-yaml',
}

# Imported only where they are asked for, with a message of their own where they are missing.
OPTIONAL = {
    'llvmlite', 'moderngl', 'numba', 'onnx', 'onnxruntime', 'ray', 'rerun', 'simplejpeg',
    'tensorboard', 'tensorrt', 'trimesh', 'triton',
}  # fmt: skip


def read_manifest() -> ElementTree.Element:
    return ElementTree.parse(ROOT / 'package.xml').getroot()


def list_dependencies(*tags: str) -> set[str]:
    return {node.text for tag in tags for node in read_manifest().findall(tag)}


def find_imports(*files: Path) -> dict[str, Path]:
    """Return the top-level name of each third-party import, with a file that has it."""
    found = {}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            found.update({name.split('.')[0]: path for name in names})
    ours = {'smoke_ros', 'benchmarks', *sys.stdlib_module_names}
    return {name: path for name, path in found.items() if name not in ours}


def read_list(name: str) -> list[str]:
    lines = (ROOT / 'requirements' / name).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith('#')]


def normalise(requirement: str) -> str:
    name = re.match(r'[A-Za-z0-9][\w.-]*', requirement).group()
    return re.sub(r'[-_.]+', '-', name).lower()


REQUIREMENT_LISTS = sorted(
    path.name for path in (ROOT / 'requirements').glob('*.txt') if path.name != 'constraints.txt'
)


def test_package_xml_has_the_version_of_the_package():
    assert read_manifest().findtext('version') == smoke_ros.__version__


def test_setup_reads_the_version_without_importing_the_package(monkeypatch):
    calls = []
    monkeypatch.setattr('setuptools.setup', lambda **kwargs: calls.append(kwargs))
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(sys.modules, 'torch', None)
    exec(compile((ROOT / 'setup.py').read_text(), 'setup.py', 'exec'), {})
    assert calls[0]['name'] == 'smoke_ros'
    assert calls[0]['version'] == smoke_ros.__version__


def test_package_xml_is_of_format_3_for_ament_python():
    manifest = read_manifest()
    assert manifest.get('format') == '3'
    assert manifest.findtext('export/build_type') == 'ament_python'
    assert re.fullmatch(r'[\w.-]+@[\w-]+(\.[\w-]+)+', manifest.find('maintainer').get('email'))
    assert manifest.findtext('license') == 'Apache-2.0'


def test_every_third_party_import_has_a_rosdep_key_in_package_xml():
    declared = list_dependencies('depend', 'exec_depend')
    imports = find_imports(*(ROOT / 'smoke_ros').rglob('*.py'), *(ROOT / 'launch').rglob('*.py'))
    missing = {
        f'{name} in {path.relative_to(ROOT)}'
        for name, path in imports.items()
        if name not in OPTIONAL and ROSDEP_KEYS.get(name, name) not in declared
    }
    assert missing == set()


def test_no_optional_import_is_at_the_top_of_a_module():
    # Kernels cannot even be written down without their compiler: who imports them is prepared.
    kernels = ROOT / 'smoke_ros/engines/kernels'
    for path in {*(ROOT / 'smoke_ros').rglob('*.py')} - {*kernels.glob('*.py')}:
        tree = ast.parse(path.read_text(encoding='utf-8'))
        tree.body = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
        for node in tree.body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            assert not OPTIONAL & {(name or '').split('.')[0] for name in names}, path


@pytest.mark.parametrize('name', REQUIREMENT_LISTS)
def test_lists_have_names_only_and_constraints_their_versions(name):
    pinned = {normalise(line) for line in read_list('constraints.txt')}
    for line in read_list(name):
        assert not re.search(r'[<>=~!]', line), f'{name}: {line} has a version'
        assert normalise(line) in pinned, f'{name}: {line} has no version in constraints.txt'


def test_constraints_are_exact_and_one_for_each_python():
    seen = set()
    for line in read_list('constraints.txt'):
        requirement, _, marker = (part.strip() for part in line.partition(';'))
        assert re.fullmatch(r'[A-Za-z0-9][\w.-]*==[\w.!+]+', requirement), line
        key = (normalise(requirement), marker)
        assert key not in seen, f'{line} is there twice'
        assert not marker or (key[0], '') not in seen, f'{line} is there with and without a marker'
        seen.add(key)


@pytest.mark.parametrize('name', REQUIREMENT_LISTS)
def test_the_docs_say_what_each_requirement_is_for(name):
    documented = (ROOT / 'docs' / 'dependencies.md').read_text()
    cells = {part.strip() for row in re.findall(r'^\| ([^|]+) \|', documented, flags=re.MULTILINE)
             for part in row.split(',')}  # fmt: skip
    for line in read_list(name):
        assert re.sub(r'\[.*\]', '', line) in cells, f'{name}: {line} is not in the docs'


def test_the_docs_name_every_python_rosdep_key():
    documented = (ROOT / 'docs' / 'dependencies.md').read_text()
    keys = {key for key in list_dependencies('exec_depend') if key.startswith('python3-')}
    assert {key for key in keys if f'| {key} |' not in documented} == set()
