"""One of the processes that test_processes.py starts with torchrun."""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from tiny_smoke import make_job

from smoke_ros.training.loop import Outcome, run_job
from smoke_ros.training.processes import join_processes


def say(what: str, outcome: Outcome) -> None:
    """Print a line in one piece: torchrun's processes write where the others do, unbuffered."""
    sys.stdout.write(f'{what}: {outcome}\n')


def die() -> None:
    """Do as a signal does that is sent to a process and its readers."""
    os.kill(os.getpid(), signal.SIGTERM)
    raise RuntimeError('DataLoader worker (pid(s) 7) exited unexpectedly')


def main(data: str, out: str, options: str) -> int:
    """Train to the end, then anew until one process is asked to end, and go on from there.

    And until the readers of one process are ended before it has a batch, which the others have.
    """
    torch.set_num_threads(1)
    with join_processes('cpu') as processes:
        whole = make_job(Path(data), validates=True, **json.loads(options))
        say('whole', run_job(whole, Path(out) / 'whole', processes))

        stopped = make_job(Path(data), validates=True, **json.loads(options))
        if processes.rank == 1:
            make_sample = stopped.training.make_sample

            def end(*args, **kwargs):
                stopped.training.make_sample = make_sample
                os.kill(os.getpid(), signal.SIGTERM)
                return make_sample(*args, **kwargs)

            stopped.training.make_sample = end
        say('stopped', run_job(stopped, Path(out) / 'parts', processes))

        processes.gather('the first process has written its checkpoint')
        rest = make_job(Path(data), validates=True, **json.loads(options))
        say('resumed', run_job(rest, Path(out) / 'parts', processes, resume=True))

        ended = make_job(Path(data), validates=True, **json.loads(options))
        if processes.rank == 1:
            ended.training.make_sample = lambda *_, **__: die()
        say('readers ended', run_job(ended, Path(out) / 'ended', processes))
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
