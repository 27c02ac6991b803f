/* The catalogue: any two nights side by side. Which two is kept in the address. */
"use strict";
const nights = new Map(JSON.parse(document.getElementById("nights").textContent).map((night) => [night.run_id, night]));
const form = document.getElementById("compare");
const place = document.getElementById("compared");
const DASH = "\u2013";
const ALIKE = { sources: "sources", channel: "disclosure channel", definitions_hash: "definitions", code_version: "code" };

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function moved(before, now) {
  if (typeof before?.value !== "number" || typeof now?.value !== "number") return DASH;
  const isShare = (now.kind ?? "") === "percent";
  const size = (now.value - before.value) * (isShare ? 100 : 1);
  if (size === 0) return "the same";
  const digits = now.kind === "count" ? 0 : 1;
  const text = Math.abs(size).toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, (place, _, offset, whole) => {
    const dot = whole.indexOf(".");
    return dot >= 0 && offset > dot ? "" : ",";
  });
  return `${text}${isShare ? " points" : ""} ${size > 0 ? "up" : "down"}`;
}

function lineOf(id, before, now) {
  const [one, two] = [before, now].map((night) => night.key_numbers.find((number) => number.id === id));
  const label = (number) => number && (number.title ?? number.label);
  const line = element("tr");
  const names = [label(one), label(two)].filter(Boolean);
  line.append(
    element("th", [...new Set(names)].join(" / "), { scope: "row" }),
    ...[one?.text ?? DASH, two?.text ?? DASH, moved(one, two)].map((text) => element("td", text, { class: "num" })),
  );
  return line;
}

function compare() {
  const [before, now] = ["before", "now"].map((name) => nights.get(form.elements[name].value));
  const differ = Object.entries(ALIKE).filter(([key]) => JSON.stringify(before[key]) !== JSON.stringify(now[key]));
  const words = differ.map(([, name]) => name);
  const said = words.length
    ? `These two nights differ in their ${words.join(" and their ")}, so a change of a number may come from that.`
    : "Both nights have the same sources, channel, definitions and code: what changed is the data.";
  const table = element("table", undefined, { class: "runs" });
  const head = element("tr");
  const headings = ["Key number", before.date, now.date, "Change"];
  head.append(...headings.map((text, column) => element("th", text, { scope: "col", class: column ? "num" : "" })));
  const body = element("tbody");
  const ids = new Set([...before.key_numbers, ...now.key_numbers].map((number) => number.id));
  body.append(...[...ids].map((id) => lineOf(id, before, now)));
  const top = element("thead");
  top.append(head);
  table.append(top, body);
  const holder = element("div", undefined, { class: "scroll", tabindex: "0", role: "region", "aria-label": "Two nights compared" });
  holder.append(table);
  place.replaceChildren(element("p", said, { class: "small" }), holder);
}

function readAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const name of ["before", "now"]) if (nights.has(wanted.get(name))) form.elements[name].value = wanted.get(name);
  compare();
}

form.addEventListener("change", () => {
  location.hash = new URLSearchParams(["before", "now"].map((name) => [name, form.elements[name].value])).toString();
});
window.addEventListener("hashchange", readAddress);
document.documentElement.classList.add("scripted");
readAddress();
