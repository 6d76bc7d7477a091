// Draws every chart of a page with uPlot while it is in view: values on hovering, a zoom by dragging that all charts of
// a row share, and back by a double click. What it is given is made by reports/charts.py; ticks are those of
// reports/ticks.py, numbers those of monitors/units.py.
"use strict";
(() => {
  // ---- numbers and times as people read them

  const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const TIME_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600,
    43200, 86400, 172800, 432000, 864000, 2592000];
  const FAR = 4, MARGIN = 0.06, LONG = 600; // as in chart.py and ticks.py
  // Of what is zoomed: less than that of chart.py, as who zooms wants to see the grain.
  const LEAST_SPAN = { bytes: 4096, count: 2, seconds: 1e-4, ratio: 1e-3, value: 1e-9 };

  const decimals = (value, digits) =>
    value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const power = (size) => Math.min(Math.floor(Math.log(Math.max(size, 1)) / Math.log(1024) + 1e-9), BINARY.length - 1);

  function scaled(value, unit, figures) {
    const [size, name] = unit === "bytes" ? [1024 ** power(Math.abs(value)), BINARY[power(Math.abs(value))]]
      : unit === "ratio" ? [0.01, "%"] : unit === "seconds" ? [1, "s"] : [1, ""];
    const number = (value / size).toLocaleString("en", { maximumSignificantDigits: figures });
    return name ? `${number} ${name}` : number;
  }

  function valueTicks(low, high, unit, most) {
    const span = (high - low) / most;
    const base = unit === "bytes" ? 1024 ** power(Math.max(Math.abs(low), Math.abs(high))) : 1;
    const size = 10 ** Math.floor(Math.log10(span / base));
    let step = base * size * [1, 2, 5, 10].find((s) => s * size * base >= span * 0.999);
    if (unit === "count") step = Math.max(1, Math.round(step));
    const ticks = [];
    for (let k = Math.ceil(low / step - 1e-9); k <= Math.floor(high / step + 1e-9); k++) ticks.push(k * step);
    return ticks;
  }

  function valueLabels(ticks, unit) {
    let labels = ticks.map((tick) => scaled(tick, unit, 3));
    const p = power(Math.max(...ticks.map(Math.abs), 0));
    const known = { bytes: [1024 ** p, ` ${BINARY[p]}`], seconds: [1, " s"], ratio: [0.01, " %"] };
    const [size, name] = known[unit] ?? [1, ""];
    for (let digits = 0; digits < 10 && new Set(labels).size < ticks.length; digits++) {
      labels = ticks.map((tick) => decimals(tick / size, digits) + name);
    }
    return labels;
  }

  function timeTicks(low, high, most) {
    const step = TIME_STEPS.find((s) => (high - low) / s <= most) ?? 86400 * Math.ceil((high - low) / 86400 / most);
    const ticks = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high; k++) ticks.push(k * step);
    return ticks;
  }

  function clock(seconds, step) {
    const whole = Math.floor(seconds + 1e-6), two = (n) => String(n).padStart(2, "0");
    const text = `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}`;
    if (step % 60 === 0) return `${text} h`;
    return `${text}:${two(whole % 60)}` + (step < 1 ? `.${Math.floor(10 * (seconds - whole) + 1e-6)}` : "");
  }

  function timeLabels(ticks) {
    const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1, last = ticks.at(-1) ?? 0;
    for (const [unit, name, longest] of [[86400, "d", Infinity], [3600, "h", Infinity], [60, "min", 60 * LONG]]) {
      if (step % unit === 0 && last <= longest) return ticks.map((t) => (t ? `${t / unit} ${name}` : "0"));
    }
    if (last <= LONG) return ticks.map((t) => (t ? `${+t.toFixed(1)} s` : "0"));
    return ticks.map((t) => clock(t, step));
  }

  const moment = (t) => (t < LONG ? `${+t.toFixed(1)} s` : clock(t, 1));

  // ---- rows and charts

  const POINTING = ["mousemove", "mouseleave"];

  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const marks = JSON.parse(document.getElementById("marks")?.textContent ?? "{}");
  // By name: the charts side by side, the times that are shown (null: all), whether all values are.
  const rows = new Map();

  function rowOf(name) {
    if (!rows.has(name)) rows.set(name, { name, charts: [], times: null, whole: false });
    return rows.get(name);
  }

  function decoded(trace) {
    let t = 0, v = 0;
    const times = trace.t.map((step) => (t += step) * trace.tick);
    const values = trace.v.map((step) => (step === null ? null : (v += step) * trace.step));
    const known = (i) => values[i] !== undefined && values[i] !== null;
    const alone = values.map((_, i) => i).filter((i) => known(i) && !known(i - 1) && !known(i + 1));
    return { times, values, alone: new Set(alone.map((i) => times[i])) };
  }

  class Chart {
    constructor(box) {
      this.box = box;
      this.row = rowOf(box.dataset.row);
      this.row.charts.push(this);
      this.plot = null;
    }

    // What was measured, read when it is first needed.
    get spec() {
      if (!this.read) {
        this.read = JSON.parse(this.box.querySelector("script").textContent);
        this.read.traces.forEach((trace) => Object.assign(trace, decoded(trace)));
      }
      return this.read;
    }

    get times() { return this.row.times ?? [0, this.spec.end]; }

    // Lowest and highest value among the times that are shown, with some room.
    extent() {
      let low = Infinity, high = -Infinity;
      const [from, to] = this.times;
      for (const { times, values } of this.spec.traces) {
        for (let i = 0; i < times.length; i++) {
          if (values[i] !== null && times[i] >= from && times[i] <= to) {
            low = Math.min(low, values[i]);
            high = Math.max(high, values[i]);
          }
        }
      }
      if (low > high) return this.spec.range;
      const missing = Math.max(0, Math.max(LEAST_SPAN[this.spec.unit], 2e-5 * Math.abs(high)) - (high - low));
      const room = MARGIN * (high - low + missing) + missing / 2;
      return [low >= 0 && low < room ? 0 : low - room, high + room];
    }

    // On this page with the other charts of its row, so that equal heights are equal amounts: see `shared` in chart.py.
    get range() {
      const { row } = this;
      if (!row.times && !row.whole) return this.spec.range;
      const all = row.charts.map((chart) => chart.extent()), own = this.extent();
      const low = Math.min(...all.map((r) => r[0])), high = Math.max(...all.map((r) => r[1]));
      const size = Math.max(...all.map((r) => r[1] - r[0]));
      if (high - low <= FAR * size) return [low, high];
      const middle = own[0] ? (own[0] + own[1]) / 2 : size / 2;
      return [middle - size / 2, middle + size / 2];
    }

    draw() {
      const { spec, box } = this;
      const traces = [...spec.traces].reverse(); // the judged one on top
      const data = traces.map((trace) => [trace.times, trace.values]);
      box.classList.add("live");
      this.plot = new uPlot(this.options(traces), data.length > 1 ? uPlot.join(data) : data[0], box);
      this.plot.root.setAttribute("role", "img");
      this.plot.root.setAttribute("aria-label", box.querySelector("svg").getAttribute("aria-label"));
    }

    clear() {
      this.plot?.destroy();
      this.plot = null;
      this.box.classList.remove("live");
    }

    size() { return { width: this.box.clientWidth, height: this.box.clientHeight }; }

    tone() {
      const named = ["torch", "tensorflow"].find((name) => this.box.classList.contains(name));
      return css(named ? `--${named}` : "--soft");
    }

    options(traces) {
      const { spec } = this, soft = () => css("--soft"), font = "11px system-ui, sans-serif";
      const across = (u) => Math.max(2, Math.floor(u.bbox.width / uPlot.pxRatio / 58));
      this.tip = document.createElement("div");
      this.tip.className = "tip";
      return {
        ...this.size(),
        padding: [8, 24, 0, 0],
        legend: { show: false },
        scales: { x: { time: false, range: () => this.times }, y: { range: () => this.range } },
        axes: [
          { size: 26, stroke: soft, font, grid: { show: false }, border: { show: true, stroke: soft, width: 1 },
            ticks: { size: 4, stroke: () => css("--rule"), width: 1 },
            splits: (u, _, low, high) => timeTicks(low, high, across(u)), values: (_, ticks) => timeLabels(ticks) },
          { size: 72, gap: 4, stroke: soft, font, ticks: { show: false },
            grid: { stroke: () => css("--rule"), width: 1 },
            splits: (_, __, low, high) => valueTicks(low, high, spec.unit, 5),
            values: (_, ticks) => valueLabels(ticks, spec.unit) },
        ],
        series: [{}, ...traces.map((trace) => this.series(trace, trace === spec.traces[0]))],
        cursor: {
          drag: { x: true, y: false, setScale: false, dist: 4 },
          points: { size: 7 },
          bind: { dblclick: () => () => { zoom(this.row, null); return null; } },
          sync: { key: this.row.name, scales: ["x", null], filters: { pub: (kind) => POINTING.includes(kind) } },
        },
        hooks: {
          init: [(u) => u.over.append(this.tip)],
          drawClear: [(u) => this.shades(u)],
          draw: [(u) => this.lines(u)],
          setCursor: [(u) => this.hover(u, traces)],
          setSelect: [(u) => this.select(u)],
        },
      };
    }

    series(trace, judged) {
      const stroke = () => this.tone() + (judged ? "" : "80");
      const dots = trace.dots ? { paths: () => null, points: { show: true, size: 5, width: 0, fill: stroke } }
        : { points: { show: true, size: 3, width: 0, fill: stroke, filter: (u, i) => lonely(u.data, i, trace.alone) } };
      return { label: trace.label, stroke, width: 1.4, alpha: 1, ...dots };
    }

    // ---- what is marked

    upright(u, at, style, width, dash) {
      const x = u.valToPos(at, "x", true), { ctx, bbox } = u;
      ctx.strokeStyle = style;
      ctx.lineWidth = width * uPlot.pxRatio;
      ctx.setLineDash(dash.map((d) => d * uPlot.pxRatio));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }

    within(u, work) {
      u.ctx.save();
      u.ctx.beginPath();
      u.ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
      u.ctx.clip();
      work(u.ctx);
      u.ctx.restore();
    }

    shades(u) {
      const { warm, over, broke, end } = this.spec;
      const shade = (ctx, from, to, style) => {
        const [a, b] = [u.valToPos(from, "x", true), u.valToPos(to, "x", true)];
        ctx.fillStyle = style;
        ctx.fillRect(a, u.bbox.top, b - a, u.bbox.height);
      };
      this.within(u, (ctx) => {
        if (warm) shade(ctx, 0, warm, css("--shade"));
        if (over !== null) shade(ctx, over, end, css("--shade"));
        if (broke !== null) shade(ctx, broke, end, css("--broken") + "17");
      });
    }

    lines(u) {
      const { fit, onset, restarts, broke } = this.spec, ratio = uPlot.pxRatio;
      this.within(u, (ctx) => {
        restarts.forEach((at) => this.upright(u, at, css("--soft"), 1, [1, 3]));
        if (onset !== null) this.upright(u, onset, css("--leak"), 1.2, [2, 3]);
        if (broke !== null) this.upright(u, broke, css("--broken"), 1.6, []);
        if (fit) {
          ctx.strokeStyle = css("--fit");
          ctx.lineWidth = 1.6 * ratio;
          ctx.setLineDash([6 * ratio, 4 * ratio]);
          ctx.beginPath();
          ctx.moveTo(u.valToPos(fit[0], "x", true), u.valToPos(fit[1], "y", true));
          ctx.lineTo(u.valToPos(fit[2], "x", true), u.valToPos(fit[3], "y", true));
          ctx.stroke();
        }
        ctx.fillStyle = css("--unsure");
        const bottom = u.bbox.top + u.bbox.height;
        for (const [at] of marks[this.spec.marks] ?? []) {
          const x = u.valToPos(at, "x", true);
          ctx.beginPath();
          ctx.moveTo(x, bottom);
          ctx.lineTo(x - 4 * ratio, bottom - 7 * ratio);
          ctx.lineTo(x + 4 * ratio, bottom - 7 * ratio);
          ctx.fill();
        }
      });
    }

    // ---- what a hand does

    hover(u, traces) {
      const { left, idxs } = u.cursor;
      if (left < 0 || !u.over.matches(":hover")) { this.tip.style.display = "none"; return; }
      const said = [], at = u.posToVal(left, "x");
      traces.map((trace, i) => [trace, idxs[i + 1]]).reverse().forEach(([trace, index]) => {
        const value = index === null ? null : u.data[traces.indexOf(trace) + 1][index];
        const near = value !== null && value !== undefined && Math.abs(u.valToPos(u.data[0][index], "x") - left) < 30;
        said.push(near ? `${trace.label}: ${scaled(value, this.spec.unit, 5)} at ${moment(u.data[0][index])}`
          : `${trace.label}: no value at ${moment(at)}`);
      });
      for (const [t, text] of marks[this.spec.marks] ?? []) {
        if (Math.abs(u.valToPos(t, "x") - left) <= 5 && said.length < 6) said.push(`${moment(t)}: ${text}`);
      }
      this.tip.textContent = said.join("\n");
      this.tip.style.display = "block";
      const room = u.over.clientWidth, beside = left + 12 + this.tip.offsetWidth <= room;
      this.tip.style.left = `${beside ? left + 12 : Math.max(0, Math.min(left - 12, room) - this.tip.offsetWidth)}px`;
    }

    select(u) {
      const { left, width } = u.select;
      if (width < 4) return;
      u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      zoom(this.row, [u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
    }
  }

  // Indices in `data` of points without a neighbour: a line alone would not show them.
  const lonely = (data, i, times) =>
    (times.size ? data[0].flatMap((t, at) => (times.has(t) && data[i][at] != null ? [at] : [])) : []);

  function redrawn(row) {
    row.charts.forEach(({ plot, times }) => plot?.setScale("x", { min: times[0], max: times[1] }));
  }

  function zoom(row, times) {
    row.times = times;
    redrawn(row);
  }

  // ---- the page

  const charts = new Map([...document.querySelectorAll(".chart[data-row]")].map((box) => [box, new Chart(box)]));

  const views = new IntersectionObserver((entries) => entries.forEach(({ target, isIntersecting }) => {
    const chart = charts.get(target);
    if (isIntersecting && !chart.plot) chart.draw();
    else if (!isIntersecting) chart.clear();
  }), { rootMargin: "200px" });
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => {
    const { plot } = charts.get(target), size = charts.get(target).size();
    if (plot && (plot.width !== size.width || plot.height !== size.height)) plot.setSize(size);
  }));
  charts.forEach((_, box) => { views.observe(box); sizes.observe(box); });

  document.querySelectorAll("button.whole").forEach((button) => {
    const { row } = charts.get(button.closest("figure").querySelector(".chart"));
    button.hidden = false;
    button.addEventListener("click", () => {
      row.whole = !row.whole;
      row.charts.forEach(({ box }) => {
        const other = box.closest("figure").querySelector("button.whole");
        other?.setAttribute("aria-pressed", row.whole);
      });
      redrawn(row);
    });
  });
  document.querySelectorAll(".scripted").forEach((said) => { said.hidden = false; });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    charts.forEach(({ plot }) => plot?.redraw(false)));
  addEventListener("beforeprint", () =>
    document.querySelectorAll("details.paper").forEach((folded) => { folded.open = true; }));
})();
