"""How tasks are ended: those that keep a cancellation to themselves, too, and when whoever ends them is cancelled."""

import asyncio

import pytest

from powershare_mqtt.connection import ended


async def deaf(times: int) -> None:
    """It keeps so many cancellations to itself, as `asyncio.wait_for` of Python 3.11 may."""
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            times -= 1
            if times < 0:
                raise


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_task_is_cancelled_until_it_has_ended(times: int) -> None:
    async def whole() -> None:
        tasks = [asyncio.ensure_future(deaf(times)), asyncio.ensure_future(asyncio.sleep(60))]
        await asyncio.sleep(0.01)
        await ended(*tasks)
        assert all(task.cancelled() for task in tasks)

    asyncio.run(whole())


def test_whoever_is_cancelled_while_it_ends_them_ends_them_first_and_is_cancelled_then() -> None:
    async def whole() -> None:
        task = asyncio.ensure_future(deaf(2))
        await asyncio.sleep(0.01)
        ending = asyncio.ensure_future(ended(task))
        await asyncio.sleep(0.01)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        assert task.cancelled()

    asyncio.run(whole())


def test_what_a_task_has_raised_is_not_raised_again() -> None:
    async def fails() -> None:
        raise ValueError("x")

    async def whole() -> None:
        task = asyncio.ensure_future(fails())
        await asyncio.sleep(0.01)
        await ended(task)
        assert isinstance(task.exception(), ValueError)

    asyncio.run(whole())
