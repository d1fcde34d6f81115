"""One self-contained HTML page out of any number of trials' results: a table, then plots.

`build.py` is the way in. Each result is read, distilled and dropped, so that hundreds of them fit
into memory: its series and marks become packed blobs (`packing.py`), the same content only once.
`pairs.py` puts protected and not side by side, `figure.py` says which panels a plot has, `page.py`
writes the page. What draws in the browser is plotly's own script, inside the page.
"""
