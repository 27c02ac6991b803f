/* What leaves the page as a file says by itself of whom it is: title, caption or selection, run and definitions. */
const chartOf = (id) => charts.find((chart) => chart.id === id);
const fileName = (chart) =>
  [page.run_id, chart.id, ...chart.follows.map((name) => view[name])].join("-").replace(/[^\w.-]+/g, "_");

/* A comma between thousands is a decimal sign to half of the world's spreadsheets, a true minus sign to none. */
function csvText(cell) {
  const text = cell.textContent.trim();
  return cell.matches(".num") ? text.replace(/(?<=\d),(?=\d{3})/g, "").replaceAll(MINUS, "-") : text;
}

function csvCell(text) {
  const isFormula = /^[=+\-@\t\r\n]/.test(text) && !/^-\d[\d.]*$/.test(text);
  return `"${(isFormula ? `'${text}` : text).replaceAll('"', '""')}"`;
}

function saveTable(id) {
  const chart = chartOf(id);
  const selected = chart.follows.map((name) => DIMENSIONS[name]);
  const lines = [...document.getElementById(`table-${id}`).rows].filter((row) => !row.hidden).map((row, place) => [
    ...[...row.cells].map(csvText),
    ...(place ? selected.map((column) => plain(row.released[column] ?? "")) : selected),
    ...(place ? [page.run_id, page.definitions_hash] : ["run_id", "definitions_hash"]),
  ]);
  const text = lines.map((cells) => cells.map(csvCell).join(",")).join("\r\n");
  const link = element("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", text, "\r\n"], { type: "text/csv" }));
  link.download = `${fileName(chart)}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

const SAVED = { width: 900, letter: 6.4, line: 17, white: "#ffffff" }; // pixels, but for the colour

/* Over the figure stands what the page says of it. */
function headOf(chart, width) {
  const unshown = document.querySelector(`#chart-${chart.id} .unshown`);
  const said = [captionText(chart, view), unshown.hidden ? "" : unshown.textContent, `nadir, run ${page.run_id}, definitions ${page.definitions_hash}`];
  const lines = said.filter(Boolean).flatMap((text) => linesOf(text, Math.floor(width / SAVED.letter)));
  return [`<b>${figureText(chart.title)}</b>`, ...lines.map(figureText)];
}

/* In light colours on white, whatever the page has; as on the page are curves that are switched off, and the part looked at. */
function figureToSave(chart, place, width) {
  const theme = root.dataset.theme;
  root.dataset.theme = "light";
  const { data, layout } = figureOf(chart, chosenRows(chart, view), view, width);
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  data.forEach((trace, index) => { trace.visible = place.data[index]?.visible ?? true; });
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    if (place.layout[name]?.autorange === false) layout[name].range = place.layout[name].range;
  }
  const head = headOf(chart, width);
  const room = (head.length + 1) * SAVED.line;
  layout.height += room;
  layout.margin.t = place._fullLayout._size.t + room;
  layout.paper_bgcolor = SAVED.white;
  layout.title = { text: head.join("<br>"), x: 0, xref: "container", xanchor: "left", y: 1 - SAVED.line / layout.height, yref: "container", yanchor: "top", pad: { l: 12 }, font: { size: 12 } };
  return { data, layout };
}

function saveFigure(id, format) {
  const chart = chartOf(id);
  const place = document.getElementById(`plot-${id}`);
  const width = Math.max(place.clientWidth, SAVED.width);
  const figure = figureToSave(chart, place, width);
  Plotly.downloadImage(figure, { format, filename: fileName(chart), scale: format === "png" ? 2 : 1, width, height: figure.layout.height });
}
