import asyncio
import threading

from fuseboard.runtime.watermark import Watermark


def test_another_threads_news_wakes_the_loop_and_none_is_lost() -> None:
    async def main() -> int:
        watermark = Watermark()
        news = asyncio.Event()
        watermark.attach(asyncio.get_running_loop(), news.set)

        def write() -> None:
            for sequence in range(1, 20_001):
                watermark.durable(sequence)

        writer = threading.Thread(target=write)
        writer.start()
        wakes = 0
        while watermark.sequence < 20_000:
            await news.wait()
            news.clear()
            wakes += 1
        writer.join()
        watermark.detach()
        return wakes

    assert 1 <= asyncio.run(main()) <= 20_000


def test_a_detached_watermark_calls_nobody() -> None:
    watermark = Watermark(5)

    async def main() -> None:
        watermark.attach(asyncio.get_running_loop(), lambda: None)
        watermark.detach()

    asyncio.run(main())
    watermark.durable(6)
    watermark.failed(OSError("gone"))
    assert watermark.sequence == 6
    assert isinstance(watermark.failure, OSError)
