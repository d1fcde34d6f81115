import asyncio
import threading

from fuseboard.runtime.watermark import Watermark


def test_another_threads_news_wakes_the_loop_and_none_is_lost() -> None:
    async def main() -> int:
        watermark = Watermark()
        news = asyncio.Event()
        watermark.attach(asyncio.get_running_loop(), news.set)

        def write() -> None:
            for sequence in range(1, 2_001):
                watermark.durable(sequence)
                if sequence % 100 == 0:
                    caught_up.wait(10)  # the loop has to see it without any further news
                    caught_up.clear()

        caught_up = threading.Event()
        writer = threading.Thread(target=write)
        writer.start()
        wakes = 0
        while watermark.sequence < 2_000:
            await asyncio.wait_for(news.wait(), 5)
            news.clear()
            wakes += 1
            if watermark.sequence % 100 == 0:
                caught_up.set()
        caught_up.set()
        writer.join()
        watermark.detach()
        return wakes

    assert 19 <= asyncio.run(main()) <= 2_000


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
