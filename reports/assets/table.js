/* Tables: the twin of every figure, episodes at risk under a curve, sorting, searching. */
const NUMERIC = ["count", "percent", "days", "range", "days_range", "ratio", "ratio_range", "step", "cells"];
const isNumericKind = (kind) => NUMERIC.includes(kind);

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function fillTable(chart, rows) {
  const body = document.querySelector(`#table-${chart.id} tbody`);
  const headings = body.closest("table").tHead.rows[0].cells;
  chart.columns.forEach((column, place) => {
    if (column.heading.includes("{")) (headings[place].firstElementChild ?? headings[place]).textContent = unitText(column.heading);
  });
  body.replaceChildren(...rows.map((row) => {
    const line = element("tr");
    line.released = row;
    chart.columns.forEach((column, place) => {
      const cell = element(place ? "td" : "th", cellText(row, column.kind, column.keys));
      if (!place) cell.scope = "row";
      if (isNumericKind(column.kind)) cell.className = "num";
      if (isNumber(row[column.keys[0]])) cell.dataset.value = row[column.keys[0]];
      line.append(cell);
    });
    return line;
  }));
  const table = body.closest("table");
  applySort(table);
  applySearch(table);
}

const AT_RISK_COLUMNS = 9;
const STEPS = [1, 2, 5, 7, 10, 15, 20, 30, 60];

/* The days at which a count is shown, if they are few; else even steps. */
function atRiskDays(rows) {
  const told = new Set(rows.filter((row) => isNumber(row.n_at_risk)).map((row) => row.day));
  if (told.size && told.size <= AT_RISK_COLUMNS + 3) return [...told].sort((one, two) => one - two);
  const last = Math.max(0, ...rows.map((row) => row.day));
  const step = STEPS.find((days) => last / days <= AT_RISK_COLUMNS) ?? Math.ceil(last / AT_RISK_COLUMNS);
  return Array.from({ length: Math.floor(last / step) + 1 }, (_, place) => place * step);
}

/* The count of the last row up to the day; where it is hidden, the last one shown since the column before. */
function atRiskText(curve, day, before) {
  if (day > curve.at(-1).day) return DASH;
  const last = curve.findLast((row) => row.day <= day);
  if (isNumber(last.n_at_risk)) return numberText(last.n_at_risk, "count");
  const shown = curve.findLast((row) => row.day > before && row.day <= day && isNumber(row.n_at_risk));
  return shown ? `${numberText(shown.n_at_risk, "count")} (day${NBSP}${shown.day})` : markWords("hidden");
}

function fillAtRisk(chart, rows) {
  const table = document.getElementById(`at-risk-${chart.id}`);
  const plot = document.getElementById(`plot-${chart.id}`);
  const seen = (plot.data ?? []).filter((trace) => trace.visible !== "legendonly").map((trace) => trace.meta);
  const days = atRiskDays(rows);
  const head = element("tr");
  head.append(element("th", "Day"), ...days.map((day) => element("th", count(day), "num")));
  table.tHead.replaceChildren(head);
  const [column, kind] = chart.traces.find((trace) => trace.split).split;
  const counted = rows.filter((row) => row.n_at_risk !== "not_applicable");
  const curves = [...new Set(counted.map((row) => row[column]))].filter((value) => seen.includes(value))
    .sort((one, two) => seen.indexOf(one) - seen.indexOf(two));
  table.tBodies[0].replaceChildren(...curves.map((value) => {
    const curve = counted.filter((row) => row[column] === value);
    const line = element("tr");
    const name = element("th", nameOf(kind, value));
    name.scope = "row";
    line.append(name, ...days.map((day, place) => element("td", atRiskText(curve, day, days[place - 1] ?? -1), "num")));
    return line;
  }));
  table.closest(".at-risk").hidden = curves.length === 0;
}

function cellValue(row, place) {
  const cell = row.cells[place];
  return cell.dataset.value === undefined ? cell.textContent.toLowerCase() : Number(cell.dataset.value);
}

function applySort(table) {
  const heading = table.querySelector("th[aria-sort]");
  if (!heading) return;
  const sign = heading.getAttribute("aria-sort") === "descending" ? -1 : 1;
  const rows = [...table.tBodies[0].rows].map((row) => [cellValue(row, heading.cellIndex), row]);
  rows.sort(([one], [two]) => {
    if (typeof one !== typeof two) return typeof one === "number" ? -1 : 1;
    return one === two ? 0 : (one < two ? -sign : sign);
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function applySearch(table) {
  const field = table.closest(".table-holder")?.querySelector("input[type=search]");
  if (!field) return;
  const wanted = field.value.trim().toLowerCase();
  for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
}

function makeSortable(table) {
  for (const heading of table.tHead.rows[0]?.cells ?? []) {
    const button = element("button", heading.textContent, "sort");
    button.type = "button";
    button.addEventListener("click", () => {
      const isUp = heading.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", isUp ? "descending" : "ascending");
      applySort(table);
    });
    heading.replaceChildren(button);
  }
}
