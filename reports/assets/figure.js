/* A chart and its rows become a Plotly figure: columns are bound to attributes, colours follow the theme. */
const CONFIG = {
  displaylogo: false,
  responsive: true,
  showSendToCloud: false,
  plotlyServerURL: "",
  showTips: false,
  doubleClick: "reset",
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
};
const NARROW = 560;
const NARROW_TICKS = 4;

const colourOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function setAt(target, path, value) {
  const steps = path.split(".");
  const last = steps.pop();
  let here = target;
  for (const step of steps) here = here[step] ??= {};
  here[last] = value;
}

const cellScale = () => (isGiga(view) ? 0.001 : 1);
/* Black is ink: it follows the theme. */
const withUnit = (figure) => JSON.parse(unitText(JSON.stringify(figure)).replaceAll('"black"', `"${colourOf("--ink")}"`));
const scaled = (row, name, scale) => (isNumber(row[name]) ? row[name] * scale : null);

function difference(row, bind, scale) {
  const [from, minus] = [row[bind.col], row[bind.minus]];
  return isNumber(from) && isNumber(minus) ? (from - minus) * scale : null;
}

function styleOf(kind, value, part) {
  return page.styles[kind]?.[value]?.[part] ?? "#8A8F98";
}

const NARROW_LINE = 15;
const NARROW_WRAP = 20; // of names that are broken at any width
const WIDE_LINE = 48;
const LONG_WORD = 24;
const MOST_LINES = { short: 5, long: 3 }; // of a name; the whole one stands in the table and where the pointer is

/* Words that no line can hold are broken anywhere. */
function linesOf(text, letters) {
  const lines = [""];
  const longest = Math.max(letters, LONG_WORD);
  for (const word of text.split(" ").flatMap((whole) => whole.match(new RegExp(`.{1,${longest}}`, "gsu")) ?? [""])) {
    const line = lines.at(-1);
    if (line && line.length + word.length > letters) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}

/* As few lines as fit, and those about equally long: no word is left alone in the last one. */
function wrapped(text, width, wrap, most) {
  const isNarrow = width < NARROW;
  const letters = wrap ? Math.min(wrap, isNarrow ? NARROW_WRAP : wrap) : isNarrow ? NARROW_LINE : WIDE_LINE;
  const widest = linesOf(text, letters);
  if (widest.length > most) return cutShort(text, widest.slice(0, most));
  const even = linesOf(text, Math.ceil(text.length / widest.length));
  return (even.length > widest.length ? widest : even).map(figureText).join("<br>");
}

/* Two names that begin alike are still two: each has its own number of letters without a width behind it. */
const cutNames = new Map();

function cutShort(text, lines) {
  if (!cutNames.has(text)) cutNames.set(text, cutNames.size);
  return `${lines.map(figureText).join("<br>")}\u2026${"\u200b".repeat(cutNames.get(text))}`;
}

function label(chart, row, kind, keys, view, width) {
  const wrap = chart.categories.find((axis) => axis.kind === kind)?.wrap;
  const text = wrapped(cellText(row, kind, keys), width, wrap, kind.startsWith("name:") ? MOST_LINES[wrap || width < NARROW ? "short" : "long"] : Infinity);
  const isChosen = kind === "name:cohort" && row.cohort === view.cohort && !chart.follows.includes("cohort");
  return isChosen ? `<b>${text}</b>` : text;
}

function bound(bind, row, draw) {
  const scale = bind.unit === "cells" ? cellScale() : (bind.scale ?? 1);
  if ("const" in bind) return bind.const;
  if ("name" in bind) return label(draw.chart, row, `name:${bind.name}`, [bind.col], draw.view, draw.width);
  if ("or" in bind && !isNumber(row[bind.col])) return scaled(row, bind.or, scale);
  if ("beyond" in bind) return Math.max(...[bind.col, bind.beyond].map((name) => scaled(row, name, scale)));
  if ("minus" in bind) return difference(row, bind, scale);
  if ("mark" in bind) return ` ${figureText(numberText(row[bind.mark], "count"))}`;
  if ("short_mark" in bind) return figureText(numberText(row[bind.short_mark], "count"));
  if ("beside" in bind) return `  ${figureText(cellText(row, bind.beside[0], bind.beside.slice(1)))}`;
  if ("when" in bind) return row[bind.when] ? bind.yes : bind.no;
  if ("style" in bind) return styleOf(bind.style, row[bind.col], bind.part) + (bind.suffix ?? "");
  if ("cells" in bind) return bind.cells.map(([kind, ...keys]) => figureText(cellText(row, kind, keys)));
  if ("cell" in bind) return label(draw.chart, row, bind.cell[0], bind.cell.slice(1), draw.view, draw.width);
  const cell = row[bind.col];
  if (typeof cell === "string") return Object.hasOwn(page.names.marks, cell) ? null : cell;
  return scaled(row, bind.col, scale);
}

function drawnBy(trace, row) {
  if (Object.entries(trace.where).some(([column, value]) => row[column] !== value)) return false;
  if (trace.above && !(row[trace.above[0]] > trace.above[1])) return false;
  if (trace.needs) return isNumber(row[trace.needs]);
  return !trace.lacks || !isNumber(row[trace.lacks]);
}

function oneTrace(trace, rows, draw, value) {
  const drawn = withUnit(trace.figure);
  if (drawn.mode?.includes("markers")) drawn.cliponaxis = false; // a point on the axis is as whole as any
  const isBreak = (row) => trace.breaks && !isNumber(row[trace.needs]);
  for (const [path, bind] of Object.entries(trace.bind)) setAt(drawn, path, rows.map((row) => (isBreak(row) ? null : bound(bind, row, draw))));
  if (drawn.mode === "text") setAt(drawn, "textfont.color", colourOf(trace.lacks ? "--quiet" : "--ink"));
  if (value === undefined) return drawn;
  const kind = trace.split[1];
  const colour = styleOf(kind, value, "colour");
  drawn.name = figureText(nameOf(kind, value));
  drawn.meta = value;
  if (drawn.type === "bar") {
    setAt(drawn, "marker.color", colour);
    setAt(drawn, "marker.pattern", { shape: page.styles[kind]?.[value]?.pattern ?? "", fillmode: "overlay", size: 7 });
  } else {
    setAt(drawn, "line.color", colour);
    setAt(drawn, "line.dash", styleOf(kind, value, "dash"));
    if (value === "all") Object.assign(drawn.line, { color: colourOf("--ink"), width: 3.2, dash: "solid" });
    if (drawn.marker) Object.assign(drawn.marker, { color: drawn.line.color, symbol: page.styles[kind]?.[value]?.symbol ?? "circle" });
  }
  return drawn;
}

/* One word a category, and none where a number of the category is shown. */
function wordsFor(trace, rows, draw) {
  const spots = Object.entries(trace.bind).filter(([path, bind]) => (path === "x" || path === "y") && !("const" in bind));
  const spotOf = (row) => spots.map(([, bind]) => bound(bind, row, draw)).join("\n");
  const shown = new Set(rows.filter((row) => drawnBy({ ...trace, lacks: "", needs: trace.lacks }, row)).map(spotOf));
  return rows.filter((row) => drawnBy(trace, row) && !shown.has(spotOf(row)) && shown.add(spotOf(row)));
}

function tracesOf(trace, rows, draw) {
  const drawn = trace.lacks && trace.figure.mode === "text" ? wordsFor(trace, rows, draw) : rows.filter((row) => drawnBy(trace, row));
  if (!trace.split) return drawn.length ? [oneTrace(trace, drawn, draw)] : [];
  const order = Object.keys(page.styles[trace.split[1]] ?? {});
  const rank = (value) => (order.includes(value) ? order.indexOf(value) : order.length);
  const values = [...new Set(drawn.map((row) => row[trace.split[0]]))].sort((one, two) => rank(one) - rank(two));
  const kept = trace.breaks ? rows.filter((row) => drawnBy({ ...trace, needs: "" }, row)) : drawn;
  return values.map((value) => oneTrace(trace, kept.filter((row) => row[trace.split[0]] === value), draw, value));
}

function categoryRank(axis, row) {
  const cell = row[axis.keys[0]];
  if (axis.by === "number") return -cell;
  const known = Object.keys(page.names[axis.kind.slice("name:".length)] ?? {});
  return known.includes(cell) ? known.indexOf(cell) : known.length;
}

function categoriesOf(chart, rows, axis, view, width) {
  const ranks = new Map(axis.by === "rows" ? [] : rows.map((row) => [row, categoryRank(axis, row)]));
  const sorted = ranks.size ? [...rows].sort((one, two) => ranks.get(one) - ranks.get(two)) : rows;
  const found = [...new Set(sorted.map((row) => label(chart, row, axis.kind, axis.keys, view, width)))];
  return axis.reverse ? found.reverse() : found;
}

/* Cohorts of which a figure would show nothing but a word: they are named below it. */
function unshownOf(chart, rows) {
  const axis = chart.categories[0];
  if (axis?.kind !== "name:cohort" || axis.axis !== "yaxis") return [];
  const drawing = chart.traces.filter((trace) => trace.figure.mode !== "text");
  const shown = new Set(rows.filter((row) => drawing.some((trace) => drawnBy(trace, row))).map((row) => row.cohort));
  return rows.filter((row) => !shown.has(row.cohort));
}

function withoutUnshown(chart, rows) {
  const unshown = new Set(unshownOf(chart, rows));
  return rows.filter((row) => !unshown.has(row));
}

function sayUnshown(chart, rows) {
  const names = new Map();
  const isMeant = (row) => !chart.alt.above || row[chart.alt.above[0]] > chart.alt.above[1];
  for (const row of unshownOf(chart, rows).filter(isMeant)) {
    const word = numberText(row[chart.alt.value], chart.alt.kind);
    if (![...names.values()].some((cohorts) => cohorts.has(row.cohort))) {
      names.set(word, (names.get(word) ?? new Map()).set(row.cohort, nameOf("cohort", row.cohort)));
    }
  }
  return [...names].map(([word, cohorts]) => `${[...cohorts.values()].join(", ")} (${word})`).join("; ");
}

const LABEL_HEIGHT = 14;
const TOOLS_HEIGHT = 28; // of the tools above a figure, which would lie on its first row
const CLOSE = 800; // pixels of a figure in which labels of neighbouring bins would touch

function thresholdLines(chart, rows, view, layout, width) {
  const lowers = [...new Set(rows.map((row) => row[chart.threshold_lines]))];
  for (const threshold of page.options.threshold) {
    const place = lowers.findIndex((lower) => lower >= Number(threshold));
    if (place < 0) continue;
    const isChosen = threshold === view.threshold;
    const line = { color: colourOf(isChosen ? "--accent" : "--quiet"), width: isChosen ? 2.5 : 1.2, dash: "dash" };
    layout.shapes.push({ type: "line", xref: "x", yref: "paper", x0: place - 0.5, x1: place - 0.5, y0: 0, y1: 1, line });
    layout.annotations.push({
      x: place - 0.5, xref: "x", y: 1, yref: "paper", yanchor: "bottom", showarrow: false, yshift: width < CLOSE ? LABEL_HEIGHT * (layout.annotations.length % 2) : 0,
      text: isChosen ? `<b>${cells(Number(threshold))}</b>` : cells(Number(threshold)),
    });
  }
}

/* Where counts are on the vertical axis, a threshold is a line across. */
function levelLines(chart, rows, view, layout) {
  const columns = chart.traces.map((trace) => trace.bind.y?.col).filter(Boolean);
  const highest = Math.max(...rows.flatMap((row) => columns.map((column) => row[column]).filter(isNumber)), 1);
  const pixels = (layout.height - 2 * layout.margin.b) / (highest * cellScale());
  const written = [];
  const thresholds = [...page.options.threshold].sort((one, two) => (two === view.threshold) - (one === view.threshold));
  for (const threshold of thresholds) {
    const isChosen = threshold === view.threshold;
    const line = { color: colourOf(isChosen ? "--accent" : "--quiet"), width: isChosen ? 2 : 1, dash: "dash" };
    const y = Number(threshold) * cellScale();
    const hasRoom = written.every((other) => Math.abs(other - y) * pixels > LABEL_HEIGHT);
    const text = cells(Number(threshold));
    layout.shapes.push({ type: "line", xref: "paper", yref: "y", x0: 0, x1: 1, y0: y, y1: y, line });
    if (!hasRoom) continue;
    written.push(y);
    layout.annotations.push({
      x: 1, xref: "paper", xanchor: "left", y, yref: "y", showarrow: false, text: isChosen ? `<b>${text}</b>` : text,
    });
  }
}

function themed(layout, width) {
  const [ink, line] = [colourOf("--ink"), colourOf("--line")];
  Object.assign(layout, {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif", size: width < NARROW ? 11 : 13, color: ink },
    margin: { l: 12, r: width < NARROW ? 56 : 72, t: 36, b: 44, ...layout.margin },
    dragmode: false,
    hoverlabel: { bgcolor: colourOf("--raised"), bordercolor: line, font: { color: ink }, align: "left" },
    legend: { orientation: "h", x: 0, y: 1, yanchor: "bottom", traceorder: "normal" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colourOf("--quiet"), activecolor: colourOf("--accent") },
    shapes: [], annotations: [],
  });
  for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
    const numbers = { exponentformat: "none", separatethousands: true };
    const axis = { automargin: true, gridcolor: line, zerolinecolor: line, linecolor: line, ...numbers, ...layout[name] };
    if (axis.type === "category") Object.assign(axis, { ticklabelstandoff: 6, griddash: "dot", showgrid: name.startsWith("y") && axis.showgrid !== false });
    if (axis.type !== "category" && axis.type !== "date" && name.startsWith("x") && width < NARROW) axis.nticks ??= NARROW_TICKS;
    if (axis.title) axis.title = { ...axis.title, font: { size: layout.font.size, color: colourOf("--quiet") }, standoff: 10 };
    layout[name] = axis;
  }
  return layout;
}

/* The strip for what is not shown takes no room where everything is. */
function withoutEmptyStrip(layout, data) {
  if (!layout.yaxis2 || data.some((trace) => trace.yaxis === "y2")) return;
  delete layout.yaxis2;
  layout.yaxis.domain = [0, 1];
  layout.xaxis.anchor = "y";
}

/* Factors of ten show nothing that is 0, and no word stands at 0. */
function withoutLogOfZero(layout, data) {
  if (layout.xaxis.type !== "log") return;
  const lowest = data.flatMap((trace) => trace.x.map((x, place) => x - (trace.error_x?.arrayminus?.[place] ?? 0)));
  if (!lowest.some((x) => isNumber(x) && x <= 0)) return;
  layout.xaxis.type = "linear";
  delete layout.xaxis.dtick; // of factors: a line with it has thousands of ticks
}

/* Where all counts are 0 an axis has no 1 that is written three times. */
function withoutPartsOfOne(layout, data) {
  for (const axis of ["x", "y"]) {
    const own = layout[`${axis}axis`];
    if (own.tickformat === ",d" && !data.some((trace) => trace[axis].some((cell) => isNumber(cell) && cell > 0))) Object.assign(own, { range: [0, 1], dtick: 1 });
  }
}

/* Calendar time: where another source, or other definitions, may break a trend; the letters are told below. One in a
   month after the last would make room for nothing. */
function breakLines(layout, data) {
  const line = { color: colourOf("--quiet"), width: 1.2, dash: "dot" };
  const months = data.flatMap((trace) => trace.x).filter((on) => typeof on === "string").map((on) => on.slice(0, 7)).sort();
  const isInside = ({ on }) => months[0] <= on.slice(0, 7) && on.slice(0, 7) <= months.at(-1);
  for (const { on, letter } of page.breaks.filter(isInside)) {
    layout.shapes.push({ type: "line", xref: "x", yref: "paper", x0: on, x1: on, y0: 0, y1: 1, line });
    layout.annotations.push({
      x: on, xref: "x", xanchor: "left", y: 1, yref: "paper", yanchor: "top", showarrow: false, text: `<b>${letter}</b>`,
    });
  }
}

function figureOf(chart, allRows, view, width) {
  const draw = { chart, view, width };
  let rows = allRows;
  if (chart.top) {
    const axis = chart.categories[0];
    rows = rows.filter((row) => isNumber(row[chart.alt.value]));
    const kept = new Set([...new Set(rows.map((row) => cellText(row, axis.kind, axis.keys)))].slice(0, chart.top));
    rows = rows.filter((row) => kept.has(cellText(row, axis.kind, axis.keys)));
  }
  const layout = themed(withUnit(chart.layout), width);
  rows = withoutUnshown(chart, rows);
  let height = chart.height;
  for (const axis of chart.categories) {
    const names = categoriesOf(chart, rows, axis, view, width);
    const before = layout[axis.axis].categoryarray ?? [];
    Object.assign(layout[axis.axis], { categoryorder: "array", categoryarray: [...before, ...names] });
    if (axis.axis === "yaxis") {
      const lines = Math.max(1, ...names.map((name) => name.split("<br>").length));
      height += names.length * Math.max(chart.row_height, (width < NARROW ? 15 : 17) * lines + 8);
    }
  }
  layout.height = height;
  if (chart.threshold_lines === "yaxis") levelLines(chart, rows, view, layout);
  else if (chart.threshold_lines) thresholdLines(chart, rows, view, layout, width);
  const data = chart.traces.flatMap((trace) => tracesOf(trace, rows, draw));
  layout.showlegend = data.some((trace) => trace.showlegend !== false && trace.name);
  if (!layout.showlegend) layout.margin.t = TOOLS_HEIGHT + (chart.threshold_lines && chart.threshold_lines !== "yaxis" && width < CLOSE ? LABEL_HEIGHT : 0);
  if (layout.xaxis.side === "top") layout.margin.b = 8;
  if (layout.xaxis.type === "date") breakLines(layout, data);
  withoutEmptyStrip(layout, data);
  withoutLogOfZero(layout, data);
  withoutPartsOfOne(layout, data);
  if (chart.reference !== null) {
    const line = { color: colourOf("--quiet"), width: 1.2, dash: "dash" };
    layout.shapes.push({ type: "line", xref: "x", yref: "paper", x0: chart.reference, x1: chart.reference, y0: 0, y1: 1, line });
  }
  return { data, layout };
}

const canDraw = typeof Plotly !== "undefined";
const WITHOUT_PLOTLY = "This figure needs the site's script folder beside this page. Its table is complete; " +
  "latest.html is one file with everything.";

const NO_ROWS = "Nothing to draw: no number was released for this selection.";
const ALL_HIDDEN = "Nothing to draw: every number of this selection is hidden or can't be estimated.";

const hasNumber = (chart, rows) => rows.some((row) =>
  isNumber(row[chart.alt.value]) && (!chart.alt.above || row[chart.alt.above[0]] > chart.alt.above[1]));

async function drawFigure(chart, rows) {
  const place = document.getElementById(`plot-${chart.id}`);
  const holder = place.closest("figure");
  holder.querySelector("figcaption").textContent = captionText(chart, view);
  place.setAttribute("aria-label", altText(chart, rows, view));
  if (!canDraw) {
    place.textContent = WITHOUT_PLOTLY;
    return;
  }
  const hasNumbers = hasNumber(chart, rows);
  const nothing = holder.querySelector(".nothing");
  nothing.textContent = rows.length ? ALL_HIDDEN : NO_ROWS;
  nothing.hidden = hasNumbers;
  place.hidden = !hasNumbers;
  const unshown = hasNumbers ? sayUnshown(chart, rows) : "";
  holder.querySelector(".unshown").textContent = unshown && `Not in the figure: ${unshown}.`;
  holder.querySelector(".unshown").hidden = !unshown;
  holder.closest("article").classList.toggle("undrawn", !hasNumbers);
  if (!hasNumbers) return;
  const seen = chart.row_height ? Math.min(place.clientWidth, holder.clientWidth) : place.clientWidth; // rows make room for lines
  const { data, layout } = figureOf(chart, rows, view, seen);
  await Plotly.react(place, data, layout, CONFIG);
  openToKeyboard(place);
  if (place.dataset.followed) return;
  place.dataset.followed = "yes";
  place.on("plotly_afterplot", () => openToKeyboard(place));
  if (chart.at_risk) place.on("plotly_restyle", () => fillAtRisk(chart, chosenRows(chart, view)));
}

/* Plotly draws its legend for a pointer only; here each entry is a switch that is reached and worked by keyboard. */
function openToKeyboard(place) {
  place.querySelector(".main-svg")?.setAttribute("aria-hidden", "true");
  for (const entry of place.querySelectorAll(".legend .traces")) {
    const toggle = entry.querySelector(".legendtoggle");
    const trace = place._fullData.find((one) => one.index === entry.__data__?.[0]?.trace?.index);
    if (!toggle || !trace || trace.showlegend === false) continue;
    const names = { role: "switch", tabindex: "0", "aria-checked": String(trace.visible !== "legendonly") };
    names["aria-label"] = `Show ${toggle.parentNode.textContent.trim()}`;
    for (const [name, value] of Object.entries(names)) toggle.setAttribute(name, value);
  }
}

function followLegendKeys() {
  document.addEventListener("keydown", (event) => {
    const toggle = event.target.closest?.(".legendtoggle");
    if (!toggle || ![" ", "Enter"].includes(event.key)) return;
    event.preventDefault();
    const place = toggle.closest(".plot");
    const { index } = toggle.closest(".traces").__data__[0].trace;
    const isShown = place._fullData[index].visible !== "legendonly";
    const order = [...place.querySelectorAll(".legendtoggle")].indexOf(toggle);
    Plotly.restyle(place, { visible: isShown ? "legendonly" : true }, [index]).then(() => {
      openToKeyboard(place);
      place.querySelectorAll(".legendtoggle")[order]?.focus();
    });
  });
}
