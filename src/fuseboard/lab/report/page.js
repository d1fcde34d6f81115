// Draws a plot when its place is opened, from the blobs of this page; asks no network.
"use strict";
(() => {
  const packed = JSON.parse(document.getElementById("packed").textContent);
  const state = document.getElementById("state");
  const columns = new Map();
  let library = null;
  let drawn = 0;
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
    if (!columns.has(name)) {
      const held = JSON.parse(await unpacked(name));
      columns.set(name, "bucket" in held ? seriesOf(held) : held);
    }
    return columns.get(name);
  }

  // Milliseconds as the zone's clocks show them, of UTC nanoseconds.
  function shown(offsets, atNs) {
    let ahead = offsets[0][1];
    for (const [since, seconds] of offsets) {
      if (atNs >= since * 1e9) ahead = seconds;
    }
    return atNs / 1e6 + ahead * 1e3;
  }

  async function filled(trace, offsets) {
    const [blob, group] = trace.from;
    const held = (await groupsOf(blob))[group];
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
    const wanted = place.dataset.wanted = name;
    const library = await plotly();
    const figure = JSON.parse(await unpacked(name));
    const data = await Promise.all(figure.data.map((each) => filled(each, figure.offsets)));
    if (place.dataset.wanted !== wanted) return;
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
    await library.react(place, data, layout, options);
    drawn += place.dataset.drawn === name ? 0 : 1;
    place.dataset.drawn = name;
  }

  async function tried(place, name) {
    try {
      await draw(place, name);
    } catch (error) {
      failed += 1;
      place.textContent = `This plot cannot be drawn here: ${error}. A browser of 2023 or later can.`;
      console.error(error);
    }
    document.body.dataset.drawn = drawn;
    document.body.dataset.failed = failed;
  }

  async function opened(plot) {
    const place = plot.querySelector(".place");
    if (place && !place.dataset.wanted) await tried(place, place.dataset.first);
  }

  async function openAll() {
    const plots = [...document.querySelectorAll("details.plot")];
    for (const [at, plot] of plots.entries()) {
      state.textContent = `drawing ${at + 1} of ${plots.length} …`;
      plot.open = true;
      await opened(plot);
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    state.textContent = "";
    document.body.dataset.all = plots.length;
  }

  function openNamed() {
    if (location.hash === "#all") return openAll();
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (target && target.matches("details.plot")) {
      target.open = true;
      target.scrollIntoView();
    }
    return null;
  }

  for (const plot of document.querySelectorAll("details.plot")) {
    plot.addEventListener("toggle", () => plot.open && opened(plot));
    for (const choice of plot.querySelectorAll("button[data-figure]")) {
      choice.addEventListener("click", () => {
        for (const each of plot.querySelectorAll("button[data-figure]")) {
          each.setAttribute("aria-pressed", each === choice);
        }
        tried(plot.querySelector(".place"), choice.dataset.figure);
      });
    }
    if (plot.open) opened(plot);
  }
  document.getElementById("open-all").addEventListener("click", openAll);
  document.getElementById("close-all").addEventListener("click", () => {
    for (const plot of document.querySelectorAll("details.plot")) plot.open = false;
  });
  // Paper is narrower than the screen: draw for its width, then for the screen's again.
  const fitted = (width) => {
    for (const place of document.querySelectorAll("details[open] .place[data-drawn]")) {
      window.Plotly.relayout(place, { width });
    }
  };
  window.addEventListener("beforeprint", () => fitted(1280));
  window.addEventListener("afterprint", () => fitted(null));
  window.addEventListener("hashchange", openNamed);
  openNamed();
})();
