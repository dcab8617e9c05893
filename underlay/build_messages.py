"""Build a ROS 2 message package into a Python environment that holds the ROS wheels.

The wheels bring rclpy, the common message packages and rosidl's code generators, but rosidl's own
command does not start among them. So this calls the generators as classes and the compiler as a
program. What comes out is what a colcon build would install: five libraries, a Python package, the
interface files and the entries of the ament index. The definitions decide the wire format, so other
ROS 2 nodes understand the messages.

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
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

RUNTIME_LIBRARIES = ('rosidl_runtime_c', 'rcutils')
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
    """A shared library to link: its sources and the libraries it needs at run time."""

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


def generate_sources(package: MessagePackage, prefix: Path, build: Path) -> dict[str, list[Path]]:
    """Run rosidl's generators into a build folder; return the sources to compile by generator."""
    # The wheels exist only inside the environment that this builds into.
    from rosidl_cli.command.translate.api import translate
    from rosidl_generator_c.cli import GenerateC
    from rosidl_generator_py.cli import GeneratePython
    from rosidl_typesupport_c.cli import GenerateCTypesupport
    from rosidl_typesupport_fastrtps_c.cli import GenerateFastRTPSCTypesupport
    from rosidl_typesupport_introspection_c.cli import GenerateIntrospectionCTypesupport

    includes = [str(prefix / 'share')]
    idl_files = translate(
        package_name=package.name,
        interface_files=[f'{package.folder}:{name}' for name in package.interfaces],
        include_paths=includes,
        output_format='idl',
        output_path=build / 'idl',
    )
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
    sources = {}
    for kind, generator in generators.items():
        # Two generators give a file the same name, so each has a folder of its own.
        made = generator.generate(package.name, idl_files, includes, build / kind / package.name)
        sources[kind] = sorted(p for p in map(Path, made) if p.suffix in ('.c', '.cpp'))
    return sources


def generate_quietly(
    package: MessagePackage, prefix: Path, build: Path
) -> dict[str, list[Path]]:
    """Call generate_sources without its chatter, which is shown only where it fails.

    The generators also leave their own object in sys.stdout, which this undoes.
    """
    words = io.StringIO()
    try:
        with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
            return generate_sources(package, prefix, build)
    except Exception:
        print(words.getvalue(), file=sys.stderr)
        raise


def plan_libraries(package: MessagePackage, sources: dict[str, list[Path]]) -> list[Library]:
    """Return the libraries to make, in link order: each needs only earlier ones of its package."""
    name = package.name

    def of_dependencies(kind: str) -> tuple[str, ...]:
        return tuple(f'{dependency}__{kind}' for dependency in package.dependencies)

    def library(kind: str, *needs: str) -> Library:
        needs = (*needs, *of_dependencies(kind), *RUNTIME_LIBRARIES)
        return Library(f'{name}__{kind}', tuple(sources[kind]), needs)

    structures = f'{name}__rosidl_generator_c'
    fastrtps = ('rosidl_typesupport_fastrtps_c', 'rosidl_typesupport_fastrtps_cpp', 'rmw', 'fastcdr')
    conversions = library('rosidl_generator_py', structures, *of_dependencies('rosidl_generator_c'))
    is_entry = {path: '.ep.' in path.name for path in conversions.sources}
    extension = Library(
        f'{name}_s__rosidl_typesupport_c',
        tuple(path for path, entry in is_entry.items() if entry),
        (conversions.name, f'{name}__rosidl_typesupport_c', structures, *RUNTIME_LIBRARIES),
        is_extension=True,
    )
    inner = tuple(path for path, entry in is_entry.items() if not entry)
    return [
        library('rosidl_generator_c'),
        library(
            'rosidl_typesupport_introspection_c', structures, 'rosidl_typesupport_introspection_c'
        ),
        library('rosidl_typesupport_fastrtps_c', structures, *fastrtps),
        library('rosidl_typesupport_c', structures, 'rosidl_typesupport_c'),
        replace(conversions, sources=inner),
        extension,
    ]


def include_flags(prefix: Path, build: Path, kinds: Sequence[str]) -> list[str]:
    """Return -I flags for the generated headers, the wheels' own, Python's and numpy's."""
    import numpy

    folders = [build / kind for kind in kinds]
    # The wheels keep each package's headers one folder down, as a ROS installation does.
    folders += [prefix / 'include', *sorted(p for p in (prefix / 'include').iterdir() if p.is_dir())]
    folders += [Path(sysconfig.get_paths()['include']), Path(numpy.get_include())]
    return [f'-I{folder}' for folder in folders]


def run_compiler(command: Sequence[str]) -> None:
    """Run one compiler call, and raise BuildError with its own words where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = '\n'.join(done.stderr.strip().splitlines()[:20])
        raise BuildError(f'{shlex.join(command)}\nended with status {done.returncode}:\n{words}')


def compile_libraries(
    libraries: Sequence[Library], includes: Sequence[str], prefix: Path, output: Path
) -> None:
    """Compile every source, as many at once as there are processors, and link the libraries."""
    compilers = {
        '.c': [*shlex.split(os.environ.get('CC', 'cc')), '-std=gnu11'],
        '.cpp': [*shlex.split(os.environ.get('CXX', 'c++')), '-std=c++17'],
    }
    objects = output.parent / 'objects'
    objects.mkdir(parents=True)
    output.mkdir(parents=True)

    def compile_source(job: tuple[Path, Path]) -> None:
        source, target = job
        compiler = compilers[source.suffix]
        run_compiler([*compiler, '-O1', '-fPIC', *includes, '-c', str(source), '-o', str(target)])

    targets = {
        library.name: [objects / f'{library.name}.{p.name}.o' for p in library.sources]
        for library in libraries
    }
    jobs = [
        job
        for library in libraries
        for job in zip(library.sources, targets[library.name], strict=True)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, _ in enumerate(pool.map(compile_source, jobs), start=1):
            show_progress(f'compiled {number} of {len(jobs)} sources')
    for library in libraries:
        # The second path is that of a Python extension, three folders below the libraries.
        search = ['-Wl,-rpath,$ORIGIN', '-Wl,-rpath,$ORIGIN/../../..']
        folders = [f'-L{output}', f'-L{prefix / "lib"}']
        needs = [f'-l{need}' for need in library.needs]
        run_compiler(
            [*compilers['.cpp'], '-shared', *search, '-o', str(output / library.file_name)]
            + [*map(str, targets[library.name]), *folders, *needs]
        )


def show_progress(text: str) -> None:
    """Show one line of progress that replaces the last one, on a terminal only."""
    if sys.stdout.isatty():
        print(f'\r{text}', end='', flush=True)


def stage_package(
    package: MessagePackage, libraries: Sequence[Library], build: Path, stage: Path
) -> None:
    """Lay out everything to install under a folder with the prefix's own structure."""
    site = Path(sysconfig.get_path('platlib')).relative_to(sys.prefix)
    python = stage / site / package.name
    share = stage / 'share' / package.name
    shutil.copytree(
        build / 'rosidl_generator_py' / package.name,
        python,
        ignore=shutil.ignore_patterns('*.c', 'tmp'),
    )
    (python / '__init__.py').touch()
    shutil.copytree(package.folder / 'msg', share / 'msg')
    shutil.copytree(build / 'idl' / 'msg', share / 'msg', dirs_exist_ok=True)
    for path in (build / 'rosidl_generator_c' / package.name / 'msg').glob('*.json'):
        shutil.copy2(path, share / 'msg')
    shutil.copy2(package.folder / 'package.xml', share)
    (stage / 'lib').mkdir(exist_ok=True)
    for library in libraries:
        target = python if library.is_extension else stage / 'lib'
        shutil.copy2(build / 'linked' / library.file_name, target)
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


def install(package: MessagePackage, stage: Path, prefix: Path) -> None:
    """Move the staged files into the prefix one by one, the mark 'packages' at the very end.

    Each move replaces a file in one step, so a process that has an older one open keeps it, and a
    package that the ament index names is complete.
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
    # Beside the target, because a file can be moved in one step only within a file system.
    with tempfile.TemporaryDirectory(prefix='.build-', dir=prefix) as scratch:
        build, stage = Path(scratch) / 'build', Path(scratch) / 'stage'
        sources = generate_quietly(package, prefix, build)
        libraries = plan_libraries(package, sources)
        includes = include_flags(prefix, build, list(sources))
        compile_libraries(libraries, includes, prefix, build / 'linked')
        stage_package(package, libraries, build, stage)
        install(package, stage, prefix)


def main() -> int:
    """Build the packages named on the command line into the running interpreter's environment."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
