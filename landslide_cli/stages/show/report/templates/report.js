"use strict";
document.documentElement.classList.add("scripted");
const statusLine = document.getElementById("status");
const viewers = new Map();

// The outlines' colours, as in the style sheet.
const STYLES = {
  high: { color: "#bd0026" },
  medium: { color: "#fd8d3c" },
  low: { color: "#fed976", dashArray: "6 5" },
  "": { color: "#005ce6" },
};
const CHOSEN = { color: "#00e5ff", weight: 5, dashArray: null };

// Pixels of a scene have rows that count downwards; Leaflet's latitudes go up.
const place = ([x, y]) => L.latLng(-y, x);

function makeViewer(article) {
  const data = JSON.parse(article.querySelector("script.data").textContent);
  const holder = article.querySelector("[data-viewer]");
  const bounds = L.latLngBounds(place([0, data.height]), place([data.width, 0]));
  const metres = data.gsd || 1;
  const crs = L.extend({}, L.CRS.Simple, {
    distance: (a, b) => Math.hypot(a.lat - b.lat, a.lng - b.lng) * metres,
  });
  const map = L.map(holder.querySelector(".canvas"), {
    crs, attributionControl: false, zoomSnap: 0.25, zoomDelta: 0.5, minZoom: -12, maxZoom: 4,
    zoomAnimation: false, fadeAnimation: false, markerZoomAnimation: false,
  });
  const whole = () => map.fitBounds(bounds, { animate: false });
  whole();
  map.setMinZoom(map.getZoom() - 1);
  map.setMaxBounds(bounds.pad(0.5));
  L.imageOverlay(article.querySelector("image.photo").getAttribute("href"), bounds).addTo(map);

  // All that belongs to the map lies in one pane, which the divider cuts.
  const pane = map.createPane("mapped");
  pane.style.zIndex = 450;
  const classes = article.querySelector("image.classes").getAttribute("href");
  L.imageOverlay(classes, bounds, { pane: "mapped" }).addTo(map);
  const renderer = L.canvas({ pane: "mapped", padding: 0.2, tolerance: 3 });
  const outlines = new Map();
  for (const { id, confidence, title, parts } of data.outlines) {
    const rings = parts.map((part) => part.map((ring) => ring.map(place)));
    const style = { renderer, weight: 2, fillOpacity: 0.01, ...(STYLES[confidence] || STYLES[""]) };
    const outline = L.polygon(rings, style).bindTooltip(document.createTextNode(title).textContent);
    outline.on("click", () => choose(id));
    outline.plain = style;
    outline.addTo(map);
    outlines.set(id, outline);
  }

  const grid = map.createPane("grid");
  grid.style.zIndex = 440;
  grid.style.pointerEvents = "none";
  for (const [axis, label, ends] of data.grid) {
    const line = { pane: "grid", color: "#fff", opacity: 0.55, weight: 1, interactive: false };
    L.polyline(ends.map(place), line).addTo(map);
    const text = document.createElement("span");
    text.textContent = label;
    const anchor = axis === "x" ? [-3, 16] : [-4, 15];
    const icon = L.divIcon({ className: "grid-label", html: text, iconSize: null, iconAnchor: anchor });
    L.marker(place(ends[0]), { icon, interactive: false, keyboard: false, pane: "grid" }).addTo(map);
  }
  if (data.gsd) L.control.scale({ imperial: false, maxWidth: 160 }).addTo(map);

  const slider = holder.querySelector(".swipe");
  const divider = document.createElement("div");
  divider.className = "divider";
  holder.append(divider);
  const sides = holder.querySelectorAll(".side");
  const cut = () => {
    const size = map.getSize();
    const x = knob(slider, size.x);
    const [from, to] = [[x, 0], [size.x, size.y]].map((point) => map.containerPointToLayerPoint(point));
    pane.style.clip = `rect(${from.y}px, ${to.x}px, ${to.y}px, ${from.x}px)`;
    divider.style.left = `${x}px`;
    for (const side of sides) side.style.left = `${x}px`;
  };
  slider.addEventListener("input", cut);
  map.on("move zoom resize viewreset", cut);
  cut();
  new ResizeObserver(() => map.invalidateSize()).observe(holder);

  const readout = article.querySelector(".readout");
  const [a, b, c, d, e, f] = data.transform;
  const decimals = Math.max(0, Math.ceil(-Math.log10(Math.hypot(a, d))));
  map.on("mousemove", ({ latlng }) => {
    const [x, y] = [latlng.lng, -latlng.lat];
    const numbers = [a * x + b * y + c, d * x + e * y + f].map((value) => value.toFixed(decimals));
    readout.textContent = `${numbers.join(", ")}${data.crs ? ` (${data.crs})` : " pixels"}`;
  });

  let chosen = null;
  function choose(id) {
    if (chosen) chosen.setStyle({ dashArray: null, ...chosen.plain });
    chosen = outlines.get(id) || null;
    if (chosen) chosen.setStyle(CHOSEN).bringToFront();
    for (const row of document.querySelectorAll("tr[data-scene]")) {
      row.classList.toggle("chosen", row.dataset.scene === article.id && +row.dataset.id === id);
    }
  }
  function show(id, [left, top, right, bottom]) {
    const margin = 0.6 * Math.max(right - left, bottom - top, 20);
    const around = [[left - margin, bottom + margin], [right + margin, top - margin]].map(place);
    map.fitBounds(L.latLngBounds(...around), { animate: false });
    choose(id);
  }
  viewers.set(article.id, { map, show, slider, whole });
}

// Where the middle of a slider's knob is: it never leaves the track.
function knob(slider, width) {
  const share = slider.value / slider.max;
  return width * share + 44 * (0.5 - share);
}

function linkRow(row) {
  const go = () => {
    const viewer = viewers.get(row.dataset.scene);
    const bounds = row.dataset.bounds.split(" ").map(Number);
    viewer.show(+row.dataset.id, bounds);
    if (+viewer.slider.value > 40) {
      viewer.slider.value = 15;
      viewer.slider.dispatchEvent(new Event("input"));
    }
    document.getElementById(row.dataset.scene).scrollIntoView({ block: "start" });
    statusLine.textContent = `Shown on the map: ${row.dataset.name}.`;
  };
  row.addEventListener("click", go);
}

function makeSortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.hasAttribute("data-unsorted")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const rising = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      const number = (text) => Number(text.replace(/,/g, ""));
      const rows = [...table.tBodies[0].rows].sort((first, second) => {
        const [p, q] = [value(first), value(second)];
        const difference = number(p) - number(q);
        const order = Number.isNaN(difference) ? p.localeCompare(q) : difference;
        return rising ? order : -order;
      });
      table.tBodies[0].append(...rows);
      statusLine.textContent = `Sorted by ${button.textContent}, ${rising ? "rising" : "falling"}.`;
    });
  });
}

function makePair(frame) {
  const slider = frame.querySelector(".swipe");
  const over = frame.querySelector(".over");
  const divider = document.createElement("div");
  divider.className = "divider";
  frame.append(divider);
  const cut = () => {
    const x = knob(slider, frame.clientWidth);
    over.style.clipPath = `inset(0 0 0 ${x}px)`;
    divider.style.left = `${x}px`;
  };
  slider.addEventListener("input", cut);
  new ResizeObserver(cut).observe(frame);
  cut();
}

document.querySelectorAll("article.scene").forEach(makeViewer);
document.querySelectorAll("tr[data-scene]").forEach(linkRow);
document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll("[data-pair]").forEach(makePair);
