"""The checking process: `python -m expectations.worker` imports Great Expectations, then answers one job a line.

Jobs come on standard input and counts go to standard output, one line of JSON each, after one line that says that the
import is done. The process ends when its input
does, even while it still imports, so it never outlives the run. What libraries print is thrown away: it could quote
a value.
"""

import gc
import os
import queue
import sys
import threading
from typing import TextIO

from expectations.job import READY, Count, Job, counts_to_json
from expectations.postponed import postpone


def main() -> None:
    """Answer jobs until the input ends."""
    answers = _claim_output()
    jobs: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(jobs,), daemon=True).start()
    postpone("altair", "scipy.stats")
    gc.disable()  # of what an import makes, nothing is garbage
    from expectations.gx import count_failures  # noqa: PLC0415  # slow; the listener must run by then

    gc.freeze()
    gc.enable()
    answers.write(READY + "\n")
    answers.flush()
    while True:
        job = Job.from_json(jobs.get())
        try:
            counts = count_failures(job)
        except Exception as error:  # noqa: BLE001  # the kind of error is the answer
            asked = [question for questions in job.views.values() for question in questions]
            counts = tuple(Count(question.check_id, error=type(error).__name__) for question in asked)
        answers.write(counts_to_json(counts) + "\n")
        answers.flush()


def _claim_output() -> TextIO:
    """Keep standard output for answers; everything else that is printed goes nowhere."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def _listen(jobs: "queue.SimpleQueue[str]") -> None:
    for line in sys.stdin:
        jobs.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
