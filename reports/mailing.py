"""A page of the site as one file to send: its script inside, and nothing that lies beside it in the site."""

import re

from reports.rendering import render_template, script_sources

_PLOTLY = re.compile(r'<script src="[^"]*"></script>')
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_ALLOWED = re.compile(r"script-src [^;]*;")
_SITE_ONLY = re.compile(r"<!-- site -->.*?<!-- end of site -->", re.DOTALL)


def as_one_file(page: str, plotly: str, run_id: str) -> str:
    """The page with Plotly inside; `page` is one that loads it from beside itself.

    What leads to other files of the site is left out, and its place says where they are.
    """
    own = _SCRIPT.findall(page)
    allowed = f"script-src {script_sources(plotly, *own, shares=False)};"
    mailed = _SITE_ONLY.sub("", page).replace("<!-- mailed -->", render_template("mailed.html.j2", run_id=run_id))
    mailed = _ALLOWED.sub(lambda _: allowed, mailed, count=1)
    return _PLOTLY.sub(lambda _: f"<script>{plotly}</script>", mailed, count=1)
