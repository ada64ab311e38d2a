(() => {
  "use strict";
  const t = JSON.parse(document.getElementById("data").textContent);
  const axisWidth = 58;
  const printWidth = 690;
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const font = () => "12px " + css("--sans");
  const trim = (v, digits) => String(+v.toFixed(digits));
  const count = v => v == null ? "–" : v.toLocaleString("en-US", {maximumFractionDigits: 1});
  const short = v => v >= 1e6 ? trim(v / 1e6, 2) + "M" : v >= 1e4 ? trim(v / 1e3, 1) + "k" : count(v);
  const latency = v => v == null ? "–" : v >= 1000 ? trim(v / 1000, 2) + " s" : trim(v, v < 10 ? 2 : v < 100 ? 1 : 0) + " ms";
  const rate = (u, v) => v == null ? "–" : count(v) + "/s";
  const moment = v => v == null ? "–" : trim(v, 3) + " s";

  // what lies behind the curves: fault windows and the borders of phases
  const clip = (u, draw) => {
    const {ctx, bbox: b} = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(b.left, b.top, b.width, b.height);
    ctx.clip();
    draw(ctx, b, v => u.valToPos(v, "x", true), devicePixelRatio);
    ctx.restore();
  };
  const line = (ctx, x, b, dpr, color, dash) => {
    ctx.strokeStyle = color;
    ctx.lineWidth = dpr;
    ctx.setLineDash(dash.map(d => d * dpr));
    ctx.beginPath();
    ctx.moveTo(x, b.top);
    ctx.lineTo(x, b.top + b.height);
    ctx.stroke();
  };
  const behind = u => clip(u, (ctx, b, pos, dpr) => {
    for (const p of t.phases) line(ctx, pos(p.from), b, dpr, css("--line"), []);
    for (const f of t.faults) {
      const x = pos(f.from), end = f.to == null ? b.left + b.width : pos(f.to);
      ctx.fillStyle = css("--fault");
      ctx.globalAlpha = f.confirmed ? .13 : .06;
      ctx.fillRect(x, b.top, Math.max(end - x, 2 * dpr), b.height);
      ctx.globalAlpha = .07;
      ctx.fillRect(pos(f.ordered), b.top, x - pos(f.ordered), b.height);
      ctx.globalAlpha = .8;
      line(ctx, x, b, dpr, css("--fault"), f.confirmed ? [] : [2, 3]);
      line(ctx, end, b, dpr, css("--fault"), f.confirmed ? [] : [2, 3]);
      line(ctx, pos(f.ordered), b, dpr, css("--fault"), [4, 4]);
      ctx.globalAlpha = 1;
    }
  });
  const labels = u => clip(u, (ctx, b, pos, dpr) => {
    ctx.font = "600 " + 11 * dpr + "px " + css("--sans");
    ctx.textBaseline = "top";
    ctx.textAlign = "left";
    t.faults.forEach((f, i) => {
      const text = f.label + (f.confirmed ? "" : " (not confirmed)"), width = ctx.measureText(text).width + 8 * dpr;
      const x = Math.max(b.left, Math.min(pos(f.ordered), b.left + b.width - width)), y = b.top + (3 + 17 * (i % 4)) * dpr;
      if (pos(f.ordered) > b.left + b.width || (f.to != null && pos(f.to) < b.left)) return;
      ctx.fillStyle = css("--panel");
      ctx.globalAlpha = .85;
      ctx.fillRect(x + dpr, y, width, 15 * dpr);
      ctx.globalAlpha = 1;
      ctx.fillStyle = css("--fail");
      ctx.fillText(text, x + 5 * dpr, y + 2 * dpr);
    });
  });
  const phases = u => {
    const {ctx, bbox: b} = u, dpr = devicePixelRatio, pos = v => u.valToPos(v, "x", true);
    ctx.save();
    ctx.font = 11 * dpr + "px " + css("--sans");
    ctx.fillStyle = css("--muted");
    ctx.textBaseline = "bottom";
    ctx.textAlign = "left";
    let free = b.left;
    for (const p of t.phases) {
      const from = Math.max(pos(p.from), b.left), to = Math.min(pos(p.to), b.left + b.width);
      if (to - from < 1 || from < free || from + ctx.measureText(p.name).width > b.left + b.width) continue;
      ctx.fillText(p.name, from, b.top - 3 * dpr);
      free = from + ctx.measureText(p.name).width + 6 * dpr;
    }
    ctx.restore();
  };

  // troubles lie at the bottom of the stack, where one request in a thousand still shows
  const stackOrder = ["failed", "ambiguous", "refused", "aborted", "unsent", "rejected", "ok"];
  const layers = stackOrder.map(name => t.outcomes.find(o => o.name === name))
    .filter(o => o && (o.name === "ok" || o.counts.some(n => n > 0)));
  const totals = t.x.map((_, i) => layers.reduce((sum, o) => sum + o.counts[i], 0));
  const bars = u => clip(u, (ctx, b, pos, dpr) => {
    const bottom = b.top + b.height, visible = layers.filter((_, k) => u.series[k + 1].show);
    t.x.forEach((x, i) => {
      const left = pos(x - t.step / 2), width = Math.max(pos(x + t.step / 2) - left - dpr, dpr);
      let y = bottom, sum = 0;
      for (const o of visible) {
        if (o.counts[i] === 0) continue;
        sum += o.counts[i];
        const top = Math.min(u.valToPos(sum, "y", true), y - 2 * dpr); // never too thin to see
        ctx.fillStyle = css("--" + o.name);
        ctx.fillRect(left, top, width, y - top);
        y = top;
      }
    });
  });

  const logRange = (u, low, high) => {
    if (low == null) return [1, 1000];
    const floor = Math.floor(Math.log10(Math.max(low, .01))), ceil = Math.ceil(Math.log10(Math.max(high, .01) * 1.05));
    return [10 ** floor, 10 ** Math.max(ceil, floor + 1)];
  };
  // decades, and the steps between them where there are few
  const logTicks = (u, axis, low, high) => {
    const steps = high / low > 101 ? [1] : [1, 2, 5], ticks = [];
    for (let e = Math.floor(Math.log10(low) + 1e-9); 10 ** e <= high * 1.001; e++) ticks.push(...steps.map(n => n * 10 ** e));
    return ticks.filter(v => v >= low * .999 && v <= high * 1.001);
  };
  const headroom = t.faults.length ? 1.3 : 1.12; // labels of faults stay clear of the curves
  const linear = (u, low, high) => [0, Math.max(high || 0, 1) * headroom];
  const positive = values => values.map(v => v == null ? null : Math.max(v, .01));

  const curve = (label, color, more) => ({label, stroke: css(color), width: 1.6, points: {size: 4, fill: css(color)},
    value: (u, v) => count(v), ...more});
  const time = {label: "at", value: (u, v) => moment(v)};
  const chart = spec => width => new uPlot({
    width, height: spec.height, padding: [spec.phases ? 20 : 8, 10, 0, 0],
    cursor: {y: false, points: {show: !spec.bars}, sync: {key: "run", scales: ["x", null]}, drag: {x: true, y: false}},
    scales: {x: {time: false, range: (u, low, high) => low === t.x[0] && high === t.x.at(-1) ? [t.from, t.to] : [low, high]},
      y: spec.log ? {distr: 3, log: 10, range: logRange} : {range: linear}},
    axes: [
      {stroke: css("--muted"), font: font(), size: 28, grid: {show: false}, ticks: {stroke: css("--line"), size: 4}, values: (u, vs) => vs.map(v => trim(v, 3) + " s")},
      {stroke: css("--muted"), font: font(), size: axisWidth, grid: {stroke: css("--grid"), width: 1}, ticks: {show: false}, space: 26,
        ...(spec.log ? {splits: logTicks, values: (u, vs) => vs.map(latency)} : {values: (u, vs) => vs.map(v => Number.isInteger(v) ? short(v) : "")})}],
    series: [time, ...spec.series()],
    hooks: {drawClear: [behind], draw: [...(spec.bars ? [bars] : []), labels, ...(spec.phases ? [phases] : [])]},
  }, spec.data, document.getElementById(spec.id));

  const laneColors = ["--p50", "--p99", "--ok", "--ambiguous", "--refused"];
  const charts = [
    chart({id: "chart-throughput", height: 190, phases: true, data: [t.x, t.due, t.done], series: () => [
      curve("due", "--due", {dash: [5, 4], value: rate}), curve("answered ok", "--ok", {value: rate})]}),
    chart({id: "chart-latency", height: 210, log: true, data: [t.x, ...[t.p50, t.p99, t.max].map(positive)], series: () => [
      curve("p50", "--p50", {value: (u, v) => latency(v)}), curve("p99", "--p99", {value: (u, v) => latency(v)}),
      curve("max", "--max", {value: (u, v) => latency(v), width: 1, dash: [2, 3]})]}),
    chart({id: "chart-outcomes", height: 180, bars: true, data: [t.x, ...layers.map((o, k) => k ? o.counts : totals)], series: () =>
      layers.map(o => ({label: o.name, stroke: css("--" + o.name), fill: css("--" + o.name), paths: () => null, points: {show: false},
        value: (u, v, s, i) => i == null ? "–" : count(o.counts[i])}))}),
    chart({id: "chart-inflight", height: 170, data: [t.x, ...t.in_flight.map(lane => lane.counts)], series: () =>
      t.in_flight.map((lane, k) => curve(lane.name, laneColors[k % laneColors.length]))}),
  ];

  const printed = matchMedia("print"), dark = matchMedia("(prefers-color-scheme: dark)");
  const room = () => Math.min(document.getElementById("chart-throughput").clientWidth, printed.matches ? printWidth : Infinity);
  let live = [];
  const build = () => {
    live.forEach(u => u.destroy());
    live = charts.map(make => make(room()));
  };
  build();
  printed.addEventListener("change", build);
  dark.addEventListener("change", build);
  new ResizeObserver(() => {
    const width = room();
    if (width > 0 && width !== live[0].width) live.forEach(u => u.setSize({width, height: u.height}));
  }).observe(document.getElementById("chart-throughput"));
})();
