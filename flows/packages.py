"""What a site's installed packages add, tried before a night begins: a wrong one would end it late."""

from transforms.plugins import CHARTS, added_points


def refuse_wrong_packages() -> None:
    """DefinitionError when an adapter cannot be loaded, or a chart not be drawn; imports nothing without."""
    from flows.sources.registry import load_layouts  # noqa: PLC0415 - adapters are many, and a command may need none

    load_layouts()
    if added_points(CHARTS):
        from reports.chart_list import load_charts  # noqa: PLC0415 - plotly takes a second

        load_charts()
