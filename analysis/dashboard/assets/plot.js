// Pages work without this, with the charts that the server draws; it lets somebody explore them: read every value by
// pointer, finger or arrow keys, and look closer by dragging over a part.
for (const plot of document.querySelectorAll("[data-plot]")) explore(plot);

function explore(plot) {
  const data = JSON.parse(plot.dataset.plot);
  const last = data.x.length - 1;
  const area = make("div", "area", plot);
  const readout = make("p", "readout", plot);
  make("p", "note hint", plot).textContent = "Drag over a part to look closer. The arrow keys go from value to value.";
  const whole = make("button", "whole", plot);
  whole.type = "button";
  whole.textContent = "Show all of it again";
  whole.hidden = true;
  plot.classList.add("alive");

  area.tabIndex = 0;
  const speak = { role: "slider", "aria-label": data.title, "aria-valuemin": 0, "aria-valuemax": last, "aria-orientation": "horizontal" };
  for (const [name, value] of Object.entries(speak)) area.setAttribute(name, value);
  let at = last;
  const say = (place) => {
    at = place;
    readout.textContent = data.says[at];
    area.setAttribute("aria-valuenow", at);
    area.setAttribute("aria-valuetext", data.says[at]);
  };
  say(last);

  const inks = new Map();
  const ink = (name) => {
    if (!inks.has(name)) inks.set(name, make("i", name, area));
    return getComputedStyle(inks.get(name)).color;
  };
  const chart = new uPlot(settings(data, area, ink, (u) => {
    if (u.cursor.idx != null) say(u.cursor.idx);
  }, (u) => {
    whole.hidden = u.scales.x.min <= reach(data).min && u.scales.x.max >= reach(data).max;
  }), columnsOf(data), area);

  area.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const place = Math.min(last, Math.max(0, to));
    chart.setCursor({ left: chart.valToPos(data.x[place], "x"), top: chart.valToPos(data.rows[0].y[place], "y") });
    say(place);
  });
  whole.addEventListener("click", () => {
    chart.setScale("x", reach(data));
    area.focus();
  });
  new ResizeObserver(() => chart.setSize(sizeOf(area))).observe(area);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.redraw());
}

// settings are how the library draws the data.
function settings(data, area, ink, onCursor, onScale) {
  const axis = { stroke: () => ink("soft"), grid: { stroke: () => ink("grid"), width: 1 }, ticks: { show: false }, font: "13px system-ui, sans-serif" };
  const compact = new Intl.NumberFormat("en", { notation: "compact" });
  const write = (y) => data.unit === "%" ? `${+(100 * y).toFixed(1)} %` : compact.format(y);
  const bottom = data.names
    ? { splits: (u, _, min, max) => places(data, u.width, min, max), values: (_, at) => at.map((x) => data.names[x]) }
    : { values: (_, at) => at.map((x) => x.toLocaleString("en")) };
  const series = [{}];
  const bands = [];
  for (const row of data.rows) {
    const colour = () => ink("s" + row.class);
    const line = data.columns
      ? { paths: uPlot.paths.bars({ size: [0.76, 120] }), fill: colour, stroke: colour, width: 0, points: { show: false } }
      : { stroke: colour, width: 2.5, points: { show: false } };
    series.push(line);
    if (row.low) {
      bands.push({ series: [series.length, series.length + 1], fill: () => pale(colour()) });
      series.push({ points: { show: false } }, { points: { show: false } });
    }
  }
  return {
    ...sizeOf(area), series, bands,
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false, dist: 8 } },
    scales: { x: { time: false, ...reach(data) }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
    axes: [{ ...axis, ...bottom, size: 28, grid: { ...axis.grid, show: !data.columns } }, { ...axis, size: 64, values: (_, at) => at.map(write) }],
    hooks: { setCursor: [onCursor], setScale: [(u, key) => key === "x" && onScale(u)] },
  };
}

// columnsOf are the values as the library takes them, ranges behind the line that they belong to.
function columnsOf(data) {
  const all = [data.x];
  for (const row of data.rows) all.push(row.y, ...(row.low ? [row.high, row.low] : []));
  return all;
}

// reach is what there is to see from left to right; columns have their width.
function reach(data) {
  const half = data.columns ? 0.5 : 0;
  return { min: data.x[0] - half, max: data.x.at(-1) + half };
}

// places are the columns whose names fit side by side; the last that is seen always has its name.
function places(data, width, min, max) {
  const from = Math.max(0, Math.ceil(min)), to = Math.min(data.x.length - 1, Math.floor(max));
  const every = Math.max(1, Math.ceil((to - from + 1) / Math.max(1, Math.floor((width - 64) / 62))));
  const all = [];
  for (let x = to; x >= from; x -= every) all.unshift(x);
  return all;
}

// pale is a colour that lets what is behind it through.
function pale(colour) {
  return colour.replace("rgb(", "rgba(").replace(")", ", 0.18)");
}

function sizeOf(area) {
  return { width: Math.max(200, area.clientWidth), height: 280 };
}

function make(kind, name, within) {
  const made = document.createElement(kind);
  made.className = name;
  within.append(made);
  return made;
}
