/* The page as a whole: one selection drives every figure and table, and is kept in the address. */
const root = document.documentElement;
const controls = document.getElementById("controls");

function readAddress() {
  const sent = location.hash.slice(1);
  const hash = sent.includes("=") ? sent : decodeURIComponent(sent);
  const found = Object.fromEntries(new URLSearchParams(hash.includes("=") ? hash : `at=${hash}`));
  const next = { ...page.default };
  for (const [name, options] of Object.entries(page.options)) {
    if (options.includes(found[name])) next[name] = found[name];
  }
  return [next, found.at ?? ""];
}

function writeAddress(next, at) {
  const changed = Object.entries(next).filter(([name, value]) => value !== page.default[name]);
  const hash = new URLSearchParams(at ? [...changed, ["at", at]] : changed).toString();
  if (location.hash.slice(1) === hash) show();
  else location.hash = hash;
}

/* What is read now comes first; a newer selection takes the place of one that is still being drawn. */
async function drawAll(turn) {
  const away = (chart) => {
    const { top, bottom } = document.getElementById(`chart-${chart.id}`).getBoundingClientRect();
    return bottom < 0 ? -bottom : Math.max(top - innerHeight, 0);
  };
  const places = new Map(charts.map((chart) => [chart, away(chart)]));
  for (const chart of [...charts].sort((one, two) => places.get(one) - places.get(two))) {
    if (turn !== lastTurn) return;
    const rows = chosenRows(chart, view);
    await drawFigure(chart, rows);
    await fitWidth(document.getElementById(`plot-${chart.id}`));
    fillTable(chart, rows);
    if (chart.at_risk) fillAtRisk(chart, rows);
    await new Promise((resume) => setTimeout(resume)); // the first figures show while the others are drawn
  }
  root.classList.add("whole");
  if (turn !== lastTurn) return; // drawn for a selection that is not the latest
  root.dataset.drawn = JSON.stringify(view);
  sayView();
}

/* Who does not see the page change hears of it. */
const hear = (text) => { document.getElementById("heard").textContent = text; };
let heard = "";

function sayView() {
  const chosen = [...(controls?.querySelectorAll("select") ?? [])].filter((select) => view[select.name] !== page.default[select.name]);
  const words = chosen.map((select) => `${select.previousElementSibling.textContent} ${select.selectedOptions[0].text}`);
  const text = `Figures and tables show: ${words.join("; ") || "what the page opens with"}.`;
  if (heard && heard !== text) hear(text);
  heard = text;
}

/* Plotly keeps the width that a figure had on paper. */
async function fitWidth(place) {
  const shown = place?.querySelector(".main-svg");
  if (canDraw && shown && place.clientWidth && Math.abs(shown.clientWidth - place.clientWidth) > 1) await Plotly.Plots.resize(place);
}

let drawing = Promise.resolve();
let lastTurn = 0;

function redraw() {
  delete root.dataset.drawn;
  lastTurn += 1;
  const turn = lastTurn;
  drawing = drawing.then(() => drawAll(turn));
}

function show() {
  const [next, at] = readAddress();
  const isChanged = JSON.stringify(next) !== JSON.stringify(view) || !root.dataset.drawn;
  view = next;
  for (const select of controls?.querySelectorAll("select") ?? []) select.value = view[select.name];
  document.getElementById("reset")?.toggleAttribute("disabled", JSON.stringify(view) === JSON.stringify(page.default));
  if (isChanged) redraw();
  const target = at && document.getElementById(at);
  if (target) {
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  }
}

function followControls() {
  const wide = matchMedia("(min-width: 40.01rem)");
  const unfold = () => document.getElementById("selectors")?.toggleAttribute("open", wide.matches);
  wide.addEventListener("change", unfold);
  unfold();
  for (const select of controls?.querySelectorAll("select") ?? []) {
    page.options[select.name].forEach((option, place) => { select.options[place].value = option; });
  }
  controls?.addEventListener("change", (event) => writeAddress({ ...view, [event.target.name]: event.target.value }, ""));
  document.getElementById("reset")?.addEventListener("click", () => writeAddress({ ...page.default }, ""));
  window.addEventListener("hashchange", show);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link) {
      event.preventDefault();
      const sent = link.getAttribute("href").slice(1);
      if (!sent.includes("=")) writeAddress(view, sent);
      else if (location.hash.slice(1) === sent) show();
      else location.hash = sent;
      return;
    }
    const button = event.target.closest("button[data-save]");
    if (!button) return;
    if (button.dataset.save === "csv") saveTable(button.dataset.of);
    else saveFigure(button.dataset.of, button.dataset.save);
  });
}

function followTheme() {
  const button = document.getElementById("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const say = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Use ${isDark() ? "light" : "dark"} colours`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    say();
    redraw();
  });
  prefersDark.addEventListener("change", () => { say(); redraw(); });
  say();
}

function followTables() {
  for (const table of document.querySelectorAll("table.data")) {
    makeSortable(table);
    const field = table.closest(".table-holder")?.querySelector("input[type=search]");
    field?.addEventListener("input", () => {
      applySearch(table);
      const rows = [...table.tBodies[0].rows];
      hear(`${count(rows.filter((row) => !row.hidden).length)} of ${count(rows.length)} rows.`);
    });
  }
  for (const fold of document.querySelectorAll("details.twin")) fold.open = !canDraw;
}

/* Printed: every fold open, light colours, figures as wide as the paper and never higher than a page of it. */
const PAPER = { width: 700, height: 800, shrinking: 0.72 };

function drawOnPaper(chart) {
  const place = document.getElementById(`plot-${chart.id}`);
  const rows = chosenRows(chart, view);
  if (!hasNumber(chart, rows)) return;
  const width = Math.max(PAPER.width / PAPER.shrinking, chart.min_width);
  const { data, layout } = figureOf(chart, rows, view, width);
  const shrinking = Math.min(PAPER.width / width, PAPER.height / layout.height);
  place.style.setProperty("--shrinking", shrinking);
  Plotly.react(place, data, { ...layout, width: Math.floor(PAPER.width / shrinking), autosize: false }, CONFIG);
}

function followPrinter() {
  let before = null;
  window.addEventListener("beforeprint", () => {
    const folds = [...document.querySelectorAll("details")].map((fold) => [fold, fold.open]);
    before = { folds, theme: root.dataset.theme };
    for (const [fold] of folds) fold.open = true;
    root.dataset.theme = "light";
    root.classList.add("printed");
    if (canDraw) charts.forEach(drawOnPaper);
  });
  window.addEventListener("afterprint", () => {
    if (!before) return;
    for (const [fold, isOpen] of before.folds) fold.open = isOpen;
    if (before.theme) root.dataset.theme = before.theme;
    else delete root.dataset.theme;
    root.classList.remove("printed");
    redraw();
  });
}

function followReading() {
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.getAttribute("href").slice(1), link]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const section of document.querySelectorAll("main > section[id]")) watcher.observe(section);
}

root.classList.add("scripted");
[view] = readAddress();
followTheme();
followTables();
followControls();
followPrinter();
followReading();
followLegendKeys();
show();
