"""TITLE: a chart is a table of released numbers, what Plotly draws of each row, and the same rows as a table.

It holds no numbers: it binds columns of one released table (data dictionary of the report) to attributes of Plotly
traces. So it shows what may be shown and no more, follows the selectors of the page, and prints as a table.
"""

import plotly.graph_objects as go

from reports.charts.spec import Alt, Categories, Chart, TableColumn, Trace

COHORT = TableColumn("Cohort", "name:cohort", ("cohort",))  # heading, how it is written, the columns it reads


def chart() -> Chart:
    """Tests a tested person, by cohort."""
    bars = go.Bar(
        orientation="h",
        showlegend=False,
        hovertemplate="<b>%{customdata[0]}</b><br>%{customdata[1]} tests a tested person<extra></extra>",
    )
    cells = [["name:cohort", "cohort"], ["days", "tests_per_tested_person"]]
    return Chart(
        id="NAME",
        section="testing",  # prevalence, severity, duration, cycles, causes, complications, drugs, testing, ...
        position=90,  # among the charts of its section; shipped ones are below 90
        title="TITLE",
        caption="Tests with a neutrophil count for each person tested, over the whole extract.",
        table="testing",  # a released table; `where` fixes columns of it
        question="anc",  # which answerable question it needs
        where={"interval_unit": "all"},
        follows=(),  # selectors of the page that filter its rows
        sorts={"value": (("tests_per_tested_person", "desc"), ("name:cohort", "asc"))},
        traces=(
            Trace(
                bars.to_plotly_json(),
                {
                    "x": {"col": "tests_per_tested_person"},
                    "y": {"name": "cohort", "col": "cohort"},
                    "customdata": {"cells": cells},
                },
                needs="tests_per_tested_person",  # a row without this number is not drawn
            ),
        ),
        columns=(
            COHORT,
            TableColumn("Tested", "count", ("n_tested",)),
            TableColumn("Tests a tested person", "days", ("tests_per_tested_person",)),
        ),
        alt=Alt("tests_per_tested_person", "days", (COHORT,)),
        categories=(Categories("yaxis", "name:cohort", ("cohort",)),),
        height=110,
        row_height=32,
        layout=go.Layout(
            xaxis={"title": {"text": "tests a person"}, "rangemode": "tozero"}, yaxis={"type": "category"}
        ).to_plotly_json(),
    )
