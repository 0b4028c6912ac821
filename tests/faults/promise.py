"""The promise, checked by accounting each id at the hub."""

from collections import Counter
from collections.abc import Iterable, Mapping

from arbvantage_provider.testing import LocalHub, TaskHandle


def check_promise(  # noqa: PLR0913 - each names tasks of another kind
    hub: LocalHub,
    handles: Iterable[TaskHandle],
    runs: Mapping[str, int],
    *,
    may_run_again: Iterable[str] = (),
    reported: Iterable[str] = (),
    earlier: Iterable[TaskHandle] = (),
    seed: int | None = None,
) -> Counter[str]:
    """Check each task that was handed out, and that nothing else was answered.

    - It has one result that the hub took, or the log has named it as left
      unanswered; what was submitted for it later is the same in every field.
    - Its handler was called once at most, unless its action is named in
      ``may_run_again``.

    Args:
        hub: took the results.
        handles: the tasks; those that were never handed out have nothing.
        runs: how many times the handler of each id was called.
        may_run_again: actions that were declared safe to run again.
        reported: the ids that the log has named.
        earlier: tasks of another hub before this one. A result of theirs may come
            late, and is the same; none of them runs.
        seed: of the faults, for the message.

    Returns:
        how many tasks ended with each status.

    Raises:
        AssertionError: it names the first tasks for which that is not so.
    """
    tasks, again, left = list(handles), frozenset(may_run_again), frozenset(reported)
    problems = [
        f"{task!r}: {problem}"
        for task in tasks
        for problem in _find(task, runs, again, left)
    ]
    problems += _find_strangers(hub, tasks, earlier, runs)
    told = "\n".join(problems[:10])
    seeded = "" if seed is None else f" with seed {seed}"
    assert not problems, f"the promise is broken {len(problems)} times{seeded}:\n{told}"
    return Counter(task.results[0].status for task in tasks if task.results)


def _find_strangers(
    hub: LocalHub,
    tasks: Iterable[TaskHandle],
    earlier: Iterable[TaskHandle],
    runs: Mapping[str, int],
) -> Iterable[str]:
    """What was answered, or run, and is no task of this hub."""
    ids = {task.id for task in tasks}
    first = {task.id: task.results[0] for task in earlier}
    for result in hub.submissions:
        if result.id not in ids and result != first.get(result.id):
            yield f"{result!r} is of no task, or another one than before"
    for id_ in runs.keys() - ids:
        yield f"a handler was called for {id_!r}, which is no task of this hub"


def _find(
    task: TaskHandle,
    runs: Mapping[str, int],
    again: frozenset[str],
    left: frozenset[str],
) -> Iterable[str]:
    results, count = task.results, runs.get(task.id, 0)
    if task.handed_out and not results and task.id not in left:
        yield f"no result, and its handler was called {count} times"
    if not task.handed_out and (results or count):
        yield "it has a result or a run, and was never handed out"
    if count > 1 and task.action not in again:
        yield f"its handler was called {count} times"
    for other in results[1:]:
        if other != results[0]:
            first = results[0]
            told = f"{first.status} {first.result[:200]}, then {other.status} {other.result[:200]}"
            yield f"two results: {told}"
