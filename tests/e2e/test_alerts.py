"""RTS 6 Art. 16: from the market's event to somebody's webhook within five seconds, measured."""

import re

from fuseboard.alerts.outward import WEBHOOK_NAME
from tests.e2e.alerted import Fall, Hook, Market
from tests.e2e.processes import World, until


def test_a_page_is_told_within_five_seconds_beside_lesser_alerts_that_hang(here: World) -> None:
    hook = here.kept(Hook(here.folder, hangs=("warning", "info")))
    market = Market(here, Fall(12, 2, 1), doors={WEBHOOK_NAME: hook.url})
    until(lambda: 2 in market.lags_s(hook.posts()), "the trip's page is taken")
    posts = hook.posts()
    assert posts[0]["severity"] == "warning", "the lesser one came first, and hangs"
    assert 1 not in market.lags_s(posts)
    taken = r"alert-webhook: 1 delivered, .*; slowest \d\.\d{3} s after its event, 0 later than 5 s"
    market.gateway.wait_for(
        lambda now: re.match(taken, now["about"]["alerts"]), "the status says when it was taken"
    )
    now = market.gateway.wait_for(
        lambda now: any(alert["code"] == "alerts_late" for alert in now["alerts"]),
        "people hear of what waits for more than five seconds",
    )
    (late,) = [alert for alert in now["alerts"] if alert["code"] == "alerts_late"]
    assert late["severity"] == "warning"
    assert "alert-webhook takes alerts later than 5 s: one waits " in late["text"]
    assert re.match(r"console: [3-9] written; slowest ", now["about"]["told"])
    hook.kill()  # what hangs is over, and tried again in vain
    assert market.gateway.stop() == 0
    here.evidence_is_clean()
