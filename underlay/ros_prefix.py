"""Make the environment's interpreter find the ROS wheels without anything exported.

Set-up copies this file into site-packages beside a .pth file that imports it, so it runs at every
start of that interpreter, before the wheels' own start-up hook. That hook replaces the process by
the same command with LD_LIBRARY_PATH set, and knows by a variable that it did. What is missing is
AMENT_PREFIX_PATH, and care for that variable where it was inherited from another environment.
"""

import os
import sys


def prepare(environ, prefix):
    """Put a prefix first on AMENT_PREFIX_PATH, and let the wheels' hook run where it must."""
    prefixes = [path for path in environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if path]
    if prefix not in prefixes:
        environ['AMENT_PREFIX_PATH'] = os.pathsep.join([prefix, *prefixes])
    libraries = environ.get('LD_LIBRARY_PATH', '').split(os.pathsep)
    if f'{prefix}/lib' not in libraries:
        environ.pop('_ROS_WHEELS_BOOTSTRAP_COMPLETE', None)


prepare(os.environ, sys.prefix)
