"""Floor 7: the broker truth table. The same questions to every broker, each answered by trying it.

Reading order: `questions` (what is asked), `cases` (what one try leaves behind), `judges` (rows in, yes or no out),
`answer`, then the probes (`kafka_*`, `rabbitmq_*`, `worker`,
`lost_answer`, `outage`), `tasks`, `asking` and `grid`. `standin` refuses the stand-in.

From a lesson: `truth.committed()` are the answers kept in this folder, `truth.run([...])` asks again, and lesson 03
draws them: `plots.truth.grid(truth.committed(), truth.texts(), truth.stamp())`.
"""

from typing import TYPE_CHECKING

from labkit.base import lazy

if TYPE_CHECKING:
    from labkit.truth.asking import answers, run
    from labkit.truth.grid import committed, stamp
    from labkit.truth.questions import texts
    from labkit.truth.standin import needs

__all__ = ["answers", "committed", "needs", "run", "stamp", "texts"]

__getattr__, __dir__ = lazy.attach(
    __name__, "asking:answers", "asking:run", "grid:committed", "grid:stamp", "questions:texts", "standin:needs"
)
