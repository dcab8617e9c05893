"""Workers that render nothing and crash; in a module that a new process imports quickly."""

import os
import signal


def crash_once(job, left, messages):
    """Crash at the third frame, as a graphics driver would, where nobody has before."""
    for index in left:
        if index == 4 and not (job.out / 'crashed').exists():
            (job.out / 'crashed').touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        messages.send(index)


def crash_at_once(job, left, messages):
    """Crash before the first frame."""
    os.kill(os.getpid(), signal.SIGSEGV)


def be_killed(job, left, messages):
    """Be ended after a frame, as by a system that is short of memory."""
    messages.send(left[0])
    os.kill(os.getpid(), signal.SIGKILL)


def find_no_renderer(job, left, messages):
    """Fail in a way that the parent is to say."""
    messages.send(OSError('cannot draw: no OpenGL'))
