"""Build a ROS 2 message package into a Python environment that holds the ROS wheels.

The wheels bring rclpy, the common message packages and rosidl's code generators, but rosidl's own
command does not start among them. So this calls the generators as classes and the compiler as a
program. What comes out is what a colcon build would install: five libraries, a Python package,
the interface files and the entries of the ament index. The definitions decide the wire format, so
other ROS 2 nodes understand the messages.

Run it with the environment's own interpreter: ``python build_messages.py PACKAGE_FOLDER``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

RUNTIME_LIBRARIES = ('rosidl_runtime_c', 'rcutils')
FASTRTPS_LIBRARIES = (
    'rosidl_typesupport_fastrtps_c',
    'rosidl_typesupport_fastrtps_cpp',
    'rmw',
    'fastcdr',
)
TYPESUPPORTS = ('rosidl_typesupport_fastrtps_c', 'rosidl_typesupport_introspection_c')


class BuildError(RuntimeError):
    """A message package could not be built; the text says what was expected and what came."""


@dataclass(frozen=True)
class MessagePackage:
    """A message package in source form; interfaces are relative, such as 'msg/Point2D.msg'."""

    folder: Path
    name: str
    dependencies: tuple[str, ...]
    interfaces: tuple[str, ...]


@dataclass(frozen=True)
class Library:
    """A shared library to make: its sources, and the libraries it needs at run time."""

    name: str
    sources: tuple[Path, ...]
    needs: tuple[str, ...]
    is_extension: bool = False

    @property
    def file_name(self) -> str:
        """Return the name under which the loader, or Python, looks for it."""
        return f'{self.name}.so' if self.is_extension else f'lib{self.name}.so'


def read_package(folder: Path) -> MessagePackage:
    """Read a package's name and dependencies from package.xml and list its .msg files."""
    manifest = folder / 'package.xml'
    interfaces = sorted(path.relative_to(folder).as_posix() for path in folder.glob('msg/*.msg'))
    if not manifest.is_file() or not interfaces:
        raise BuildError(f'expected package.xml and msg/*.msg in {folder}, found not both')
    root = ElementTree.parse(manifest).getroot()
    return MessagePackage(
        folder=folder,
        name=root.findtext('name', '').strip(),
        dependencies=tuple((node.text or '').strip() for node in root.findall('depend')),
        interfaces=tuple(interfaces),
    )


def generate_sources(
    package: MessagePackage, prefix: Path, build: Path
) -> dict[str, tuple[Path, ...]]:
    """Run rosidl's generators into a build folder; return the sources to compile by generator."""
    # The wheels exist only inside the environment that this builds into.
    from rosidl_cli.command.translate.api import translate
    from rosidl_generator_c.cli import GenerateC
    from rosidl_generator_py.cli import GeneratePython
    from rosidl_typesupport_c.cli import GenerateCTypesupport
    from rosidl_typesupport_fastrtps_c.cli import GenerateFastRTPSCTypesupport
    from rosidl_typesupport_introspection_c.cli import GenerateIntrospectionCTypesupport

    generators = {
        'rosidl_generator_c': GenerateC('c'),
        'rosidl_typesupport_introspection_c': GenerateIntrospectionCTypesupport('introspection'),
        'rosidl_typesupport_fastrtps_c': GenerateFastRTPSCTypesupport('fastrtps'),
        'rosidl_typesupport_c': GenerateCTypesupport(
            'c', typesupport_implementations=list(TYPESUPPORTS)
        ),
        'rosidl_generator_py': GeneratePython(
            'py', typesupport_implementations=['rosidl_typesupport_c']
        ),
    }
    includes = [str(prefix / 'share')]
    idl_files = translate(
        package_name=package.name,
        interface_files=[f'{package.folder}:{name}' for name in package.interfaces],
        include_paths=includes,
        output_format='idl',
        output_path=build / 'idl',
    )
    sources = {}
    for kind, generator in generators.items():
        # Two generators give a file the same name, so each has a folder of its own.
        made = generator.generate(package.name, idl_files, includes, build / kind / package.name)
        sources[kind] = tuple(sorted(p for p in map(Path, made) if p.suffix in ('.c', '.cpp')))
    return sources


def generate_quietly(
    package: MessagePackage, prefix: Path, build: Path
) -> dict[str, tuple[Path, ...]]:
    """Call generate_sources without its chatter, which is shown only where it fails.

    The generators also leave an object of their own in sys.stdout, which this undoes.
    """
    words = io.StringIO()
    try:
        with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
            return generate_sources(package, prefix, build)
    except Exception:
        print(words.getvalue(), file=sys.stderr)
        raise


def plan_libraries(package: MessagePackage, sources: dict[str, tuple[Path, ...]]) -> list[Library]:
    """Return the libraries to make, in link order: each needs only earlier ones of its package."""
    own_structures = f'{package.name}__rosidl_generator_c'

    def of_dependencies(kind: str) -> tuple[str, ...]:
        return tuple(f'{dependency}__{kind}' for dependency in package.dependencies)

    def library(kind: str, files: Sequence[Path], *needs: str) -> Library:
        needs = (*needs, *of_dependencies(kind), *RUNTIME_LIBRARIES)
        return Library(f'{package.name}__{kind}', tuple(files), needs)

    introspection = 'rosidl_typesupport_introspection_c'
    fastrtps = 'rosidl_typesupport_fastrtps_c'
    dispatch = 'rosidl_typesupport_c'
    entry_points = [path for path in sources['rosidl_generator_py'] if '.ep.' in path.name]
    conversions = library(
        'rosidl_generator_py',
        [path for path in sources['rosidl_generator_py'] if path not in entry_points],
        own_structures,
        *of_dependencies('rosidl_generator_c'),
    )
    extension = Library(
        f'{package.name}_s__rosidl_typesupport_c',
        tuple(entry_points),
        (conversions.name, f'{package.name}__{dispatch}', own_structures, *RUNTIME_LIBRARIES),
        is_extension=True,
    )
    return [
        library('rosidl_generator_c', sources['rosidl_generator_c']),
        library(introspection, sources[introspection], own_structures, introspection),
        library(fastrtps, sources[fastrtps], own_structures, *FASTRTPS_LIBRARIES),
        library(dispatch, sources[dispatch], own_structures, dispatch),
        conversions,
        extension,
    ]


def find_include_folders(prefix: Path, build: Path, kinds: Iterable[str]) -> list[Path]:
    """Return where headers lie: the generated ones, the wheels', Python's and numpy's."""
    import numpy

    # The wheels keep each package's headers one folder down, as a ROS installation does.
    wheels = sorted(path for path in (prefix / 'include').iterdir() if path.is_dir())
    python = Path(sysconfig.get_path('include'))
    generated = [build / kind for kind in kinds]
    return [*generated, prefix / 'include', *wheels, python, Path(numpy.get_include())]


def run_compiler(command: Sequence[str]) -> None:
    """Run one compiler call, and raise BuildError with its own words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = '\n'.join(done.stderr.strip().splitlines()[:20])
        raise BuildError(f'{shlex.join(command)}\nended with status {done.returncode}:\n{words}')


def find_compiler(suffix: str) -> list[str]:
    """Return the call of the compiler for sources with a suffix; CC and CXX name others."""
    if suffix == '.c':
        return [*shlex.split(os.environ.get('CC', 'cc')), '-std=gnu11']
    return [*shlex.split(os.environ.get('CXX', 'c++')), '-std=c++17']


def compile_sources(
    sources: Iterable[Path], include_folders: Iterable[Path], objects: Path
) -> dict[Path, Path]:
    """Compile sources, as many at once as there are processors; return their object files."""
    objects.mkdir()
    targets = {source: objects / f'{n}.o' for n, source in enumerate(sources)}
    flags = ['-O1', '-fPIC', *(f'-I{folder}' for folder in include_folders)]

    def compile_one(source: Path) -> None:
        files = ['-c', str(source), '-o', str(targets[source])]
        run_compiler([*find_compiler(source.suffix), *flags, *files])

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for number, _ in enumerate(pool.map(compile_one, targets), start=1):
            print(f'compiled {number} of {len(targets)} sources', flush=True)
    finally:
        pool.shutdown(cancel_futures=True)  # an error, or Ctrl-C, does not wait for the rest
    return targets


def link_library(
    library: Library, objects: dict[Path, Path], folders: Sequence[Path], target: Path
) -> None:
    """Link one library from its object files, against libraries in folders."""
    # A library finds its neighbours; a Python extension is three folders below the libraries.
    run_path = '-Wl,-rpath,$ORIGIN:$ORIGIN/../../..'
    files = [str(objects[source]) for source in library.sources]
    search = [f'-L{folder}' for folder in folders]
    needs = [f'-l{need}' for need in library.needs]
    run_compiler(
        [*find_compiler('.cpp'), '-shared', run_path, '-o', str(target), *files, *search, *needs]
    )


def stage_files(
    package: MessagePackage, libraries: Sequence[Library], build: Path, stage: Path
) -> None:
    """Lay out what is to be installed under a folder with the prefix's own structure."""
    site = Path(sysconfig.get_path('platlib')).relative_to(sys.prefix)
    python = stage / site / package.name
    share = stage / 'share' / package.name
    generated = build / 'rosidl_generator_py' / package.name
    shutil.copytree(generated, python, ignore=shutil.ignore_patterns('*.c', 'tmp'))
    (python / '__init__.py').touch()
    shutil.copytree(package.folder / 'msg', share / 'msg')
    shutil.copytree(build / 'idl' / 'msg', share / 'msg', dirs_exist_ok=True)
    for path in (build / 'rosidl_generator_c' / package.name / 'msg').glob('*.json'):
        shutil.copy2(path, share / 'msg')
    shutil.copy2(package.folder / 'package.xml', share)
    (stage / 'lib').mkdir(exist_ok=True)
    for library in libraries:
        target = python if library.is_extension else stage / 'lib'
        shutil.copy2(build / library.file_name, target)
    write_index(package, stage / 'share' / 'ament_index' / 'resource_index')


def write_index(package: MessagePackage, index: Path) -> None:
    """Write the ament index entries by which ROS tools find the package and its interfaces."""
    entries = {
        'packages': '',
        'package_run_dependencies': ';'.join(package.dependencies),
        'rosidl_interfaces': '\n'.join(package.interfaces),
    }
    for resource, text in entries.items():
        (index / resource).mkdir(parents=True)
        (index / resource / package.name).write_text(text)


def install_files(package: MessagePackage, stage: Path, prefix: Path) -> None:
    """Move the staged files into the prefix one by one, the index entry 'packages' at the end.

    Each move replaces a file in one step, so a process that has the older one open keeps it, and
    a package that the ament index names is complete.
    """
    mark = Path('share/ament_index/resource_index/packages') / package.name
    (prefix / mark).unlink(missing_ok=True)
    files = sorted(path.relative_to(stage) for path in stage.rglob('*') if path.is_file())
    for relative in [*(path for path in files if path != mark), mark]:
        (prefix / relative).parent.mkdir(parents=True, exist_ok=True)
        (stage / relative).replace(prefix / relative)


def build_package(folder: Path, prefix: Path) -> None:
    """Generate, compile and install one message package into a prefix."""
    package = read_package(folder.resolve())
    # Inside the prefix, for files move in one step only within a file system.
    build, stage = prefix / '.build' / package.name, prefix / '.build' / 'stage'
    shutil.rmtree(prefix / '.build', ignore_errors=True)  # what an interrupted build left
    print(f'generating {package.name} from {len(package.interfaces)} definitions', flush=True)
    sources = generate_quietly(package, prefix, build)
    libraries = plan_libraries(package, sources)
    includes = find_include_folders(prefix, build, sources)
    every_source = [source for library in libraries for source in library.sources]
    objects = compile_sources(every_source, includes, build / 'objects')
    for library in libraries:
        link_library(library, objects, [build, prefix / 'lib'], build / library.file_name)
    stage_files(package, libraries, build, stage)
    install_files(package, stage, prefix)
    shutil.rmtree(prefix / '.build')


def main() -> int:
    """Build the packages named on the command line into the running interpreter's environment."""
    parser = argparse.ArgumentParser(description='Build ROS 2 message packages beside ROS wheels.')
    parser.add_argument('packages', nargs='+', type=Path, help='folders with package.xml and msg/')
    for folder in parser.parse_args().packages:
        try:
            build_package(folder, Path(sys.prefix))
        except BuildError as error:
            print(f'{folder.name}: {error}', file=sys.stderr)
            return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
