"""Build description for setuptools, which is what colcon and pip both read."""

import os
import re

from setuptools import find_packages, setup

PACKAGE = 'smoke_ros'


def read_version():
    """Read the version as text: importing the package here would import torch."""
    with open(os.path.join(PACKAGE, '__init__.py'), encoding='utf-8') as file:
        match = re.search(r"^__version__ = '([^']+)'", file.read(), flags=re.MULTILINE)
    if match is None:
        raise ValueError(f"expected a line __version__ = '...' in {file.name}, found none")
    return match.group(1)


def list_share_files(folder):
    """List a folder's files, level by level, as setuptools wants them: (target, files)."""
    listed = []
    for path, _, names in os.walk(folder):
        files = sorted(os.path.join(path, name) for name in names if not name.endswith('.pyc'))
        if files:
            listed.append((os.path.join('share', PACKAGE, path), files))
    return listed


setup(
    name=PACKAGE,
    version=read_version(),
    description='Monocular 3D object detection (SMOKE) as a Python library and a ROS 2 node',
    license='Apache-2.0',
    maintainer='smoke_ros maintainers',
    maintainer_email='smoke_ros-maintainers@example.com',
    python_requires='>=3.10',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    # Everything else comes from rosdep (package.xml) or from requirements/, pinned; naming it here
    # would let pip replace a ROS machine's own packages.
    install_requires=['setuptools'],
    extras_require={
        'test': ['pytest', 'pytest-timeout'],  # tells colcon how to run the tests
        'fleet': ['ray'],
    },
    zip_safe=True,
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (f'share/{PACKAGE}', ['package.xml', 'LICENSE']),
        *list_share_files('launch'),
        *list_share_files('config'),
        *list_share_files('models'),
    ],
    entry_points={
        'console_scripts': [
            'smoke-ros = smoke_ros.cli:main',
            'smoke_node = smoke_ros.ros.start:main',
        ],
    },
)
