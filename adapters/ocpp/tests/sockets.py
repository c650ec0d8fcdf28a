"""What tests over real sockets have in common."""

import asyncio
from collections.abc import Awaitable, Callable

HOST = "127.0.0.1"


def served(test: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(whole())


async def until_it_listens(host: str, tcp_port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection(host, tcp_port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        await writer.wait_closed()
        return
