/* How a number, a mark and a name are written: the same rules as reports/wording.py. */
"use strict";

/* All scripts of the page run inside one async function, after its data have been unpacked. */
async function unpack(text) {
  const bytes = Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

const page = await unpack(document.getElementById("page-data").textContent);
let view = { ...page.default };
const NBSP = "\u00a0";
const DASH = "\u2013";
const MINUS = "\u2212";

const isNumber = (cell) => typeof cell === "number";

const commas = (digits) => digits.replace(/\B(?=(\d{3})+(?!\d))/g, ",");

function decimal(value, keepZero) {
  const [whole, part] = value.toFixed(1).split(".");
  return part === "0" && !keepZero ? commas(whole) : `${commas(whole)}.${part}`;
}

function ratio(value) {
  const [whole, part] = Math.abs(value).toFixed(2).split(".");
  return `${value < 0 ? MINUS : ""}${commas(whole)}.${part}`;
}

const count = (value) => commas(String(Math.round(value)));

/* A number of cells in a volume of blood, in the unit that is selected; the released number is per microlitre. */
const isGiga = (view) => view.unit === "giga";
function giga(value) {
  const [whole, part] = (value / 1000).toFixed(3).split(".");
  return `${commas(whole)}.${part.replace(/0{1,2}$/, "")}`;
}
const cells = (value) => (isGiga(view) ? giga(value) : count(value));
const unitText = (text) => text.replaceAll("{cells}", page.names.unit[view.unit] ?? "");
function percent(fraction) {
  if (fraction > 0 && decimal(fraction * 100, true) === "0.0") return `<0.1${NBSP}%`;
  return `${decimal(fraction * 100, fraction !== 0)}${NBSP}%`;
}

/* Characters that change the direction of text become visible. */
const plain = (text) => String(text).replace(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}]/gu, "\ufffd");
const markWords = (mark) => page.names.marks[mark] ?? String(mark).replaceAll("_", " ");

function nameOf(kind, cell) {
  if (cell === null || cell === undefined) return "";
  const word = String(cell);
  const names = page.names[kind] ?? {};
  if (Object.hasOwn(names, word)) return names[word];
  return Object.hasOwn(page.names.marks, word) ? markWords(word) : plain(word).replaceAll("_", " ");
}

function numberText(cell, kind) {
  if (!isNumber(cell)) return cell === null || cell === undefined ? "" : markWords(cell);
  if (kind === "percent") return percent(cell);
  if (kind === "ratio") return ratio(cell);
  if (kind === "cells") return cells(cell);
  return kind === "count" ? count(cell) : decimal(cell, false);
}

function rangeText(lo, hi, kind) {
  for (const cell of [lo, hi]) {
    if (!isNumber(cell)) return cell === null || cell === undefined ? "" : markWords(cell);
  }
  if (kind === "ratio_range") return `${ratio(lo)}${DASH}${ratio(hi)}`;
  if (kind === "days_range") return `${decimal(lo, false)}${DASH}${decimal(hi, false)}`;
  return `${decimal(lo * 100, true)}${DASH}${decimal(hi * 100, true)}${NBSP}%`;
}

function binText(lower, upper) {
  if (upper === null || upper === undefined) return `${cells(lower)} or more`;
  return isGiga(view) ? `${giga(lower)} to <${giga(upper)}` : `${count(lower)}${DASH}${count(upper - 1)}`;
}

function stepText(first, last) {
  const [from, until] = [first, last].map((day) => (day < 0 ? `${MINUS}${-day}` : String(day)));
  return first === last ? from : `${from} to ${until}`;
}

/* A number as an earlier report showed it has a sign. */
function cellText(row, kind, keys) {
  const text = plainCellText(row, kind, keys);
  return row.is_held && page.held.kinds.includes(kind) && isNumber(row[keys[0]]) ? `${text}${NBSP}${page.held.sign}` : text;
}

function plainCellText(row, kind, keys) {
  const cell = row[keys[0]];
  if (kind.startsWith("name:")) return nameOf(kind.slice(5), cell);
  if (kind === "text") return plain(cell ?? "");
  if (kind === "month") return String(cell ?? "").slice(0, 7);
  if (kind === "yes") return cell ? "yes" : "no";
  if (kind === "bin") return binText(cell, row[keys[1]]);
  if (kind === "step") return stepText(cell, row[keys[1]]);
  if (["range", "days_range", "ratio_range"].includes(kind)) return rangeText(cell, row[keys[1]], kind);
  return numberText(cell, kind);
}

/* Plotly reads a few tags inside its texts; foreign text must stay text. */
const figureText = (text) =>
  String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
