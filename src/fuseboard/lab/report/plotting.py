"""The one place that needs the extra `fuseboard[lab]`: plotly's script, to be put into the page."""


class PlottingMissing(ValueError):
    """The library that draws is not installed; the message says how to install it."""


def plotly_script() -> str:
    """The whole script that draws, as plotly ships it. Raises `PlottingMissing`."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise PlottingMissing(
            "the report draws with plotly, which is not installed:"
            " `pip install 'fuseboard[lab]'` (the gateway does not need it)"
        ) from error
    script: str = get_plotlyjs()
    return script
