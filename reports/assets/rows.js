/* Which rows a chart shows for a selection, in which order: the same rules as reports/view.py. */
const DIMENSIONS = {
  cohort: "cohort",
  threshold: "threshold_cells_per_ul",
  rule: "rule",
  measure: "measure",
  denominator: "denominator_name",
  scale: "scale",
  drug: "drug",
};

const charts = page.charts.filter((chart) => chart.is_drawn);
const neutral = new Set(page.neutral);
const fixedRows = new Map();

const cellAt = (column, index) => (Array.isArray(column) ? column[index] : column.words[column.at === 0 ? 0 : column.at[index]]);

function rowAt(columns, index) {
  const row = {};
  for (const [name, column] of columns) row[name] = cellAt(column, index);
  return row;
}

/* Only these rows are made of the columns, and only when the chart is drawn: the first figure waits for no other. */
function rowsFixedBy(chart) {
  if (!fixedRows.has(chart.id)) {
    const { n, columns } = page.tables[chart.table];
    const where = Object.entries(chart.where);
    const unless = Object.entries(chart.unless);
    const isOf = (index) =>
      where.every(([column, value]) => cellAt(columns[column], index) === value) &&
      unless.every(([column, value]) => cellAt(columns[column], index) !== value);
    const named = Object.entries(columns);
    const places = Array.from({ length: n }, (_, index) => index).filter(isOf);
    fixedRows.set(chart.id, places.map((index) => rowAt(named, index)));
  }
  return fixedRows.get(chart.id);
}

function isSelected(chart, row, view) {
  return chart.follows.every((dimension) => {
    const found = String(row[DIMENSIONS[dimension]]);
    return view[dimension] === "both" || found === view[dimension] || neutral.has(found);
  });
}

function sortKey(row, key, isDown) {
  if (key.startsWith("name:")) {
    const kind = key.slice(5);
    return [1, nameOf(kind, row[kind]).toLowerCase()];
  }
  const cell = row[key];
  return [isNumber(cell) === isDown ? 1 : 0, isNumber(cell) ? cell : String(cell)];
}

function compareBy(key, direction) {
  const isDown = direction === "desc";
  const sign = isDown ? -1 : 1;
  return (one, two) => {
    const [a, b] = [sortKey(one, key, isDown), sortKey(two, key, isDown)];
    const place = a[0] === b[0] ? 1 : 0;
    if (a[place] === b[place]) return 0;
    return a[place] < b[place] ? -sign : sign;
  };
}

function chosenRows(chart, view) {
  const rows = rowsFixedBy(chart).filter((row) => isSelected(chart, row, view));
  const orders = chart.sorts[view.sort] ?? Object.values(chart.sorts)[0];
  for (const [key, direction] of [...orders].reverse()) rows.sort(compareBy(key, direction));
  return rows;
}

function captionText(chart, view) {
  const words = { cells: nameOf("unit", view.unit), threshold: page.captions.threshold[view.unit]?.[view.threshold] ?? "" };
  for (const name of ["cohort", "rule", "measure", "denominator", "scale", "drug"]) words[name] = nameOf(name, view[name] ?? "");
  for (const name of ["denominator_long", "measure_long"]) {
    words[name] = (page.captions[name][view[name.replace("_long", "")]] ?? "").replace("{rule}", words.rule);
  }
  return chart.caption.replace(/\{(\w+)\}/g, (_, name) => words[name] ?? "");
}

function altText(chart, rows, view) {
  const { value, kind, labels, above } = chart.alt;
  const meant = rows.filter((row) => !above || row[above[0]] > above[1]);
  const shown = meant.filter((row) => isNumber(row[value]));
  let text = `${chart.title}. ${captionText(chart, view)} ${count(shown.length)} number${shown.length === 1 ? "" : "s"} shown`;
  if (meant.length > shown.length) text += `, ${count(meant.length - shown.length)} not shown`;
  if (!shown.length) return `${text}.`;
  const say = (row) =>
    `${labels.map((label) => cellText(row, label.kind, label.keys)).join(", ")} ${numberText(row[value], kind)}`;
  const highest = shown.reduce((best, row) => (row[value] > best[value] ? row : best));
  const lowest = shown.reduce((best, row) => (row[value] < best[value] ? row : best));
  return `${text}. Highest: ${say(highest)}. Lowest: ${say(lowest)}.`;
}
