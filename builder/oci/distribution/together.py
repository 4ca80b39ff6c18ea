"""Several transfers at a time, and one error for all."""

import asyncio
from collections.abc import Coroutine, Iterable


async def together(works: Iterable[Coroutine[None, None, None]], *, parallel: int) -> None:
    """Run all, `parallel` at a time; the first error ends the others and is raised."""
    slots = asyncio.Semaphore(parallel)

    async def one(work: Coroutine[None, None, None]) -> None:
        async with slots:
            await work

    pending = list(works)
    try:
        async with asyncio.TaskGroup() as group:
            for work in pending:
                group.create_task(one(work))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        for work in pending:  # one that was never begun would be complained about
            work.close()
