"""That a tape has ended is told once, after an exchange that was away or still played."""

import asyncio

from fuseboard.app.tape_end import tell_tape_end
from fuseboard.wire.http_messages import Request, Response
from fuseboard.wire.http_server import HttpServer

PLAYS = b'{"tape":"crash","tape_ended":false,"cash":"1"}'
ENDED = b'{"tape":"crash","tape_ended":true,"cash":"1"}'
ANSWERS = [Response(500, b"{}"), Response(200, b"{"), Response(200, PLAYS), Response(200, ENDED)]


def test_the_end_of_a_tape_is_told_once_and_nothing_is_told_before() -> None:
    asked: list[str] = []
    told: list[str] = []

    async def answer(request: Request) -> Response:
        assert not told
        asked.append(f"{request.method} {request.path}")
        return ANSWERS[len(asked) - 1]

    async def run() -> None:
        server = HttpServer(answer)
        port = await server.start("127.0.0.1", 0)
        try:
            url = f"http://127.0.0.1:{port}"
            await asyncio.wait_for(tell_tape_end(url, told.append, look_s=0.0), 20)
        finally:
            await server.stop()

    asyncio.run(run())
    assert asked == ["GET /sim/state"] * len(ANSWERS)
    (text,) = told
    assert text.startswith("the tape crash has ended")
    assert "quote_missing" in text
