// Draws each plot when it comes near the window, from the blobs of this page, and forgets it when it
// is far away, so that hundreds stay usable. Asks no network.
"use strict";
(() => {
  const packed = JSON.parse(document.getElementById("packed").textContent);
  const state = document.getElementById("state");
  const near = new Set();
  let keepAll = false;
  let library = null;
  let failed = 0;

  // The text of a blob: base64 of a zlib stream.
  async function unpacked(name) {
    const bytes = Uint8Array.from(atob(packed[name]), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  }

  async function plotly() {
    if (library === null) {
      library = unpacked(document.body.dataset.library).then((text) => {
        const script = document.createElement("script");
        script.textContent = text;
        document.head.append(script);
        return window.Plotly;
      });
    }
    return library;
  }

  function summed(differences) {
    let sum = 0;
    return differences.map((each) => (sum += each));
  }

  // A series as its blob holds it (packing.py), in units of its axis, by the middle of each bucket.
  function seriesOf(held) {
    const unit = held.common / held.divisor;
    const last = summed(held.last);
    const x = summed(held.index).map((at) => held.began + (at + 0.5) * held.bucket);
    return {
      last: { x, y: last.map((each) => each * unit) },
      low: { x, y: last.map((each, at) => (each - held.low[at]) * unit) },
      high: { x, y: last.map((each, at) => (each + held.high[at]) * unit) },
    };
  }

  async function groupsOf(name) {
    const held = JSON.parse(await unpacked(name));
    return "bucket" in held ? seriesOf(held) : held;
  }

  // Milliseconds as the zone's clocks show them, of UTC nanoseconds.
  function shown(offsets, atNs) {
    let ahead = offsets[0][1];
    for (const [since, seconds] of offsets) {
      if (atNs >= since * 1e9) ahead = seconds;
    }
    return atNs / 1e6 + ahead * 1e3;
  }

  async function filled(trace, offsets, columns) {
    const [blob, group] = trace.from;
    if (!columns.has(blob)) columns.set(blob, groupsOf(blob));
    const held = (await columns.get(blob))[group];
    const times = held.x.map((at) => shown(offsets, at));
    const whole = { ...trace };
    delete whole.from;
    delete whole.scale;
    delete whole.row;
    if (held.text) whole.text = held.text;
    if (held.symbol && held.symbol[0]) whole.marker = { ...trace.marker, symbol: held.symbol };
    if (trace.type === "bar") {
      whole.base = times;
      whole.x = held.until.map((at, which) => shown(offsets, at) - times[which]);
      whole.y = times.map(() => trace.row);
      return whole;
    }
    whole.x = times;
    whole.y = trace.row ? times.map(() => trace.row) : held.y;
    if (trace.scale) whole.y = held.y.map((each) => each / trace.scale);
    return whole;
  }

  async function draw(place, name) {
    place.dataset.wanted = name;
    const plots = await plotly();
    const figure = JSON.parse(await unpacked(name));
    const columns = new Map();
    const data = await Promise.all(figure.data.map((each) => filled(each, figure.offsets, columns)));
    if (place.dataset.wanted !== name) return;
    const layout = figure.layout;
    layout.xaxis.range = figure.span.map((at) => shown(figure.offsets, at));
    for (const line of layout.shapes) {
      line.x0 = line.x1 = shown(figure.offsets, line.x0);
    }
    // No button that would send the plot anywhere.
    const options = {
      responsive: true,
      displaylogo: false,
      plotlyServerURL: "",
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
    };
    place.style.minHeight = `${layout.height}px`;
    await plots.react(place, data, layout, options);
    if (place.dataset.wanted) place.dataset.drawn = name;
    else plots.purge(place);
  }

  async function tried(place, name) {
    try {
      await draw(place, name);
    } catch (error) {
      failed += 1;
      place.textContent = `This plot cannot be drawn here: ${error}. A browser of 2023 or later can.`;
      console.error(error);
    }
    document.body.dataset.drawn = document.querySelectorAll(".place[data-drawn]").length;
    document.body.dataset.failed = failed;
  }

  function chosen(place) {
    return place.closest("details").querySelector("button[aria-pressed=true]").dataset.figure;
  }

  // What is open and near is drawn; what is far or closed is forgotten.
  async function suited(place) {
    const wanted = place.closest("details").open && (keepAll || near.has(place));
    if (wanted && !place.dataset.wanted) {
      await tried(place, chosen(place));
    } else if (!wanted && place.dataset.wanted) {
      delete place.dataset.wanted;
      if (place.dataset.drawn) window.Plotly.purge(place);
      delete place.dataset.drawn;
    }
  }

  async function drawAll() {
    keepAll = true;
    setOpen(true);
    const places = [...document.querySelectorAll(".place")];
    for (const [at, place] of places.entries()) {
      state.textContent = `drawing ${at + 1} of ${places.length} …`;
      await suited(place);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    state.textContent = "all plots are drawn";
    document.body.dataset.all = places.length;
  }

  function setOpen(open) {
    for (const plot of document.querySelectorAll("details.plot")) plot.open = open;
  }

  function openNamed() {
    if (location.hash === "#all") return drawAll();
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.matches("details.plot")) {
      target.open = true;
      target.scrollIntoView();
    }
    return null;
  }

  const watch = new IntersectionObserver(
    (seen) => {
      for (const each of seen) {
        if (each.isIntersecting) near.add(each.target);
        else near.delete(each.target);
        suited(each.target);
      }
    },
    { rootMargin: "1500px" },
  );
  for (const plot of document.querySelectorAll("details.plot")) {
    const place = plot.querySelector(".place");
    if (!place) continue;
    watch.observe(place);
    plot.addEventListener("toggle", () => suited(place));
    for (const choice of plot.querySelectorAll("button[data-figure]")) {
      choice.addEventListener("click", () => {
        for (const each of plot.querySelectorAll("button[data-figure]")) {
          each.setAttribute("aria-pressed", each === choice);
        }
        tried(place, choice.dataset.figure);
      });
    }
  }
  document.getElementById("open-all").addEventListener("click", () => setOpen(true));
  document.getElementById("close-all").addEventListener("click", () => {
    keepAll = false;
    setOpen(false);
  });
  document.getElementById("draw-all").addEventListener("click", drawAll);
  window.addEventListener("hashchange", openNamed);
  openNamed();
})();
